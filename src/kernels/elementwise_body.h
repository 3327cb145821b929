// Float bodies of elementwise.h for one instruction set.
#pragma once

#include "kernels/simd.h"

namespace dws::kernels::DWS_ISA {

// A lambda that must melt into its loop.
#define DWS_INLINED __attribute__((always_inline))

// op(i, lanes) for the elements [i, i + lanes) of n: lanes is kLanes, a constant there, or what is left at
// the end.
template <class Op>
DWS_INLINE void each(int64_t n, Op op) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) op(i, int64_t{kLanes});
  if (i < n) op(i, n - i);
}

// The same in groups of at most Most vectors (4 or 2) or 1, for loops over rows inside that read along lines:
// op(i, lanes, count) with `count` a constant type; only a group of one has fewer lanes than kLanes.
template <int N>
struct Count {
  static constexpr int value = N;
};
template <int Most, class Op>
DWS_INLINE void each_group(int64_t n, Op op) {
  int64_t i = 0;
  if constexpr (Most == 4)
    for (; i + 4 * kLanes <= n; i += 4 * kLanes) op(i, int64_t{kLanes}, Count<4>());
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) op(i, int64_t{kLanes}, Count<2>());
  for (; i + kLanes <= n; i += kLanes) op(i, int64_t{kLanes}, Count<1>());
  if (i < n) op(i, n - i, Count<1>());
}

DWS_INLINE Vec load_n(const float* p, int64_t n) {
  return n >= kLanes ? load(p) : load_part(p, static_cast<int>(n));
}
DWS_INLINE void store_n(float* p, Vec v, int64_t n) {
  if (n >= kLanes)
    store(p, v);
  else
    store_part(p, v, static_cast<int>(n));
}
DWS_INLINE void put_n(float* p, Vec v, int64_t n, bool accumulate) {
  store_n(p, accumulate ? load_n(p, n) + v : v, n);
}

static void add(int64_t n, const float* a, const float* b, float* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes)
              DWS_INLINED { store_n(y + i, load_n(a + i, lanes) + load_n(b + i, lanes), lanes); });
}

static void scale(int64_t n, float factor, const float* a, float* y, bool accumulate) noexcept {
  each(n, [&](int64_t i, int64_t lanes)
              DWS_INLINED { put_n(y + i, factor * load_n(a + i, lanes), lanes, accumulate); });
}

static void relu(int64_t n, const float* a, float* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes)
              DWS_INLINED { store_n(y + i, max(zero(), load_n(a + i, lanes)), lanes); });
}

static void relu_backward(int64_t n, const float* y, const float* dy, float* dx, bool accumulate) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    put_n(dx + i, select(load_n(y + i, lanes) > 0.0f, load_n(dy + i, lanes), zero()), lanes, accumulate);
  });
}

static void add_row_vector(int64_t rows, int64_t C, const float* x, const float* v, float* y) noexcept {
  for (int64_t r = 0; r < rows; ++r, x += C, y += C) add(C, x, v, y);
}

// Sums of 64 rows in registers, then added in double: exact enough whatever the number of rows.
static void column_sums(int64_t rows, int64_t C, const float* x, float* v, bool accumulate) noexcept {
  constexpr int64_t kColumns = 16 * kLanes;
  for (int64_t c = 0; c < C; c += kColumns) {
    const int64_t width = C - c < kColumns ? C - c : kColumns;
    double total[kColumns] = {};
    for (int64_t first = 0; first < rows; first += 64) {
      const int64_t end = rows - first < 64 ? rows : first + 64;
      each(width, [&](int64_t i, int64_t lanes) DWS_INLINED {
        Vec s = zero();
        for (int64_t r = first; r < end; ++r) s += load_n(x + r * C + c + i, lanes);
        for (int j = 0; j < kLanes; ++j) total[i + j] += static_cast<double>(s[j]);
      });
    }
    for (int64_t j = 0; j < width; ++j) {
      const float sum = static_cast<float>(total[j]);
      v[c + j] = accumulate ? v[c + j] + sum : sum;
    }
  }
}

// exp(x) for x <= 0, to about 2 units in the last place; 0 below -87, NaN for NaN.
DWS_INLINE Vec exp_negative(Vec x) {
  const Vec clamped = max(broadcast(-87.0f), x);
  // Truncation towards 0 rounds to nearest: x is negative.
  const IVec n = to_int(clamped * 1.44269504f - 0.5f);
  const Vec k = to_float(n);
  // ln 2 in two parts, so that the remainder keeps its bits.
  const Vec r = fma(k, broadcast(2.12194440e-4f), fma(k, broadcast(-0.693359375f), clamped));
  Vec p = broadcast(1.0f / 5040);
  p = fma(p, r, broadcast(1.0f / 720));
  p = fma(p, r, broadcast(1.0f / 120));
  p = fma(p, r, broadcast(1.0f / 24));
  p = fma(p, r, broadcast(1.0f / 6));
  p = fma(p, r, broadcast(0.5f));
  p = fma(p * r, r, r) + 1.0f;
  return select(x < -87.0f, zero(), p * as_float((n + 127) << 23));
}

static void softmax(int64_t rows, int64_t C, const float* x, float* y) noexcept {
  for (int64_t r = 0; r < rows; ++r, x += C, y += C) {
    float largest = C > 0 ? x[0] : 0;
    for (int64_t c = 1; c < C; ++c) largest = x[c] > largest ? x[c] : largest;
    Vec total = zero();
    each(C, [&](int64_t i, int64_t lanes) DWS_INLINED {
      const Vec e = exp_negative(load_n(x + i, lanes) - largest);
      total += select(iota() < static_cast<int32_t>(lanes), e, zero());
      store_n(y + i, e, lanes);
    });
    scale(C, 1.0f / sum(total), y, y, false);
  }
}

static void softmax_backward(int64_t rows, int64_t C, const float* y, const float* dy, float* dx,
                             bool accumulate) noexcept {
  for (int64_t r = 0; r < rows; ++r, y += C, dy += C, dx += C) {
    Vec total = zero();
    each(C, [&](int64_t i, int64_t lanes)
                DWS_INLINED { total = fma(load_n(y + i, lanes), load_n(dy + i, lanes), total); });
    const float dot = sum(total);
    each(C, [&](int64_t i, int64_t lanes) DWS_INLINED {
      put_n(dx + i, load_n(y + i, lanes) * (load_n(dy + i, lanes) - dot), lanes, accumulate);
    });
  }
}

}  // namespace dws::kernels::DWS_ISA
