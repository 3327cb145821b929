// Bodies of siren.h for one instruction set: blocks of points through all layers and back.
#pragma once

#include "kernels/siren_tiles_body.h"

namespace dws::kernels::DWS_ISA {

// As inr_padded; an inline function of a shared header must not be compiled under several instruction sets.
DWS_INLINE int64_t pad(int64_t n) {
  return (n + kInrPad - 1) / kInrPad * kInrPad;
}

// Where everything of one call stands. Offsets into packed parameters are those of the header.
struct InrPlan {
  const InrShape* shape;
  int hidden;                            // hidden layers, L - 1
  int64_t block;                         // points a block
  const float* w[InrShape::kMaxLayers];  // as packed, omega inside for hidden layers
  const float* b[InrShape::kMaxLayers];
  const float* back[InrShape::kMaxLayers];  // hidden i > 0: W_i itself, (d_{i+1}, padded d_i)
  float* h[InrShape::kMaxLayers];           // (block, padded d_{i+1})
  float* dz[InrShape::kMaxLayers];          // slopes, then the gradient of z
  float* dy;                                // (d_L, block)
};

// Copies and scales the weights into scratch and lays out the block's arrays behind them.
static InrPlan make_plan(const InrShape& shape, const float* packed, bool backward, float* scratch) {
  InrPlan plan = {};
  plan.shape = &shape;
  plan.hidden = shape.layers - 1;
  plan.block = inr_block(shape);
  const float omega = shape.activation == InrActivation::sine ? shape.omega : 1.0f;
  float* at = scratch;
  const float* from = packed;
  for (int i = 0; i < plan.hidden; ++i) {
    const int64_t N = pad(shape.dims[i + 1]), size = (shape.dims[i] + 1) * N;
    for (int64_t j = 0; j < size; j += kLanes) store(at + j, omega * load(from + j));
    plan.w[i] = at;
    plan.b[i] = at + shape.dims[i] * N;
    at += size;
    from += size;
  }
  plan.w[plan.hidden] = from;
  plan.b[plan.hidden] = from + shape.dims[plan.hidden + 1] * pad(shape.dims[plan.hidden]);
  for (int i = 1; i < plan.hidden && backward; ++i) {
    const int64_t K = shape.dims[i], ldk = pad(K), N = shape.dims[i + 1], ldn = pad(N);
    for (int64_t n = 0; n < N; ++n) {
      for (int64_t k = 0; k < K; ++k) at[n * ldk + k] = plan.w[i][k * ldn + n];
      for (int64_t k = K; k < ldk; ++k) at[n * ldk + k] = 0;
    }
    plan.back[i] = at;
    at += N * ldk;
  }
  for (int i = 0; i < plan.hidden; ++i) {
    const int64_t size = plan.block * pad(shape.dims[i + 1]);
    plan.h[i] = at;
    plan.dz[i] = at + size;
    at += 2 * size;
  }
  plan.dy = at;
  return plan;
}

// y (d_L rows, `stride` apart) = f at P points.
static void block_forward(const InrPlan& plan, int64_t P, const float* x, float offset, float* y,
                          int64_t stride) {
  const InrShape& shape = *plan.shape;
  const float* in = x;
  int64_t ld = shape.dims[0];
  for (int i = 0; i < plan.hidden; ++i) {
    const int64_t K = shape.dims[i], N = pad(shape.dims[i + 1]);
    switch (shape.activation) {
      case InrActivation::sine:
        hidden_forward<InrActivation::sine>(P, K, N, in, ld, plan.w[i], plan.b[i], plan.h[i], plan.dz[i]);
        break;
      case InrActivation::relu:
        hidden_forward<InrActivation::relu>(P, K, N, in, ld, plan.w[i], plan.b[i], plan.h[i], plan.dz[i]);
        break;
      case InrActivation::tanh:
        hidden_forward<InrActivation::tanh>(P, K, N, in, ld, plan.w[i], plan.b[i], plan.h[i], plan.dz[i]);
        break;
    }
    in = plan.h[i];
    ld = N;
  }
  const int last = plan.hidden;
  for (int64_t o = 0; o < shape.dims[last + 1]; ++o)
    output_forward(P, ld, in, plan.w[last] + o * ld, plan.b[last][o] + offset, y + o * stride);
}

// Adds the block's part of the gradient; plan.dy (d_L, P) holds the gradient of the outputs.
static void block_backward(const InrPlan& plan, int64_t P, const float* x, float* const* dw,
                           float* const* db) {
  const InrShape& shape = *plan.shape;
  const int last = plan.hidden;
  output_backward(P, pad(shape.dims[last]), shape.dims[last + 1], plan.dy, plan.h[last - 1], plan.w[last],
                  dw[last], plan.dz[last - 1]);
  for (int i = last - 1; i >= 0; --i) {
    const int64_t K = shape.dims[i], N = pad(shape.dims[i + 1]);
    hidden_gradient(P, K, N, i > 0 ? plan.h[i - 1] : x, i > 0 ? pad(K) : K, plan.dz[i], dw[i], db[i]);
    if (i > 0) hidden_backward(P, shape.dims[i + 1], pad(K), plan.dz[i], N, plan.back[i], plan.dz[i - 1]);
  }
}

// dy = 2 (y - target) / (points d_L) in place, zero from point `points` on; returns the sum of squares.
static double block_residual(const InrPlan& plan, int64_t P, int64_t first, int64_t points, int64_t stride,
                             const float* target, float* const* db) {
  const int64_t channels = plan.shape->dims[plan.hidden + 1];
  const float factor = 2.0f / (static_cast<float>(points) * static_cast<float>(channels));
  IVec lane;
  for (int l = 0; l < kLanes; ++l) lane[l] = l;
  double squares = 0;
  for (int64_t o = 0; o < channels; ++o) {
    Vec square = zero(), total = zero();
    for (int64_t p = 0; p < P; p += kLanes) {
      Vec e = load(plan.dy + o * P + p) - load(target + o * stride + first + p);
      if (first + p + kLanes > points) e = select(lane < static_cast<int32_t>(points - first - p), e, zero());
      square = fma(e, e, square);
      total += e;
      store(plan.dy + o * P + p, factor * e);
    }
    squares += sum(square);
    if (db) db[plan.hidden][o] += factor * sum(total);
  }
  return squares;
}

static double inr_loss(const InrShape& shape, int64_t points, const float* x, const float* target,
                       float offset, const float* packed, float* gradient, float* scratch) noexcept {
  const InrPlan plan = make_plan(shape, packed, gradient != nullptr, scratch);
  float* dw[InrShape::kMaxLayers];
  float* db[InrShape::kMaxLayers];
  int64_t hidden_size = 0, size = 0;
  for (int i = 0; i < shape.layers && gradient; ++i) {
    const bool last = i == plan.hidden;
    const int64_t rows = shape.dims[last ? i + 1 : i], columns = pad(shape.dims[last ? i : i + 1]);
    if (last) hidden_size = size;
    dw[i] = gradient + size;
    db[i] = dw[i] + rows * columns;
    size += rows * columns + (last ? pad(rows) : columns);
  }
  for (int64_t i = 0; i < size; i += kLanes) store(gradient + i, zero());

  const int64_t stride = pad(points);
  double squares = 0;
  for (int64_t first = 0; first < stride; first += plan.block) {
    const int64_t P = stride - first < plan.block ? stride - first : plan.block;
    const float* in = x + first * shape.dims[0];
    block_forward(plan, P, in, offset, plan.dy, P);
    squares += block_residual(plan, P, first, points, stride, target, gradient ? db : nullptr);
    if (gradient) block_backward(plan, P, in, dw, db);
  }
  if (shape.activation == InrActivation::sine)  // the chain rule's omega, once for all points
    for (int64_t i = 0; i < hidden_size; i += kLanes) store(gradient + i, shape.omega * load(gradient + i));
  return squares / (static_cast<double>(points) * static_cast<double>(shape.dims[shape.layers]));
}

static void inr_forward(const InrShape& shape, int64_t points, const float* x, float offset,
                        const float* packed, float* y, float* scratch) noexcept {
  const InrPlan plan = make_plan(shape, packed, false, scratch);
  const int64_t stride = pad(points);
  for (int64_t first = 0; first < stride; first += plan.block) {
    const int64_t P = stride - first < plan.block ? stride - first : plan.block;
    block_forward(plan, P, x + first * shape.dims[0], offset, y + first, stride);
  }
}

static void adam(int64_t n, const AdamStep& step, const float* __restrict g, float* __restrict w,
                 float* __restrict m, float* __restrict v) noexcept {
  const float rate = step.lr / step.correction1, root = 1.0f / __builtin_sqrtf(step.correction2);
  for (int64_t i = 0; i < n; ++i) {
    const float d = g[i] + step.weight_decay * w[i];
    m[i] = step.beta1 * m[i] + (1.0f - step.beta1) * d;
    v[i] = step.beta2 * v[i] + (1.0f - step.beta2) * d * d;
    w[i] -= rate * m[i] / (__builtin_sqrtf(v[i]) * root + step.eps);
  }
}

}  // namespace dws::kernels::DWS_ISA
