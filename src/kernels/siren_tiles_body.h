// The products inside a coordinate network, each with what follows it fused to the registers it leaves. A
// tile is kRows points by up to two vectors of features: its sums never leave the registers.
#pragma once

#include "kernels/simd.h"
#include "kernels/sincos_body.h"
#include "kernels/siren.h"

namespace dws::kernels::DWS_ISA {

// Sixteen sums hide the latency of two fused multiply-adds a cycle where there are 32 registers, eight where
// there are 16.
static constexpr int kRows = kLanes == 16 ? 8 : 4;

// h = phi(z) and its slope phi'(z). For sine both take z with omega inside: the slope lacks a factor omega.
template <InrActivation kind>
DWS_INLINE void activate(Vec z, Vec& h, Vec& slope) {
  if constexpr (kind == InrActivation::sine) {
    sincos_of(z, h, slope);
  } else if constexpr (kind == InrActivation::relu) {
    h = max(zero(), z);  // NaN stays NaN
    slope = select(z > 0.0f, broadcast(1.0f), zero());
  } else {
    h = tanh_of(z);
    slope = 1.0f - h * h;
  }
}

// sum (kRows, V vectors) += in (kRows, K; row stride ld) w (K, .; row stride ldw).
template <int V>
DWS_INLINE void multiply(int64_t K, const float* in, int64_t ld, const float* w, int64_t ldw,
                         Vec (&sum)[kRows][V]) {
  for (int64_t k = 0; k < K; ++k) {
    Vec row[V];
    for (int v = 0; v < V; ++v) row[v] = load(w + k * ldw + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vec a = broadcast(in[r * ld + k]);
      for (int v = 0; v < V; ++v) sum[r][v] = fma(a, row[v], sum[r][v]);
    }
  }
}

// h, slope (P, N) = phi(in (P, K; row stride ld) w (K, N) + b (N)), V vectors of columns from `n` on.
template <InrActivation kind, int V>
DWS_INLINE void hidden_columns(int64_t P, int64_t K, int64_t N, int64_t n, const float* in, int64_t ld,
                               const float* w, const float* b, float* h, float* slope) {
  for (int64_t p = 0; p < P; p += kRows) {
    Vec sum[kRows][V];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < V; ++v) sum[r][v] = load(b + n + v * kLanes);
    multiply<V>(K, in + p * ld, ld, w + n, N, sum);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < V; ++v) {
        const int64_t at = (p + r) * N + n + v * kLanes;
        Vec value, derivative;
        activate<kind>(sum[r][v], value, derivative);
        store(h + at, value);
        store(slope + at, derivative);
      }
  }
}

template <InrActivation kind>
static void hidden_forward(int64_t P, int64_t K, int64_t N, const float* in, int64_t ld, const float* w,
                           const float* b, float* h, float* slope) noexcept {
  int64_t n = 0;
  for (; n + 2 * kLanes <= N; n += 2 * kLanes) hidden_columns<kind, 2>(P, K, N, n, in, ld, w, b, h, slope);
  if (n < N) hidden_columns<kind, 1>(P, K, N, n, in, ld, w, b, h, slope);
}

// dz (P, N), holding the slopes, *= upstream (P, K; row stride ld) w (K, N).
template <int V>
DWS_INLINE void backward_columns(int64_t P, int64_t K, int64_t N, int64_t n, const float* upstream,
                                 int64_t ld, const float* w, float* dz) {
  for (int64_t p = 0; p < P; p += kRows) {
    Vec sum[kRows][V] = {};
    multiply<V>(K, upstream + p * ld, ld, w + n, N, sum);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < V; ++v) {
        float* at = dz + (p + r) * N + n + v * kLanes;
        store(at, sum[r][v] * load(at));
      }
  }
}

static void hidden_backward(int64_t P, int64_t K, int64_t N, const float* upstream, int64_t ld,
                            const float* w, float* dz) noexcept {
  int64_t n = 0;
  for (; n + 2 * kLanes <= N; n += 2 * kLanes) backward_columns<2>(P, K, N, n, upstream, ld, w, dz);
  if (n < N) backward_columns<1>(P, K, N, n, upstream, ld, w, dz);
}

// dw (R rows, N) += in (P, R; row stride ld)^T dz (P, N); with kBias also db (N) += column sums of dz.
template <int R, int V, bool kBias>
DWS_INLINE void gradient_tile(int64_t P, int64_t N, int64_t n, const float* in, int64_t ld, const float* dz,
                              float* dw, float* db) {
  Vec sum[R][V], total[V];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v] = load(dw + r * N + n + v * kLanes);
  for (int v = 0; v < V; ++v) total[v] = kBias ? load(db + n + v * kLanes) : zero();
  for (int64_t p = 0; p < P; ++p) {
    Vec row[V];
    for (int v = 0; v < V; ++v) row[v] = load(dz + p * N + n + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec a = broadcast(in[p * ld + r]);
      for (int v = 0; v < V; ++v) sum[r][v] = fma(a, row[v], sum[r][v]);
    }
    if (kBias)
      for (int v = 0; v < V; ++v) total[v] += row[v];
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) store(dw + r * N + n + v * kLanes, sum[r][v]);
  if (kBias)
    for (int v = 0; v < V; ++v) store(db + n + v * kLanes, total[v]);
}

// The rows that are left (1 .. kRows), by a tile of just that height.
template <int V, bool kBias, int R = kRows>
static void gradient_rows(int rows, int64_t P, int64_t N, int64_t n, const float* in, int64_t ld,
                          const float* dz, float* dw, float* db) noexcept {
  if (rows == R) return gradient_tile<R, V, kBias>(P, N, n, in, ld, dz, dw, db);
  if constexpr (R > 1) gradient_rows<V, kBias, R - 1>(rows, P, N, n, in, ld, dz, dw, db);
}

template <int V>
DWS_INLINE void gradient_columns(int64_t P, int64_t K, int64_t N, int64_t n, const float* in, int64_t ld,
                                 const float* dz, float* dw, float* db) {
  for (int64_t k = 0; k < K; k += kRows) {
    const int rows = static_cast<int>(K - k < kRows ? K - k : kRows);
    if (k == 0)
      gradient_rows<V, true>(rows, P, N, n, in, ld, dz, dw, db);
    else
      gradient_rows<V, false>(rows, P, N, n, in + k, ld, dz, dw + k * N, db);
  }
}

// dw (K, N) += in (P, K; row stride ld)^T dz (P, N); db (N) += column sums of dz.
static void hidden_gradient(int64_t P, int64_t K, int64_t N, const float* in, int64_t ld, const float* dz,
                            float* dw, float* db) noexcept {
  int64_t n = 0;
  for (; n + 2 * kLanes <= N; n += 2 * kLanes) gradient_columns<2>(P, K, N, n, in, ld, dz, dw, db);
  if (n < N) gradient_columns<1>(P, K, N, n, in, ld, dz, dw, db);
}

// Lane l of a block of 2H lanes: H lanes of x and H of y, so that blend + cross adds the halves of each.
template <int H>
constexpr int blend_lane(int l) {
  return l % (2 * H) < H ? l : kLanes + l;
}
template <int H>
constexpr int cross_lane(int l) {
  return l % (2 * H) < H ? l + H : kLanes + l - H;
}
#if DWS_LANES == 16
#define DWS_EACH_LANE(f) \
  f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), f(12), f(13), f(14), f(15)
#elif DWS_LANES == 8
#define DWS_EACH_LANE(f) f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)
#else
#define DWS_EACH_LANE(f) f(0), f(1), f(2), f(3)
#endif

// t[0] becomes the vector whose lane i is the sum of t[i]: a tree of halves, without one horizontal sum.
template <int H = kLanes / 2>
DWS_INLINE void sum_each(Vec (&t)[kLanes]) {
#pragma GCC unroll 8
  for (int i = 0; i < H; ++i) {
    const Vec x = t[i], y = t[i + H];
    t[i] = __builtin_shufflevector(x, y, DWS_EACH_LANE(blend_lane<H>)) +
           __builtin_shufflevector(x, y, DWS_EACH_LANE(cross_lane<H>));
  }
  if constexpr (H > 1) sum_each<H / 2>(t);
}

// y (P) = h (P, N) w (N) + constant.
static void output_forward(int64_t P, int64_t N, const float* h, const float* w, float constant,
                           float* y) noexcept {
  for (int64_t p = 0; p < P; p += kLanes) {
    Vec t[kLanes] = {};
    for (int64_t n = 0; n < N; n += kLanes) {
      const Vec weight = load(w + n);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) t[i] = fma(load(h + (p + i) * N + n), weight, t[i]);
    }
    sum_each(t);
    store(y + p, t[0] + constant);
  }
}

// dw (d, N) += dy (d, P) h (P, N), and dz (P, N), holding the slopes, *= dy^T w (d, N).
static void output_backward(int64_t P, int64_t N, int64_t d, const float* dy, const float* h, const float* w,
                            float* dw, float* dz) noexcept {
  for (int64_t n = 0; n < N; n += kLanes) {
    for (int64_t o = 0; o < d; ++o) {
      Vec sum[4] = {};  // P is a multiple of 16: four sums side by side hide the latency
      for (int64_t p = 0; p < P; p += 4)
        for (int i = 0; i < 4; ++i)
          sum[i] = fma(broadcast(dy[o * P + p + i]), load(h + (p + i) * N + n), sum[i]);
      store(dw + o * N + n, load(dw + o * N + n) + ((sum[0] + sum[1]) + (sum[2] + sum[3])));
    }
    for (int64_t p = 0; p < P; ++p) {
      Vec up = zero();
      for (int64_t o = 0; o < d; ++o) up = fma(broadcast(dy[o * P + p]), load(w + o * N + n), up);
      store(dz + p * N + n, up * load(dz + p * N + n));
    }
  }
}

}  // namespace dws::kernels::DWS_ISA
