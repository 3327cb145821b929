// Convolution, its transpose and pooling of one and two dimensions.
#include <algorithm>

#include "core/buffer.h"
#include "kernels/conv.h"
#include "kernels/conv_transpose.h"
#include "kernels/elementwise.h"
#include "kernels/pool.h"
#include "kernels/reduce.h"
#include "kernels/sincos.h"
#include "kernels/special.h"
#include "network/context.h"
#include "network/engine/fold.h"
#include "network/engine/plan.h"
#include "network/ops/windows.h"

namespace dws::network::engine {
namespace {

// (N, C, W) as (N, C, 1, W).
int64_t height_of(const std::vector<int64_t>& spatial) {
  return spatial.size() == 2 ? spatial[0] : 1;
}

Windows windows_of(Builder& b, const Node& node, std::vector<int64_t> kernel, bool ceil_mode) {
  std::vector<ArrayPtr> inputs;
  for (const int input : node.inputs) inputs.push_back(input == kNone ? nullptr : b.shape_ptr(input));
  const Context context(node, std::move(inputs), true, [&] { return node.where(b.network().values); }, {});
  return windows(context, b.shape(node.inputs[0]).dims, std::move(kernel), ceil_mode);
}

// A convolution's weights with the factors of a norm behind it, and what is added to its channels.
struct Folded {
  int weights = kNone;  // as they are stored
  int made = kNone;     // with factors, where there is a norm, and behind them what is added
  bool norm = false;
  int64_t shift = 0;  // where in `made` that begins

  void add_reads(std::vector<int>& reads) const {
    if (!norm) reads.push_back(weights);
    if (made != kNone) reads.push_back(made);
  }
  const float* filters(const Frame& f) const { return f.in(norm ? made : weights); }
  const float* shifts(const Frame& f) const { return made == kNone ? nullptr : f.in(made) + shift; }
};
// `scale(factor, from, to)`: the weights times the factor of the channel that each goes to.
template <class Scale>
Folded fold_tail(Builder& b, const Tail& tail, int bias, int w, int64_t channels, const Scale& scale) {
  const int added = bias != kNone ? bias : tail.bias;
  const bool one_bias = added != kNone && b.size(added) == 1 && channels != 1;
  Folded folded{.weights = w, .norm = tail.norm != nullptr, .shift = tail.norm ? b.size(w) : 0};
  if (added == kNone && !tail.norm) return folded;
  std::vector<int> from = tail.fixed;
  if (added != kNone) from.push_back(added);
  if (tail.norm) from.push_back(w);
  folded.made = b.derive(folded.shift + channels, from,
                         [=, norm = tail.norm, shift = folded.shift](const Frame& f, float* to) {
                           Buffer<float> factor(static_cast<size_t>(channels));
                           fold_norm(f, norm, channels, added == kNone ? nullptr : f.in(added), one_bias,
                                     factor.data(), to + shift);
                           if (norm) scale(factor.data(), f.in(w), to);
                         });
  return folded;
}

// What FusedConv does with a convolution: a second term and an activation.
struct Behind {
  int added = kNone;
  std::string activation;
  float a = 0, b = 0;

  explicit Behind(const Node& node)
      : added(node.op == "FusedConv" ? input_of(node, 3) : kNone),
        activation(node.op == "FusedConv" ? node.attr_string("activation", "") : "") {
    const OnnxAttribute* given = node.find("activation_params", OnnxAttribute::Kind::floats);
    const auto parameter = [&](size_t i, double otherwise) {
      return static_cast<float>(given && i < given->floats.size() ? given->floats[i] : otherwise);
    };
    a = parameter(0, activation == "LeakyRelu" ? 0.01 : activation == "HardSigmoid" ? 0.2 : 0);
    b = parameter(1, 0.5);
  }
  bool nothing() const { return added == kNone && activation.empty(); }
  void apply(const Frame& f, int64_t n, float* y) const {
    if (added != kNone) kernels::add(n, y, f.in(added), y);
    if (activation == "Relu") kernels::relu(n, y, y);
    if (activation == "Tanh") kernels::tanh(n, y, y);
    if (activation == "Sigmoid") kernels::sigmoid(n, 1.0f, y, y);
    if (activation == "LeakyRelu")
      for (int64_t i = 0; i < n; ++i) y[i] = y[i] < 0 ? a * y[i] : y[i];
    if (activation == "HardSigmoid")
      for (int64_t i = 0; i < n; ++i) y[i] = std::clamp(a * y[i] + b, 0.0f, 1.0f);
    if (activation == "Clip")
      for (int64_t i = 0; i < n; ++i) y[i] = std::min(std::max(y[i], a), b);
  }
};

bool convolution(Builder& b, const Node& node) {
  const int x = node.inputs.at(0), w = node.inputs.at(1), bias = input_of(node, 2), y = node.outputs.at(0);
  const std::vector<int64_t>&dims = b.shape(x).dims, &kernel = b.shape(w).dims;
  if (!b.real(x) || dims.size() < 3 || dims.size() > 4 || !b.fixed(w)) return false;
  if (bias != kNone && !b.fixed(bias)) return false;
  const Windows win = windows_of(b, node, {kernel.begin() + 2, kernel.end()}, false);
  const auto last = [](const std::vector<int64_t>& list) { return list.back(); };
  const auto first = [](const std::vector<int64_t>& list, int64_t otherwise) {
    return list.size() == 2 ? list[0] : otherwise;
  };
  const kernels::Conv2d c{.channels = dims[1],
                          .height = height_of(win.in),
                          .width = last(win.in),
                          .filters = kernel[0],
                          .kernel_h = height_of(win.kernel),
                          .kernel_w = last(win.kernel),
                          .stride_h = first(win.strides, 1),
                          .stride_w = last(win.strides),
                          .pad_top = first(win.before, 0),
                          .pad_left = last(win.before),
                          .pad_bottom = first(win.after, 0),
                          .pad_right = last(win.after),
                          .dilation_h = first(win.dilations, 1),
                          .dilation_w = last(win.dilations),
                          .groups = node.attr_int("group", 1)};
  if (c.groups < 1 || c.channels % c.groups || c.filters % c.groups || c.places() < 1) return false;
  const Behind behind(node);
  const Tail tail = behind.nothing() ? tail_of(b, y, 1, bias == kNone) : Tail{.out = y};
  const Folded folded =
      fold_tail(b, tail, bias, w, c.filters, [c](const float* factor, const float* from, float* to) {
        for (int64_t o = 0; o < c.filters; ++o)
          kernels::scale(c.depth(), factor[o], from + o * c.depth(), to + o * c.depth(), false);
      });
  const int64_t images = dims[0];
  b.add_flops(2.0 * static_cast<double>(images * c.filters) * static_cast<double>(c.depth() * c.places()));
  std::vector<int> reads = {x};
  folded.add_reads(reads);
  if (behind.added != kNone) reads.push_back(behind.added);
  b.step({.reads = reads,
          .writes = {tail.out},
          .scratch = kernels::conv2d_nchw_scratch(c, images),
          .work = [=, out = tail.out, relu = tail.relu](const Frame& f) {
            kernels::conv2d_nchw(c, images, f.in(x), folded.filters(f), folded.shifts(f), f.out(out),
                                 f.scratch);
            const int64_t n = images * c.filters * c.places();
            if (relu) kernels::relu(n, f.out(out), f.out(out));
            if (!behind.nothing()) behind.apply(f, n, f.out(out));
          }});
  return true;
}

bool transposed(Builder& b, const Node& node) {
  const int x = node.inputs.at(0), w = node.inputs.at(1), bias = input_of(node, 2), y = node.outputs.at(0);
  const std::vector<int64_t>&dims = b.shape(x).dims, &kernel = b.shape(w).dims, &out = b.shape(y).dims;
  if (dims.size() > 4 || !b.fixed(w) || (bias != kNone && !b.fixed(bias)) || b.size(x) == 0) return false;
  std::vector<ArrayPtr> inputs;
  for (const int input : node.inputs) inputs.push_back(input == kNone ? nullptr : b.shape_ptr(input));
  const Context context(node, std::move(inputs), true, [&] { return node.where(b.network().values); }, {});
  const Windows win = transposed_windows(context, dims, {kernel.begin() + 2, kernel.end()});
  kernels::Conv2d c{.channels = out[1], .filters = dims[1], .groups = node.attr_int("group", 1)};
  for (size_t a = 0; a < win.in.size(); ++a) {
    const bool across = a + 1 == win.in.size();
    // What the output has behind the last window, or lacks of it.
    const int64_t behind = (win.out[a] - 1) * win.strides[a] + (win.kernel[a] - 1) * win.dilations[a] + 1 -
                           win.in[a] - win.before[a];
    (across ? c.width : c.height) = win.in[a];
    (across ? c.kernel_w : c.kernel_h) = win.kernel[a];
    (across ? c.stride_w : c.stride_h) = win.strides[a];
    (across ? c.dilation_w : c.dilation_h) = win.dilations[a];
    (across ? c.pad_left : c.pad_top) = win.before[a];
    (across ? c.pad_right : c.pad_bottom) = behind;
  }
  const Tail tail = tail_of(b, y, 1, bias == kNone);
  const Folded folded =
      fold_tail(b, tail, bias, w, c.channels, [c](const float* factor, const float* from, float* to) {
        const int64_t taps = c.kernel_h * c.kernel_w, each = c.channels / c.groups;
        for (int64_t i = 0; i < c.filters; ++i)
          for (int64_t o = 0; o < each; ++o) {
            const int64_t at = (i * each + o) * taps, group = i / (c.filters / c.groups);
            kernels::scale(taps, factor[group * each + o], from + at, to + at, false);
          }
      });
  const int64_t images = dims[0];
  b.add_flops(2.0 * static_cast<double>(images * c.filters) * static_cast<double>(c.depth() * c.places()));
  std::vector<int> reads = {x};
  folded.add_reads(reads);
  b.step({.reads = reads,
          .writes = {tail.out},
          .scratch = kernels::conv2d_transpose_nchw_scratch(c),
          .work = [=, out = tail.out, relu = tail.relu](const Frame& f) {
            kernels::conv2d_transpose_nchw(c, images, f.in(x), folded.filters(f), folded.shifts(f),
                                           f.out(out), f.scratch);
            if (relu) kernels::relu(images * c.channels * c.height * c.width, f.out(out), f.out(out));
          }});
  return true;
}

bool pool(Builder& b, const Node& node, bool maximum) {
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  const std::vector<int64_t>& dims = b.shape(x).dims;
  const auto kernel = node.attr_ints("kernel_shape");
  if (!b.real(x) || dims.size() < 3 || dims.size() > 4 || !kernel || output_of(node, 1) != kNone)
    return false;
  const Windows win = windows_of(b, node, *kernel, node.attr_int("ceil_mode", 0) != 0);
  kernels::Pool2d p{.count_pads = node.attr_int("count_include_pad", 0) != 0};
  for (size_t a = 0; a < win.in.size(); ++a) {
    const bool across = a + 1 == win.in.size();
    (across ? p.width : p.height) = win.in[a];
    (across ? p.kernel_w : p.kernel_h) = win.kernel[a];
    (across ? p.stride_w : p.stride_h) = win.strides[a];
    (across ? p.dilation_w : p.dilation_h) = win.dilations[a];
    (across ? p.pad_left : p.pad_top) = win.before[a];
    // A window that reaches beyond the padding, where sizes are rounded up.
    const int64_t reach = (win.kernel[a] - 1) * win.dilations[a] + 1;
    const int64_t needed = (win.out[a] - 1) * win.strides[a] + reach - win.in[a] - win.before[a];
    if (needed > win.after[a] && !maximum && p.count_pads) return false;
    const int64_t after = std::max(needed, win.after[a]);
    (across ? p.pad_right : p.pad_bottom) = after;
    if (win.before[a] >= win.kernel[a] || after >= win.kernel[a] ||
        (win.dilations[a] > 1 && after + win.before[a] > 0))
      return false;
  }
  if (p.out_height() != height_of(win.out) || p.out_width() != win.out.back()) return false;
  b.step({.reads = {x}, .writes = {y}, .work = [=, planes = dims[0] * dims[1]](const Frame& f) {
            if (maximum)
              kernels::max_pool2d(p, planes, int64_t{1}, f.in(x), f.out(y), nullptr);
            else
              kernels::mean_pool2d(p, planes, int64_t{1}, f.in(x), f.out(y));
          }});
  return true;
}
bool global(Builder& b, const Node& node, kernels::Reduce kind) {
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  if (!b.real(x) || b.size(y) == 0) return false;
  b.step({.reads = {x},
          .writes = {y},
          .work = [=, planes = b.size(y), n = b.size(x) / b.size(y)](const Frame& f) {
            kernels::reduce(planes, n, int64_t{1}, kind, f.in(x), f.out(y), nullptr);
          }});
  return true;
}

}  // namespace

std::vector<PlannerRow> convolution_planners() {
  return {
      {"Conv", convolution},
      {"FusedConv", convolution, "com.microsoft"},
      {"ConvTranspose", transposed},
      {"MaxPool", [](Builder& b, const Node& node) { return pool(b, node, true); }},
      {"AveragePool", [](Builder& b, const Node& node) { return pool(b, node, false); }},
      {"GlobalAveragePool",
       [](Builder& b, const Node& node) { return global(b, node, kernels::Reduce::mean); }},
      {"GlobalMaxPool", [](Builder& b, const Node& node) { return global(b, node, kernels::Reduce::max); }}};
}

}  // namespace dws::network::engine
