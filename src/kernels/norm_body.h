// Float bodies of norm.h for one instruction set.
#pragma once

#include "kernels/elementwise_body.h"

namespace dws::kernels::DWS_ISA {

inline constexpr int64_t kRowsPerBlock = 64;  // summed in float, then folded into double

DWS_INLINE void add_to_doubles(double* total, Vec v, int64_t lanes) {
  for (int64_t j = 0; j < lanes; ++j) total[j] += static_cast<double>(v[j]);
}

// Two sums a column, added to what is there: terms(at, c, lanes, s0, s1) adds the terms of the elements at
// x[at...], column c on.
// Four pairs of sums at a time, of four vectors of columns or of fewer and as many rows, so that an addition
// does not wait for the one before it.
template <class Terms>
DWS_INLINE void add_column_pairs(int64_t rows, int64_t C, double* sum0, double* sum1, Terms terms) {
  for (int64_t first = 0; first < rows; first += kRowsPerBlock) {
    const int64_t end = rows - first < kRowsPerBlock ? rows : first + kRowsPerBlock;
    each_group<4>(C, [&](int64_t c, int64_t lanes, auto count) DWS_INLINED {
      constexpr int kVectors = decltype(count)::value, kTurns = 4 / kVectors;
      Vec s0[kTurns][kVectors] = {}, s1[kTurns][kVectors] = {};
      const auto row = [&](int64_t r, int turn) DWS_INLINED {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v)
          terms(r * C + c + v * kLanes, c + v * kLanes, lanes, s0[turn][v], s1[turn][v]);
      };
      int64_t r = first;
      for (; r + kTurns <= end; r += kTurns) {
#pragma GCC unroll 4
        for (int turn = 0; turn < kTurns; ++turn) row(r + turn, turn);
      }
      for (; r < end; ++r) row(r, 0);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        Vec t0 = s0[0][v], t1 = s1[0][v];
        for (int turn = 1; turn < kTurns; ++turn) t0 += s0[turn][v], t1 += s1[turn][v];
        add_to_doubles(sum0 + c + v * kLanes, t0, lanes);
        add_to_doubles(sum1 + c + v * kLanes, t1, lanes);
      }
    });
  }
}

DWS_INLINE void clear_pairs(int64_t C, double* sum0, double* sum1) {
  for (int64_t c = 0; c < C; ++c) sum0[c] = sum1[c] = 0;
}

static void add_column_moments(int64_t rows, int64_t C, const float* x, const float* shift, double* sum,
                               double* sum_sq) noexcept {
  add_column_pairs(rows, C, sum, sum_sq,
                   [&](int64_t at, int64_t c, int64_t lanes, Vec& s0, Vec& s1) DWS_INLINED {
                     const Vec d = load_n(x + at, lanes) - load_n(shift + c, lanes);
                     s0 += d;
                     s1 = fma(d, d, s1);
                   });
}

static void column_moments(int64_t rows, int64_t C, const float* x, const float* shift, double* sum,
                           double* sum_sq) noexcept {
  clear_pairs(C, sum, sum_sq);
  add_column_moments(rows, C, x, shift, sum, sum_sq);
}

DWS_INLINE Vec masked_gradient(const float* y, const float* dy, int64_t at, int64_t lanes) {
  const Vec g = load_n(dy + at, lanes);
  return y ? select(load_n(y + at, lanes) > 0.0f, g, zero()) : g;
}

static void affine_backward_sums(int64_t rows, int64_t C, const float* x, const float* shift, const float* y,
                                 const float* dy, double* sum_dy, double* sum_dy_x) noexcept {
  clear_pairs(C, sum_dy, sum_dy_x);
  add_column_pairs(rows, C, sum_dy, sum_dy_x,
                   [&](int64_t at, int64_t c, int64_t lanes, Vec& s0, Vec& s1) DWS_INLINED {
                     const Vec g = masked_gradient(y, dy, at, lanes);
                     s0 += g;
                     s1 = fma(g, load_n(x + at, lanes) - load_n(shift + c, lanes), s1);
                   });
}

static void affine(int64_t rows, int64_t C, const float* x, const float* a, const float* b, bool with_relu,
                   float* y) noexcept {
  each_group<4>(C, [&](int64_t c, int64_t lanes, auto count) DWS_INLINED {
    constexpr int kVectors = decltype(count)::value;
    Vec va[kVectors], vb[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v)
      va[v] = load_n(a + c + v * kLanes, lanes), vb[v] = load_n(b + c + v * kLanes, lanes);
    for (int64_t r = 0; r < rows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const int64_t at = r * C + c + v * kLanes;
        const Vec value = fma(load_n(x + at, lanes), va[v], vb[v]);
        store_n(y + at, with_relu ? max(zero(), value) : value, lanes);
      }
    }
  });
}

static void affine_backward(int64_t rows, int64_t C, const float* x, const float* y, const float* dy,
                            const float* p, const float* q, const float* r, float* dx,
                            bool accumulate) noexcept {
  each_group<4>(C, [&](int64_t c, int64_t lanes, auto count) DWS_INLINED {
    constexpr int kVectors = decltype(count)::value;
    Vec vp[kVectors], vq[kVectors], vr[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const int64_t at = c + v * kLanes;
      vp[v] = load_n(p + at, lanes), vq[v] = load_n(q + at, lanes), vr[v] = load_n(r + at, lanes);
    }
    for (int64_t row = 0; row < rows; ++row) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const int64_t at = row * C + c + v * kLanes;
        const Vec g = masked_gradient(y, dy, at, lanes);
        put_n(dx + at, fma(vp[v], g, fma(vq[v], load_n(x + at, lanes), vr[v])), lanes, accumulate);
      }
    }
  });
}

static void layer_norm(int64_t rows, int64_t C, const float* x, const float* gamma, const float* beta,
                       float eps, float* y, float* mean, float* rstd) noexcept {
  const float share = C > 0 ? 1.0f / static_cast<float>(C) : 0.0f;
  for (int64_t r = 0; r < rows; ++r, x += C, y += C) {
    Vec total = zero(), squares = zero();
    each(C, [&](int64_t c, int64_t lanes) DWS_INLINED { total += load_n(x + c, lanes); });
    const float centre = sum(total) * share;
    each(C, [&](int64_t c, int64_t lanes) DWS_INLINED {
      const Vec d = select(iota() < static_cast<int32_t>(lanes), load_n(x + c, lanes) - centre, zero());
      squares = fma(d, d, squares);
    });
    const float inverse = 1.0f / __builtin_sqrtf(sum(squares) * share + eps);
    mean[r] = centre;
    rstd[r] = inverse;
    each(C, [&](int64_t c, int64_t lanes) DWS_INLINED {
      store_n(
          y + c,
          fma((load_n(x + c, lanes) - centre) * inverse, load_n(gamma + c, lanes), load_n(beta + c, lanes)),
          lanes);
    });
  }
}

static void layer_norm_backward(int64_t rows, int64_t C, const float* x, const float* gamma,
                                const float* mean, const float* rstd, const float* dy, float* dx,
                                bool accumulate, float* dgamma, float* dbeta) noexcept {
  const float share = C > 0 ? 1.0f / static_cast<float>(C) : 0.0f;
  for (int64_t first = 0; first < rows; first += kRowsPerBlock) {
    const int64_t end = rows - first < kRowsPerBlock ? rows : first + kRowsPerBlock;
    // The parameters' gradients: a block of rows in registers, while it is in cache. They come before dx,
    // which may be dy.
    if (dgamma || dbeta)
      each(C, [&](int64_t c, int64_t lanes) DWS_INLINED {
        Vec scale_sum = zero(), shift_sum = zero();
        for (int64_t r = first; r < end; ++r) {
          const Vec g = load_n(dy + r * C + c, lanes);
          scale_sum = fma(g, (load_n(x + r * C + c, lanes) - mean[r]) * rstd[r], scale_sum);
          shift_sum += g;
        }
        if (dgamma) put_n(dgamma + c, scale_sum, lanes, true);
        if (dbeta) put_n(dbeta + c, shift_sum, lanes, true);
      });
    for (int64_t r = first; r < end; ++r) {
      const float *px = x + r * C, *pdy = dy + r * C;
      Vec total = zero(), dots = zero();
      each(C, [&](int64_t c, int64_t lanes) DWS_INLINED {
        const Vec g = load_n(pdy + c, lanes) * load_n(gamma + c, lanes);
        total += g;
        dots = fma(g, (load_n(px + c, lanes) - mean[r]) * rstd[r], dots);
      });
      const float mean_g = sum(total) * share, mean_dot = sum(dots) * share;
      each(C, [&](int64_t c, int64_t lanes) DWS_INLINED {
        const Vec normal = (load_n(px + c, lanes) - mean[r]) * rstd[r];
        const Vec g = load_n(pdy + c, lanes) * load_n(gamma + c, lanes);
        put_n(dx + r * C + c, rstd[r] * (g - mean_g - normal * mean_dot), lanes, accumulate);
      });
    }
  }
}

}  // namespace dws::kernels::DWS_ISA
