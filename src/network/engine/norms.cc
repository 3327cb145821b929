// Normalisation at inference.
#include <algorithm>
#include <cmath>

#include "core/buffer.h"
#include "kernels/elementwise.h"
#include "kernels/norm.h"
#include "network/engine/fold.h"
#include "network/engine/plan.h"
#include "network/engine/strided.h"

namespace dws::network::engine {
namespace {

int64_t product_of(const std::vector<int64_t>& dims, size_t first) {
  int64_t n = 1;
  for (size_t a = first; a < dims.size(); ++a) n *= dims[a];
  return n;
}

bool batch_norm(Builder& b, const Node& node) {
  if (!foldable_norm(b, node)) return false;
  const int x = node.inputs[0];
  const std::vector<int64_t>& dims = b.shape(x).dims;
  const int64_t channels = dims[1], inner = product_of(dims, 2), images = dims[0];
  int y = node.outputs.at(0);
  const Node* next = b.sole_reader(y);
  const bool relu = next && next->op == "Relu" && next->domain.empty();
  if (relu) {
    b.absorb(*next);
    y = next->outputs.at(0);
  }
  const int folded = b.derive(2 * channels, {node.inputs.begin() + 1, node.inputs.end()},
                              [=, norm = &node](const Frame& f, float* to) {
                                fold_norm(f, norm, channels, nullptr, false, to, to + channels);
                              });
  b.step({.reads = {x, folded}, .writes = {y}, .in_place = true, .work = [=](const Frame& f) {
            const float *in = f.in(x), *factor = f.in(folded), *shift = factor + channels;
            float* out = f.out(y);
            if (inner == 1) return kernels::affine(images, channels, in, factor, shift, relu, out);
            for (int64_t p = 0; p < images * channels; ++p, in += inner, out += inner) {
              const float a = factor[p % channels], at = shift[p % channels];
              for (int64_t i = 0; i < inner; ++i) {
                const float v = in[i] * a + at;
                out[i] = relu && v < 0 ? 0.0f : v;
              }
            }
          }});
  return true;
}

// Rows of `size` numbers to mean 0 (where centred) and variance 1, times scale, plus bias; either may be null.
void normalise_rows(int64_t rows, int64_t size, const float* x, bool centred, double epsilon,
                    const float* scale, const float* bias, float* y, float* scratch) {
  if (centred && scale && bias)
    return kernels::layer_norm(rows, size, x, scale, bias, static_cast<float>(epsilon), y, scratch,
                               scratch + rows);
  for (int64_t r = 0; r < rows; ++r, x += size, y += size) {
    double mean = 0, squares = 0;
    if (centred) {
      for (int64_t i = 0; i < size; ++i) mean += static_cast<double>(x[i]);
      mean /= static_cast<double>(size);
    }
    for (int64_t i = 0; i < size; ++i)
      squares += (static_cast<double>(x[i]) - mean) * (static_cast<double>(x[i]) - mean);
    const auto factor = static_cast<float>(1 / std::sqrt(squares / static_cast<double>(size) + epsilon)),
               middle = static_cast<float>(mean);
    for (int64_t i = 0; i < size; ++i)
      y[i] = (x[i] - middle) * factor * (scale ? scale[i] : 1.0f) + (bias ? bias[i] : 0.0f);
  }
}

// Of x, or of the sum of x, skip and `added` (kNone: none), over the axes from `axis` on.
bool layer(Builder& b, const Node& node, int64_t axis, bool centred, int skip, int added, int scale, int bias,
           int sum) {
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  const std::vector<int64_t>& dims = b.shape(x).dims;
  const auto rank = static_cast<int64_t>(dims.size());
  if (axis < 0) axis += rank;
  if (!b.real(x) || axis < 0 || axis >= rank) return false;
  const int64_t size = product_of(dims, static_cast<size_t>(axis));
  std::vector<int> reads = {x};
  for (const int v : {scale, bias, added})
    if (v != kNone) {
      if (b.size(v) != size) return false;
      reads.push_back(v);
    }
  if (size == 0) return false;
  if (skip != kNone) {
    if (b.shape(skip).dims != dims) return false;
    reads.push_back(skip);
  }
  const int64_t rows = b.size(x) / size;
  const double epsilon = node.attr_float("epsilon", 1e-5);
  std::vector<int> writes = {y};
  if (sum != kNone) writes.push_back(sum);
  b.step({.reads = reads,
          .writes = writes,
          .scratch = 2 * rows + (skip != kNone ? rows * size : 0),
          .in_place = skip == kNone,
          .work = [=](const Frame& f) {
            const auto at = [&](int v) { return v == kNone ? nullptr : f.in(v); };
            const float* in = f.in(x);
            if (skip != kNone) {
              float* both = sum != kNone ? f.out(sum) : f.scratch + 2 * rows;
              kernels::add(rows * size, in, f.in(skip), both);
              if (added != kNone) kernels::add_row_vector(rows, size, both, f.in(added), both);
              in = both;
            }
            normalise_rows(rows, size, in, centred, epsilon, at(scale), at(bias), f.out(y), f.scratch);
          }});
  return true;
}
bool layer_norm(Builder& b, const Node& node, bool centred) {
  if (output_of(node, 1) != kNone || output_of(node, 2) != kNone) return false;
  return layer(b, node, node.attr_int("axis", -1), centred, kNone, kNone, input_of(node, 1),
               centred ? input_of(node, 2) : kNone, kNone);
}
bool skip_norm(Builder& b, const Node& node, bool centred) {
  if (output_of(node, 1) != kNone || output_of(node, 2) != kNone) return false;
  return layer(b, node, -1, centred, node.inputs.at(1), input_of(node, centred ? 4 : 3), node.inputs.at(2),
               centred ? input_of(node, 3) : kNone, output_of(node, 3));
}

// Groups of channels of each sample; scale and bias a channel, or of old operator sets a group.
bool group_norm(Builder& b, const Node& node, bool instance) {
  const int x = node.inputs.at(0), scale = node.inputs.at(1), bias = node.inputs.at(2),
            y = node.outputs.at(0);
  const std::vector<int64_t>& dims = b.shape(x).dims;
  if (!b.real(x) || dims.size() < 2) return false;
  const int64_t channels = dims[1], groups = instance ? channels : node.attr_int("num_groups", 1);
  if (groups < 1 || channels % groups || b.size(x) == 0) return false;
  const int64_t inner = product_of(dims, 2), size = channels / groups * inner, given = b.size(scale);
  if ((given != channels && given != groups) || b.size(bias) != given) return false;
  b.step({.reads = {x, scale, bias},
          .writes = {y},
          .in_place = true,
          .work = [=, blocks = dims[0] * groups, epsilon = node.attr_float("epsilon", 1e-5)](const Frame& f) {
            const float *factors = f.in(scale), *shifts = f.in(bias);
            for (int64_t k = 0; k < blocks; ++k) {
              float* out = f.out(y) + k * size;
              normalise_rows(1, size, f.in(x) + k * size, true, epsilon, nullptr, nullptr, out, nullptr);
              for (int64_t c = 0; c < channels / groups; ++c, out += inner) {
                const int64_t at = given == channels ? k % groups * (channels / groups) + c : k % groups;
                for (int64_t i = 0; i < inner; ++i) out[i] = out[i] * factors[at] + shifts[at];
              }
            }
          }});
  return true;
}

// Over neighbouring channels: x / (bias + alpha / size squares)^beta.
bool local_response(Builder& b, const Node& node) {
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  const std::vector<int64_t>& dims = b.shape(x).dims;
  const int64_t channels = dims[1], inner = product_of(dims, 2), size = node.attr_int("size", 1);
  const auto factor = static_cast<float>(node.attr_float("alpha", 1e-4) / static_cast<double>(size)),
             beta = static_cast<float>(node.attr_float("beta", 0.75)),
             bias = static_cast<float>(node.attr_float("bias", 1));
  b.step({.reads = {x},
          .writes = {y},
          .scratch = channels * inner,
          .work = [=, images = dims[0]](const Frame& f) {
            const float* in = f.in(x);
            float *out = f.out(y), *squares = f.scratch;
            for (int64_t n = 0; n < images; ++n, in += channels * inner, out += channels * inner) {
              for (int64_t i = 0; i < channels * inner; ++i) squares[i] = in[i] * in[i];
              for (int64_t c = 0; c < channels; ++c) {
                float* sum = out + c * inner;
                std::fill_n(sum, inner, 0.0f);
                const int64_t first = std::max<int64_t>(0, c - (size - 1) / 2),
                              last = std::min(channels - 1, c + size / 2);
                for (int64_t k = first; k <= last; ++k) kernels::add(inner, sum, squares + k * inner, sum);
                for (int64_t i = 0; i < inner; ++i)
                  sum[i] = in[c * inner + i] / std::pow(bias + factor * sum[i], beta);
              }
            }
          }});
  return true;
}

}  // namespace

std::vector<PlannerRow> norm_planners() {
  const Planner rms = [](Builder& b, const Node& node) { return layer_norm(b, node, false); };
  return {
      {"BatchNormalization", batch_norm},
      {"LayerNormalization", [](Builder& b, const Node& node) { return layer_norm(b, node, true); }},
      {"RMSNormalization", rms},
      {"SimplifiedLayerNormalization", rms},
      {"SimplifiedLayerNormalization", rms, "com.microsoft"},
      {"SkipLayerNormalization", [](Builder& b, const Node& node) { return skip_norm(b, node, true); },
       "com.microsoft"},
      {"SkipSimplifiedLayerNormalization",
       [](Builder& b, const Node& node) { return skip_norm(b, node, false); }, "com.microsoft"},
      {"InstanceNormalization", [](Builder& b, const Node& node) { return group_norm(b, node, true); }},
      {"GroupNormalization", [](Builder& b, const Node& node) { return group_norm(b, node, false); }},
      {"LRN", local_response},
  };
}

}  // namespace dws::network::engine
