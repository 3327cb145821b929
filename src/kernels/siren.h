// Coordinate networks (implicit neural representations): a small multilayer perceptron from a point to its
// colour,
//   f(x) = W_{L-1} h_{L-1} + b_{L-1} + offset,  h_0 = x,  h_{i+1} = phi(W_i h_i + b_i),
// with phi(z) = sin(omega z) (Sitzmann et al., "Implicit neural representations with periodic activation
// functions", NeurIPS 2020), relu or tanh. Forward and the gradient of the mean squared error in one pass
// over blocks of points small enough for the first-level cache. One network is one call is one core;
// parallelism is over networks.
#pragma once

#include <cstdint>

namespace dws::kernels {

enum class InrActivation { sine, relu, tanh };

// L layers, widths dims[0] (point) .. dims[L] (channels); 2 <= L <= kMaxLayers, so there is at least one
// hidden layer.
struct InrShape {
  static constexpr int kMaxLayers = 16;
  int layers = 0;
  int64_t dims[kMaxLayers + 1] = {};
  InrActivation activation = InrActivation::sine;
  float omega = 30;  // sine only
};

// Row lengths and point counts are padded to this, whatever the instruction set.
inline constexpr int64_t kInrPad = 16;
constexpr int64_t inr_padded(int64_t n) noexcept {
  return (n + kInrPad - 1) / kInrPad * kInrPad;
}

// Packed parameters, gradients and moments: hidden layer i as W_i transposed (d_i, padded d_{i+1}), then b_i
// (padded d_{i+1}); the last layer as W (d_L, padded d_{L-1}), then b (padded d_L). Padding is zero and stays
// exactly zero.
int64_t inr_packed_size(const InrShape& shape) noexcept;
// Natural order: W_0 (d_1, d_0), b_0, W_1, ... row-major. `packed` is overwritten, padding included.
void inr_pack(const InrShape& shape, const float* natural, float* packed) noexcept;
void inr_unpack(const InrShape& shape, const float* packed, float* natural) noexcept;

// Points a block: what a block keeps for its way back (outputs and slopes of all hidden layers) takes at most
// 28 KiB, so that it stays in a first-level cache of 48 KiB together with the weights. A multiple of kInrPad.
int64_t inr_block(const InrShape& shape) noexcept;

// Floats of scratch the two calls below need, for any number of points.
int64_t inr_scratch_size(const InrShape& shape) noexcept;

// Mean over `points` and channels of (f(x) - target)^2, and its gradient (packed, overwritten; null: not
// wanted). x (padded points, d_0), target (d_L, padded points), both readable to the padded end; what stands
// there has no influence on the result as long as it is finite.
double inr_loss(const InrShape& shape, int64_t points, const float* x, const float* target, float offset,
                const float* packed, float* gradient, float* scratch) noexcept;

// y (d_L, padded points) = f(x).
void inr_forward(const InrShape& shape, int64_t points, const float* x, float offset, const float* packed,
                 float* y, float* scratch) noexcept;

// Adam with L2 (Kingma & Ba 2015; weight decay added to the gradient, as PyTorch's Adam): g += weight_decay
// w; m, v running means of g and g^2; w -= lr / correction1 * m / (sqrt(v / correction2) + eps), correction =
// 1 - beta^t.
struct AdamStep {
  float lr, beta1, beta2, eps, weight_decay, correction1, correction2;
};
void adam(int64_t n, const AdamStep& step, const float* g, float* w, float* m, float* v) noexcept;

}  // namespace dws::kernels
