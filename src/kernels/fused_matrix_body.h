// Float bodies of fused_matrix.h for one instruction set.
#pragma once

#include "kernels/fused_matrix.h"
#include "kernels/matmul_body.h"
#include "kernels/norm_body.h"

namespace dws::kernels::DWS_ISA {

// Floats of one block of positions: those of the forward and the weights share the first-level cache, those of the
// backward, which has more of them, do so at half the size. But no fewer positions than make good tiles, and no more
// than a buffer holds, which is one at least.
inline constexpr int64_t kForwardBlock = 2048, kBackwardBlock = 1024, kFewestPositions = 32;

// op(r, c, rows, cols) for every block of a matrix in row-major order: a few whole rows where rows are short (cols is
// C), else a piece of one row.
template <class Op>
DWS_INLINE void each_block(int64_t R, int64_t C, int64_t width, int64_t floats, Op op) {
  int64_t fit = floats / width > kFewestPositions ? floats / width : kFewestPositions;
  if (fit > kMostFusedChannels / width) fit = kMostFusedChannels / width;
  const int64_t block_rows = C > 0 && C < fit ? fit / C : 1, block_cols = C < fit ? C : fit;
  for (int64_t r = 0; r < R; r += block_rows) {
    const int64_t rows = R - r < block_rows ? R - r : block_rows;
    for (int64_t c = 0; c < C; c += block_cols) op(r, c, rows, C - c < block_cols ? C - c : block_cols);
  }
}

// NV vectors of channels [f, ...), the last (or only) one of `lanes`.
template <int NV>
struct Group {
  Vec v[NV];
};
template <int NV>
DWS_INLINE Group<NV> load_group(const float* p, int64_t lanes) {
  Group<NV> group;
#pragma GCC unroll 2
  for (int j = 0; j < NV; ++j) group.v[j] = load_n(p + j * kLanes, lanes);
  return group;
}

// What is gathered of y over one block, for NV vectors of channels: pools of sign * y, and with Moments the sums.
template <bool Moments, int NV>
DWS_INLINE void fused_gather(const FusedForward<float>& k, int64_t r0, int64_t c0, int64_t rows, int64_t cols,
                             int64_t g, int64_t lanes) {
  const int64_t G = k.G;
  const Group<NV> sign = load_group<NV>(k.sign + g, lanes);
  const Group<NV> origin = Moments ? load_group<NV>(k.origin + g, lanes) : Group<NV>{};
  Group<NV> sum{}, sum_sq{};
  for (int64_t r = r0; r < r0 + rows; ++r) {
    const float* y = k.y + (r * k.C + c0) * G + g;
    float* column = k.pool_col + c0 * G + g;
    float* column_sum = Moments ? k.col_sum + c0 * G + g : nullptr;
    Group<NV> best = load_group<NV>(c0 > 0 ? k.pool_row + r * G + g : y, lanes), total{};
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) best.v[j] *= sign.v[j];
    for (int64_t c = 0; c < cols; ++c, y += G, column += G) {
#pragma GCC unroll 2
      for (int j = 0; j < NV; ++j) {
        const int at = j * kLanes;
        const Vec plain = load_n(y + at, lanes), value = plain * sign.v[j];
        best.v[j] = max(best.v[j], value);
        store_n(column + at, r > 0 ? max(load_n(column + at, lanes), value) : value, lanes);
        if constexpr (Moments) {
          const Vec d = plain - origin.v[j];
          total.v[j] += d;
          sum_sq.v[j] = fma(d, d, sum_sq.v[j]);
          put_n(column_sum + c * G + at, plain, lanes, r > 0);
        }
      }
    }
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) {
      const int64_t at = g + j * kLanes;
      store_n(k.pool_row + r * G + at, best.v[j] * sign.v[j], lanes);
      const bool first = r == 0 && c0 == 0;
      store_n(k.pool_all + at, first ? best.v[j] : max(load_n(k.pool_all + at, lanes), best.v[j]), lanes);
      if constexpr (Moments) {
        sum.v[j] += total.v[j];
        const Vec row_sum = fma(broadcast(static_cast<float>(cols)), origin.v[j], total.v[j]);
        put_n(k.row_sum + r * G + at, row_sum, lanes, c0 > 0);
      }
    }
  }
#pragma GCC unroll 2
  for (int j = 0; Moments && j < NV; ++j) {
    add_to_doubles(k.sum + g + j * kLanes, sum.v[j], lanes);
    add_to_doubles(k.sum_sq + g + j * kLanes, sum_sq.v[j], lanes);
  }
}

struct FloatProducts {
  void multiply(int64_t M, int64_t N, int64_t K, const Product& p, bool accumulate) {
    DWS_ISA::multiply(M, N, K, p, accumulate);
  }
};

// Products: what multiplies, as FloatProducts does.
template <class Products>
static void fused_forward_by(Products products, const FusedForward<float>& k) noexcept {
  alignas(64) float buffer[kMostFusedChannels];
  each_block(k.R, k.C, k.F > k.G ? k.F : k.G, kForwardBlock,
             [&](int64_t r, int64_t c, int64_t rows, int64_t cols) {
               const int64_t first = r * k.C + c, positions = rows * cols;
               const float* a = k.x + first * k.F;
               float* y = k.y + first * k.G;
               if (k.scale) {
                 affine(positions, k.F, a, k.scale, k.shift, true, buffer);
                 a = buffer;
               }
               const float* next = k.x + (first + positions) * k.F;
               products.multiply(positions, k.G, k.F,
                                 {a, k.F, false, k.w, k.G, y, k.G, k.row + r * k.row_ld, k.row_ld,
                                  k.col + c * k.col_ld, k.col_ld, cols, next, next + positions * k.F},
                                 false);
               each_group<2>(k.G, [&](int64_t g, int64_t lanes, auto count) DWS_INLINED {
                 if (k.sum)
                   fused_gather<true, decltype(count)::value>(k, r, c, rows, cols, g, lanes);
                 else
                   fused_gather<false, decltype(count)::value>(k, r, c, rows, cols, g, lanes);
               });
             });
  // While columns and the whole are gathered they are sign * y.
  const auto undo = [&](float* pool) DWS_INLINED {
    each(k.G, [&](int64_t g, int64_t lanes) DWS_INLINED {
      store_n(pool + g, load_n(pool + g, lanes) * load_n(k.sign + g, lanes), lanes);
    });
  };
  if (k.R > 0 && k.C > 0) undo(k.pool_all);
  for (int64_t c = 0; k.R > 0 && c < k.C; ++c) undo(k.pool_col + c * k.G);
}

// dy = p gy + q y + r for positions [first, first + positions).
DWS_INLINE void fused_cotangent(const FusedBackward<float>& k, int64_t first, int64_t positions, float* dy) {
  affine_backward(positions, k.G, k.y + first * k.G, nullptr, k.gy + first * k.G, k.p, k.q, k.r, dy, false);
}

// g of one block for NV vectors of channels: dy w^T (`da`), with Pooled the maxima of rows and columns, and that of
// the whole. The whole's first maximum is the first maximum of the first row that reaches it, so its gradient joins
// that row's.
template <bool Pooled, int NV>
DWS_INLINE void fused_gradient(const FusedBackward<float>& k, int64_t r0, int64_t c0, int64_t rows,
                               int64_t cols, const float* da, int64_t f, int64_t lanes, float* row_left,
                               float* all_left) {
  const int64_t F = k.F, dcol_ld = k.dcol_ld;
  const Group<NV> origin = load_group<NV>(k.origin + f, lanes), all = load_group<NV>(k.pool_all + f, lanes),
                  scale = load_group<NV>(k.scale + f, lanes), shift = load_group<NV>(k.shift + f, lanes);
  Group<NV> all_gradient = load_group<NV>(all_left + f, lanes), sum{}, sum_x{};
  for (int64_t r = r0; r < r0 + rows; ++r) {
    const float *x = k.x + (r * k.C + c0) * F + f, *column = k.pool_col + c0 * F + f;
    const float* block = da + (r - r0) * cols * F + f;
    float *g = k.g + (r * k.C + c0) * F + f, *column_sum = k.col_sum + c0 * F + f;
    float* column_gradient = Pooled ? k.dcol + c0 * dcol_ld + f : nullptr;
    const Group<NV> row = load_group<NV>(k.pool_row + r * F + f, lanes);
    Group<NV> row_gradient, row_sum{};
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) {
      if (c0 > 0) {  // a row in pieces: gone if its maximum was in an earlier one
        row_gradient.v[j] = load_n(row_left + f + j * kLanes, lanes);
        continue;
      }
      const IVec here = row.v[j] == all.v[j];
      row_gradient.v[j] = select(here, all_gradient.v[j], zero());
      all_gradient.v[j] = select(here, zero(), all_gradient.v[j]);
      if (Pooled) row_gradient.v[j] += load_n(k.drow + r * k.drow_ld + f + j * kLanes, lanes);
    }
    for (int64_t c = 0; c < cols; ++c, x += F, g += F, block += F, column += F, column_sum += F) {
#pragma GCC unroll 2
      for (int j = 0; j < NV; ++j) {
        const int at = j * kLanes;
        const Vec value = load_n(x + at, lanes);
        const IVec at_row = value == row.v[j];
        Vec total = Pooled ? load_n(block + at, lanes) : zero();
        total = select(at_row, total + row_gradient.v[j], total);
        row_gradient.v[j] = select(at_row, zero(), row_gradient.v[j]);
        if constexpr (Pooled) {
          const IVec at_column = value == load_n(column + at, lanes);
          float* left = column_gradient + c * dcol_ld + at;
          const Vec gradient = load_n(left, lanes);
          total = select(at_column, total + gradient, total);
          store_n(left, select(at_column, zero(), gradient), lanes);
        }
        total = select(fma(value, scale.v[j], shift.v[j]) > 0.0f, total, zero());
        store_n(g + at, total, lanes);
        put_n(column_sum + at, total, lanes, r > 0);
        row_sum.v[j] += total;
        sum_x.v[j] = fma(total, value - origin.v[j], sum_x.v[j]);
      }
    }
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) {
      store_n(row_left + f + j * kLanes, row_gradient.v[j], lanes);
      put_n(k.row_sum + r * F + f + j * kLanes, row_sum.v[j], lanes, c0 > 0);
      sum.v[j] += row_sum.v[j];
    }
  }
#pragma GCC unroll 2
  for (int j = 0; j < NV; ++j) {
    store_n(all_left + f + j * kLanes, all_gradient.v[j], lanes);
    add_to_doubles(k.sum + f + j * kLanes, sum.v[j], lanes);
    add_to_doubles(k.sum_x + f + j * kLanes, sum_x.v[j], lanes);
  }
}

// Of raw numbers only the weights' gradient is wanted: dw += x^T dy, for F = 1 in registers.
static void fused_raw_weights(const FusedBackward<float>& k) noexcept {
  alignas(64) float dy[kMostFusedChannels];
  each_block(k.R, k.C, k.F > k.G ? k.F : k.G, kBackwardBlock,
             [&](int64_t r, int64_t c, int64_t rows, int64_t cols) {
               const int64_t first = r * k.C + c, positions = rows * cols;
               fused_cotangent(k, first, positions, dy);
               matmul(k.F, k.G, positions, k.x + first * k.F, 1, k.F, dy, k.G, k.dw, k.G, true);
             });
}

template <class Products>
static void fused_backward_by(Products products, const FusedBackward<float>& k) noexcept {
  if (!k.scale) return fused_raw_weights(k);
  // What is left of the gradients of the maxima of this row and of the whole.
  alignas(64) float row_left[kMostFusedChannels], all_left[kMostFusedChannels];
  alignas(64) float a[kMostFusedChannels], dy[kMostFusedChannels];
  for (int64_t f = 0; f < k.F; ++f) all_left[f] = k.dall[f];
  each_block(
      k.R, k.C, k.F > k.G ? k.F : k.G, kBackwardBlock, [&](int64_t r, int64_t c, int64_t rows, int64_t cols) {
        const int64_t first = r * k.C + c, positions = rows * cols, next = first + positions;
        if (k.y) {
          fused_cotangent(k, first, positions, dy);
          affine(positions, k.F, k.x + first * k.F, k.scale, k.shift, true, a);
          const float *next_x = k.x + next * k.F, *next_gy = k.gy + next * k.G;
          products.multiply(
              k.F, k.G, positions,
              {a, k.F, true, dy, k.G, k.dw, k.G, nullptr, 0, nullptr, 0, 1, next_x, next_x + positions * k.F},
              true);
          // a has been used: dy w^T takes its place.
          products.multiply(positions, k.F, k.G,
                            {dy, k.G, false, k.wt, k.F, a, k.F, nullptr, 0, nullptr, 0, 1, next_gy,
                             next_gy + positions * k.G},
                            false);
        }
        each_group<2>(k.F, [&](int64_t f, int64_t lanes, auto count) DWS_INLINED {
          if (k.y)
            fused_gradient<true, decltype(count)::value>(k, r, c, rows, cols, a, f, lanes, row_left,
                                                         all_left);
          else
            fused_gradient<false, decltype(count)::value>(k, r, c, rows, cols, a, f, lanes, row_left,
                                                          all_left);
        });
      });
}

static void fused_forward(const FusedForward<float>& k) noexcept {
  fused_forward_by(FloatProducts(), k);
}
static void fused_backward(const FusedBackward<float>& k) noexcept {
  fused_backward_by(FloatProducts(), k);
}

}  // namespace dws::kernels::DWS_ISA
