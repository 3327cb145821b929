// Float bodies of reduce.h, and matrix_update_sums of matmul.h, for one instruction set.
#pragma once

#include "kernels/elementwise_body.h"
#include "kernels/reduce.h"

namespace dws::kernels::DWS_ISA {

DWS_INLINE IVec load_index(const int32_t* p, int64_t n) {
  return n >= kLanes ? load_int(p) : load_int_part(p, static_cast<int>(n));
}
DWS_INLINE void store_index(int32_t* p, IVec v, int64_t n) {
  if (n >= kLanes)
    store_int(p, v);
  else
    store_int_part(p, v, static_cast<int>(n));
}

// Where `value` is larger than `best`, it and `at` take over: the first largest stays, but NaN beats all,
// the last NaN the others.
DWS_INLINE void challenge(Vec value, IVec at, Vec& best, IVec& winner) {
  const IVec larger = (value > best) | (value != value);
  best = select(larger, value, best);
  winner = larger ? at : winner;
}

DWS_INLINE bool beats(float value, float best) {
  return value > best || value != value;
}

// One line of N contiguous elements.
static void reduce_line(int64_t N, Reduce kind, float share, const float* x, float* y,
                        int32_t* index) noexcept {
  if (kind != Reduce::max) {
    Vec total = zero();
    each(N, [&](int64_t n, int64_t lanes) DWS_INLINED { total += load_n(x + n, lanes); });
    *y = sum(total) * share;
    return;
  }
  float best = x[0];
  int32_t winner = 0;
  int64_t n = 1;
  // Each lane keeps its first largest; the smallest index among the largest lanes wins.
  if (N >= 2 * kLanes) {
    Vec bests = load(x);
    IVec winners = iota(), at = iota();
    for (n = kLanes; n + kLanes <= N; n += kLanes) {
      at += kLanes;
      challenge(load(x + n), at, bests, winners);
    }
    best = bests[0];
    winner = winners[0];
    for (int i = 1; i < kLanes; ++i) {
      const bool nan = bests[i] != bests[i], old_nan = best != best, later = winners[i] > winner;
      if (nan ? !old_nan || later : bests[i] > best || (bests[i] == best && !later)) {
        best = bests[i];
        winner = winners[i];
      }
    }
  }
  for (; n < N; ++n)
    if (beats(x[n], best)) {
      best = x[n];
      winner = static_cast<int32_t>(n);
    }
  *y = best;
  if (index) *index = winner;
}

static void reduce(int64_t outer, int64_t N, int64_t inner, Reduce kind, const float* x, float* y,
                   int32_t* index) noexcept {
  const float share = kind == Reduce::mean ? 1.0f / static_cast<float>(N) : 1.0f;
  for (int64_t o = 0; o < outer; ++o, x += N * inner, y += inner) {
    int32_t* line = index ? index + o * inner : nullptr;
    if (inner == 1) {
      reduce_line(N, kind, share, x, y, line);
    } else if (kind == Reduce::max) {
      each(inner, [&](int64_t i, int64_t lanes) DWS_INLINED {
        Vec best = load_n(x + i, lanes);
        IVec winner{}, at{};
        for (int64_t n = 1; n < N; ++n) {
          at += 1;
          challenge(load_n(x + n * inner + i, lanes), at, best, winner);
        }
        store_n(y + i, best, lanes);
        if (line) store_index(line + i, winner, lanes);
      });
    } else {
      each(inner, [&](int64_t i, int64_t lanes) DWS_INLINED {
        Vec total = zero();
        for (int64_t first = 0; first < N; first += 64) {  // blocks: less rounding over many terms
          const int64_t end = N - first < 64 ? N : first + 64;
          Vec block = zero();
          for (int64_t n = first; n < end; ++n) block += load_n(x + n * inner + i, lanes);
          total += block;
        }
        store_n(y + i, total * share, lanes);
      });
    }
  }
}

static void reduce_backward(int64_t outer, int64_t N, int64_t inner, Reduce kind, const float* dy,
                            const int32_t* index, float* dx, bool accumulate) noexcept {
  const float share = kind == Reduce::mean ? 1.0f / static_cast<float>(N) : 1.0f;
  for (int64_t o = 0; o < outer; ++o, dy += inner) {
    const int32_t* line = kind == Reduce::max ? index + o * inner : nullptr;
    if (inner == 1) {
      const IVec winner = broadcast_int(line ? line[0] : 0);
      const Vec g = broadcast(dy[0] * share);
      each(N, [&](int64_t n, int64_t lanes) DWS_INLINED {
        const IVec at = iota() + static_cast<int32_t>(n);
        put_n(dx + n, line ? select(at == winner, g, zero()) : g, lanes, accumulate);
      });
      dx += N;
      continue;
    }
    for (int64_t n = 0; n < N; ++n, dx += inner)
      each(inner, [&](int64_t i, int64_t lanes) DWS_INLINED {
        Vec g = load_n(dy + i, lanes) * share;
        if (line) g = select(load_index(line + i, lanes) == static_cast<int32_t>(n), g, zero());
        put_n(dx + i, g, lanes, accumulate);
      });
  }
}

// Rows and columns of x (R, C, F) for features [f, f + lanes) in one pass: the row in registers, the columns
// in memory.
DWS_INLINE void pool_max_panel(int64_t R, int64_t C, int64_t F, int64_t f, int64_t lanes, const float* x,
                               float* row, float* col, float* all, int32_t* row_index, int32_t* col_index,
                               int32_t* all_index) {
  Vec all_best{};
  IVec all_winner{};
  for (int64_t r = 0; r < R; ++r) {
    Vec best{};
    IVec winner{}, at{};
    const IVec here = broadcast_int(static_cast<int32_t>(r));
    for (int64_t c = 0; c < C; ++c, at += 1) {
      const Vec value = load_n(x + (r * C + c) * F + f, lanes);
      float* column = col + c * F + f;
      int32_t* column_index = col_index + c * F + f;
      if (c == 0)
        best = value;
      else
        challenge(value, at, best, winner);
      if (r == 0) {
        store_n(column, value, lanes);
        store_index(column_index, here, lanes);
      } else {
        Vec column_best = load_n(column, lanes);
        IVec column_winner = load_index(column_index, lanes);
        challenge(value, here, column_best, column_winner);
        store_n(column, column_best, lanes);
        store_index(column_index, column_winner, lanes);
      }
    }
    store_n(row + r * F + f, best, lanes);
    store_index(row_index + r * F + f, winner, lanes);
    const IVec flat = winner + static_cast<int32_t>(r * C);
    if (r == 0) {
      all_best = best;
      all_winner = flat;
    } else {
      challenge(best, flat, all_best, all_winner);
    }
  }
  store_n(all + f, all_best, lanes);
  store_index(all_index + f, all_winner, lanes);
}

// The same for sums: row = sums over c, col = sums over r, += with the flags; all = the sum of both, may be
// null.
DWS_INLINE void pool_sum_panel(int64_t R, int64_t C, int64_t F, int64_t f, int64_t lanes, const float* x,
                               float* row, bool add_row, float* col, bool add_col, float* all) {
  Vec everything = zero();
  for (int64_t r = 0; r < R; ++r) {
    Vec total = zero();
    for (int64_t c = 0; c < C; ++c) {
      const Vec value = load_n(x + (r * C + c) * F + f, lanes);
      total += value;
      put_n(col + c * F + f, value, lanes, add_col || r > 0);
    }
    everything += total;
    put_n(row + r * F + f, total, lanes, add_row);
  }
  if (all) store_n(all + f, everything, lanes);
}

static void matrix_update_sums(int64_t R, int64_t C, int64_t G, const float* dy, float* drow, bool add_row,
                               float* dcol, bool add_col) noexcept {
  if (R == 0 && !add_col) scale(C * G, 0.0f, dcol, dcol, false);
  each(G, [&](int64_t g, int64_t lanes)
              DWS_INLINED { pool_sum_panel(R, C, G, g, lanes, dy, drow, add_row, dcol, add_col, nullptr); });
}

// Fewer features than half a vector: rows, columns and all apart, so that the columns' C * F fill vectors.
static void pool_narrow(int64_t R, int64_t C, int64_t F, Reduce kind, const float* x, float* row, float* col,
                        float* all, int32_t* row_index, int32_t* col_index, int32_t* all_index) noexcept {
  reduce(R, C, F, kind, x, row, row_index);
  reduce(1, R, C * F, kind, x, col, col_index);
  reduce(1, R, F, kind, row, all, all_index);
  if (kind == Reduce::max)
    for (int64_t f = 0; f < F; ++f) {
      const int64_t r = all_index[f];
      all_index[f] = static_cast<int32_t>(r * C) + row_index[r * F + f];
    }
}

static void pool_matrix(int64_t R, int64_t C, int64_t F, Reduce kind, const float* x, float* row, float* col,
                        float* all, int32_t* row_index, int32_t* col_index, int32_t* all_index) noexcept {
  if (2 * F < kLanes) return pool_narrow(R, C, F, kind, x, row, col, all, row_index, col_index, all_index);
  if (kind == Reduce::max)
    each(F, [&](int64_t f, int64_t lanes) DWS_INLINED {
      pool_max_panel(R, C, F, f, lanes, x, row, col, all, row_index, col_index, all_index);
    });
  else
    each(F, [&](int64_t f, int64_t lanes)
                DWS_INLINED { pool_sum_panel(R, C, F, f, lanes, x, row, false, col, false, all); });
  if (kind == Reduce::mean) {
    scale(R * F, 1.0f / static_cast<float>(C), row, row, false);
    scale(C * F, 1.0f / static_cast<float>(R), col, col, false);
    scale(F, 1.0f / (static_cast<float>(R) * static_cast<float>(C)), all, all, false);
  }
}

static void pool_matrix_backward(int64_t R, int64_t C, int64_t F, Reduce kind, const float* drow,
                                 const float* dcol, const float* dall, const int32_t* row_index,
                                 const int32_t* col_index, const int32_t* all_index, float* dx,
                                 bool accumulate) noexcept {
  const bool mean = kind == Reduce::mean, largest = kind == Reduce::max;
  const float row_share = mean ? 1.0f / static_cast<float>(C) : 1.0f;
  const float col_share = mean ? 1.0f / static_cast<float>(R) : 1.0f;
  each(F, [&](int64_t f, int64_t lanes) DWS_INLINED {
    const Vec all = dall ? load_n(dall + f, lanes) * (row_share * col_share) : zero();
    const IVec all_winner = largest && dall ? load_index(all_index + f, lanes) : broadcast_int(-1);
    for (int64_t r = 0; r < R; ++r) {
      const Vec row = drow ? load_n(drow + r * F + f, lanes) * row_share : zero();
      const IVec row_winner = largest && drow ? load_index(row_index + r * F + f, lanes) : broadcast_int(-1);
      const Vec both = row + all;
      for (int64_t c = 0; c < C; ++c) {
        Vec g = both;
        if (largest) {
          g = select(row_winner == static_cast<int32_t>(c), row, zero());
          g += select(all_winner == static_cast<int32_t>(r * C + c), all, zero());
        }
        if (dcol) {
          Vec column = load_n(dcol + c * F + f, lanes) * col_share;
          if (largest) {
            const IVec winner = load_index(col_index + c * F + f, lanes);
            column = select(winner == static_cast<int32_t>(r), column, zero());
          }
          g += column;
        }
        put_n(dx + (r * C + c) * F + f, g, lanes, accumulate);
      }
    }
  });
}

}  // namespace dws::kernels::DWS_ISA
