// Convolution and pooling of one and two dimensions.
#include <algorithm>

#include "core/buffer.h"
#include "kernels/conv.h"
#include "kernels/elementwise.h"
#include "kernels/pool.h"
#include "kernels/reduce.h"
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

bool convolution(Builder& b, const Node& node) {
  const int x = node.inputs.at(0), w = node.inputs.at(1), bias = input_of(node, 2), y = node.outputs.at(0);
  const std::vector<int64_t>&dims = b.shape(x).dims, &kernel = b.shape(w).dims;
  if (!b.real(x) || dims.size() < 3 || dims.size() > 4 || !b.fixed(w) || input_of(node, 3) != kNone)
    return false;
  if (bias != kNone && !b.fixed(bias)) return false;
  const std::string activation = node.attr_string("activation", "");
  if (!activation.empty() && activation != "Relu") return false;
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
  Tail tail = activation.empty() ? tail_of(b, y, 1, bias == kNone) : Tail{.out = y, .relu = true};
  const int added = bias != kNone ? bias : tail.bias;
  const bool with_bias = added != kNone || tail.norm,
             one_bias = added != kNone && b.size(added) == 1 && c.filters != 1;
  std::vector<int> from = tail.fixed;
  if (added != kNone) from.push_back(added);
  if (tail.norm) from.push_back(w);
  const int64_t weights = tail.norm ? c.filters * c.depth() : 0;
  int folded = kNone;
  if (with_bias)
    folded = b.derive(weights + c.filters, from, [=, norm = tail.norm](const Frame& f, float* to) {
      Buffer<float> factor(static_cast<size_t>(c.filters));
      fold_norm(f, norm, c.filters, added == kNone ? nullptr : f.in(added), one_bias, factor.data(),
                to + weights);
      if (!norm) return;
      for (int64_t o = 0; o < c.filters; ++o)
        kernels::scale(c.depth(), factor[static_cast<size_t>(o)], f.in(w) + o * c.depth(), to + o * c.depth(),
                       false);
    });
  const int64_t images = dims[0];
  b.add_flops(2.0 * static_cast<double>(images * c.filters) * static_cast<double>(c.depth() * c.places()));
  std::vector<int> reads = {x};
  if (!tail.norm) reads.push_back(w);
  if (folded != kNone) reads.push_back(folded);
  b.step({.reads = reads,
          .writes = {tail.out},
          .scratch = kernels::conv2d_nchw_scratch(c, images),
          .work = [=, out = tail.out, norm = tail.norm != nullptr, relu = tail.relu](const Frame& f) {
            kernels::conv2d_nchw(c, images, f.in(x), norm ? f.in(folded) : f.in(w),
                                 with_bias ? f.in(folded) + weights : nullptr, f.out(out), f.scratch);
            if (relu) kernels::relu(images * c.filters * c.places(), f.out(out), f.out(out));
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
      {"MaxPool", [](Builder& b, const Node& node) { return pool(b, node, true); }},
      {"AveragePool", [](Builder& b, const Node& node) { return pool(b, node, false); }},
      {"GlobalAveragePool",
       [](Builder& b, const Node& node) { return global(b, node, kernels::Reduce::mean); }},
      {"GlobalMaxPool", [](Builder& b, const Node& node) { return global(b, node, kernels::Reduce::max); }}};
}

}  // namespace dws::network::engine
