// Float bodies of fused_matrix.h for one instruction set.
#pragma once

#include "kernels/fused_matrix.h"
#include "kernels/matmul_body.h"
#include "kernels/norm_body.h"

namespace dws::kernels::DWS_ISA {

// Floats of one block of positions; two or three blocks and the weights share the first-level cache (half and
// twice as many are slower). A block has one position at least, so buffers hold kMostFusedChannels.
inline constexpr int64_t kFusedBlock = 2048;

// Blocks of a matrix: a few whole rows where rows are short, else pieces of one row.
struct Blocks {
  int64_t rows, cols;
  Blocks(int64_t C, int64_t F) : rows(1), cols(C) {
    const int64_t fit = kFusedBlock / F > 1 ? kFusedBlock / F : 1;
    if (C > fit)
      cols = fit;
    else if (C > 0)
      rows = fit / C;
  }
};

// op(r, c, rows, cols) for every block in row-major order; cols is C unless rows is 1.
template <class Op>
DWS_INLINE void each_block(int64_t R, int64_t C, int64_t F, Op op) {
  const Blocks blocks(C, F);
  for (int64_t r = 0; r < R; r += blocks.rows) {
    const int64_t rows = R - r < blocks.rows ? R - r : blocks.rows;
    for (int64_t c = 0; c < C; c += blocks.cols) op(r, c, rows, C - c < blocks.cols ? C - c : blocks.cols);
  }
}

// What is gathered of y over one block, for channels [g, g + lanes): pools of sign * y, and with `Moments` the sums.
// Two of each running in turn, so that one operation does not wait for the one before it.
template <bool Moments>
DWS_INLINE void fused_gather(const FusedForward<float>& k, int64_t r0, int64_t c0, int64_t rows, int64_t cols,
                             int64_t g, int64_t lanes) {
  const Vec sign = load_n(k.sign + g, lanes), origin = Moments ? load_n(k.origin + g, lanes) : zero();
  Vec sum = zero(), sum_sq[2] = {zero(), zero()};
  for (int64_t r = r0; r < r0 + rows; ++r) {
    const float* y = k.y + (r * k.C + c0) * k.G + g;
    float* column = k.pool_col + c0 * k.G + g;
    float* column_sum = Moments ? k.col_sum + c0 * k.G + g : nullptr;
    Vec best[2], total[2] = {zero(), zero()};
    best[0] = best[1] = (c0 > 0 ? load_n(k.pool_row + r * k.G + g, lanes) : load_n(y, lanes)) * sign;
    const auto step = [&](int which) DWS_INLINED {
      const Vec plain = load_n(y, lanes), value = plain * sign;
      best[which] = max(best[which], value);
      store_n(column, r > 0 ? max(load_n(column, lanes), value) : value, lanes);
      y += k.G;
      column += k.G;
      if constexpr (Moments) {
        const Vec d = plain - origin;
        total[which] += d;
        sum_sq[which] = fma(d, d, sum_sq[which]);
        put_n(column_sum, plain, lanes, r > 0);
        column_sum += k.G;
      }
    };
    int64_t c = 0;
    for (; c + 2 <= cols; c += 2) {
      step(0);
      step(1);
    }
    if (c < cols) step(0);
    const Vec row = max(best[0], best[1]);
    store_n(k.pool_row + r * k.G + g, row * sign, lanes);
    const bool first = r == 0 && c0 == 0;
    store_n(k.pool_all + g, first ? row : max(load_n(k.pool_all + g, lanes), row), lanes);
    if constexpr (Moments) {
      const Vec row_sum = total[0] + total[1];
      sum += row_sum;
      put_n(k.row_sum + r * k.G + g, fma(broadcast(static_cast<float>(cols)), origin, row_sum), lanes, c0 > 0);
    }
  }
  if constexpr (Moments) {
    add_to_doubles(k.sum + g, sum, lanes);
    add_to_doubles(k.sum_sq + g, sum_sq[0] + sum_sq[1], lanes);
  }
}

static void fused_forward(const FusedForward<float>& k) noexcept {
  alignas(64) float buffer[kMostFusedChannels];
  each_block(k.R, k.C, k.F > k.G ? k.F : k.G, [&](int64_t r, int64_t c, int64_t rows, int64_t cols) {
    const int64_t first = r * k.C + c, positions = rows * cols;
    const float* a = k.x + first * k.F;
    float* y = k.y + first * k.G;
    if (k.scale) {
      affine(positions, k.F, a, k.scale, k.shift, true, buffer);
      a = buffer;
    }
    const float* next = k.x + (first + positions) * k.F;
    multiply(positions, k.G, k.F,
             {a, k.F, 1, k.w, k.G, y, k.G, k.row + r * k.row_ld, k.row_ld, k.col + c * k.col_ld, k.col_ld, cols,
              next, next + positions * k.F},
             false);
    each(k.G, [&](int64_t g, int64_t lanes) DWS_INLINED {
      if (k.sum)
        fused_gather<true>(k, r, c, rows, cols, g, lanes);
      else
        fused_gather<false>(k, r, c, rows, cols, g, lanes);
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

// What one block's g needs besides dy w^T (`da`, null for none), for channels [f, f + lanes).
DWS_INLINE void fused_gradient(const FusedBackward<float>& k, int64_t r0, int64_t c0, int64_t rows,
                               int64_t cols, const float* a, const float* da, int64_t f, int64_t lanes,
                               float* row_left, float* all_left) {
  const Vec origin = load_n(k.origin + f, lanes), all = load_n(k.pool_all + f, lanes);
  Vec all_gradient = load_n(all_left + f, lanes), sum = zero(), sum_x = zero();
  a += f;
  if (da) da += f;
  for (int64_t r = r0; r < r0 + rows; ++r) {
    const float* x = k.x + (r * k.C + c0) * k.F + f;
    float* g = k.g + (r * k.C + c0) * k.F + f;
    Vec row = zero(), row_gradient = zero(), row_sum = zero();
    const float* column = k.pool_col + c0 * k.F + f;
    float* column_sum = k.col_sum + c0 * k.F + f;
    float* column_gradient = nullptr;
    if (k.drow) {
      row = load_n(k.pool_row + r * k.F + f, lanes);
      // A row in pieces: its gradient is gone if its maximum was in an earlier piece.
      row_gradient = load_n(c0 > 0 ? row_left + f : k.drow + r * k.drow_ld + f, lanes);
      column_gradient = k.dcol + c0 * k.dcol_ld + f;
    }
    for (int64_t c = 0; c < cols; ++c) {
      const Vec value = load_n(x, lanes);
      Vec total = da ? load_n(da, lanes) : zero();
      if (column_gradient) {
        const IVec at_row = value == row, at_column = value == load_n(column, lanes);
        const Vec gradient = load_n(column_gradient, lanes);
        total += select(at_row, row_gradient, zero());
        total += select(at_column, gradient, zero());
        row_gradient = select(at_row, zero(), row_gradient);
        store_n(column_gradient, select(at_column, zero(), gradient), lanes);
        column += k.F;
        column_gradient += k.dcol_ld;
      }
      const IVec at_all = value == all;
      total += select(at_all, all_gradient, zero());
      all_gradient = select(at_all, zero(), all_gradient);
      total = select(load_n(a, lanes) > 0.0f, total, zero());
      store_n(g, total, lanes);
      put_n(column_sum, total, lanes, r > 0);
      row_sum += total;
      sum_x = fma(total, value - origin, sum_x);
      x += k.F;
      g += k.F;
      a += k.F;
      column_sum += k.F;
      if (da) da += k.F;
    }
    store_n(row_left + f, row_gradient, lanes);
    put_n(k.row_sum + r * k.F + f, row_sum, lanes, c0 > 0);
    sum += row_sum;
  }
  store_n(all_left + f, all_gradient, lanes);
  add_to_doubles(k.sum + f, sum, lanes);
  add_to_doubles(k.sum_x + f, sum_x, lanes);
}

// Of raw numbers only the weights' gradient is wanted: dw += x^T dy, for F = 1 in registers.
static void fused_raw_weights(const FusedBackward<float>& k) noexcept {
  alignas(64) float dy[kMostFusedChannels];
  each_block(k.R, k.C, k.F > k.G ? k.F : k.G, [&](int64_t r, int64_t c, int64_t rows, int64_t cols) {
    const int64_t first = r * k.C + c, positions = rows * cols;
    fused_cotangent(k, first, positions, dy);
    matmul(k.F, k.G, positions, k.x + first * k.F, 1, k.F, dy, k.G, k.dw, k.G, true);
  });
}

static void fused_backward(const FusedBackward<float>& k) noexcept {
  if (!k.scale) return fused_raw_weights(k);
  // What is left of the gradients of the maxima of this row and of the whole.
  alignas(64) float row_left[kMostFusedChannels], all_left[kMostFusedChannels];
  alignas(64) float a[kMostFusedChannels], da[kMostFusedChannels], dy[kMostFusedChannels];
  for (int64_t f = 0; f < k.F; ++f) all_left[f] = k.dall[f];
  each_block(k.R, k.C, k.F > k.G ? k.F : k.G, [&](int64_t r, int64_t c, int64_t rows, int64_t cols) {
    const int64_t first = r * k.C + c, positions = rows * cols;
    affine(positions, k.F, k.x + first * k.F, k.scale, k.shift, true, a);
    if (k.y) {
      fused_cotangent(k, first, positions, dy);
      const int64_t next = first + positions;
      const float *next_x = k.x + next * k.F, *next_y = k.y + next * k.G, *next_gy = k.gy + next * k.G;
      multiply(k.F, k.G, positions,
               {a, 1, k.F, dy, k.G, k.dw, k.G, nullptr, 0, nullptr, 0, 1, next_x, next_x + positions * k.F, next_y},
               true);
      multiply(positions, k.F, k.G,
               {dy, k.G, 1, k.wt, k.F, da, k.F, nullptr, 0, nullptr, 0, 1, next_gy, next_gy + positions * k.G},
               false);
    }
    each(k.F, [&](int64_t f, int64_t lanes) DWS_INLINED {
      fused_gradient(k, r, c, rows, cols, a, k.y ? da : nullptr, f, lanes, row_left, all_left);
    });
  });
}

}  // namespace dws::kernels::DWS_ISA
