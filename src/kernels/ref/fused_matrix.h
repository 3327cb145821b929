// Scalar twins of fused_matrix.h.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/fused_matrix.h"
#include "kernels/ref/scalar.h"

namespace dws::kernels::ref {

// Where sign * candidate is larger, it takes over; the first largest stays.
template <class T>
void challenge(const T& candidate, const T& sign, T& best, bool first) noexcept {
  if (first || real_part(sign * candidate) > real_part(sign * best)) best = candidate;
}

// a of one position and channel.
template <class T>
T activated(const T* x, const T* scale, const T* shift, int64_t f) noexcept {
  if (!scale) return x[f];
  const T value = scale[f] * x[f] + shift[f];
  return real_part(value) > 0 ? value : T(0);
}

template <class T>
void fused_forward(const FusedForward<T>& k) noexcept {
  std::vector<T> a(static_cast<size_t>(k.F));  // of one position: y may be x
  for (int64_t r = 0; r < k.R; ++r)
    for (int64_t c = 0; c < k.C; ++c) {
      const T* x = k.x + (r * k.C + c) * k.F;
      T* y = k.y + (r * k.C + c) * k.G;
      for (int64_t f = 0; f < k.F; ++f) a[static_cast<size_t>(f)] = activated(x, k.scale, k.shift, f);
      for (int64_t g = 0; g < k.G; ++g) {
        T value = k.row[r * k.row_ld + g] + k.col[c * k.col_ld + g];
        for (int64_t f = 0; f < k.F; ++f) value += a[static_cast<size_t>(f)] * k.w[f * k.G + g];
        y[g] = value;
        challenge(value, k.sign[g], k.pool_row[r * k.G + g], c == 0);
        challenge(value, k.sign[g], k.pool_col[c * k.G + g], r == 0);
        challenge(value, k.sign[g], k.pool_all[g], r == 0 && c == 0);
        if (!k.sum) continue;
        put(k.row_sum[r * k.G + g], value, c > 0);
        put(k.col_sum[c * k.G + g], value, r > 0);
        const double d = real_part(value - k.origin[g]);
        k.sum[g] += d;
        k.sum_sq[g] += d * d;
      }
    }
}

template <class T>
void fused_backward(const FusedBackward<T>& k) noexcept {
  std::vector<T> dy(static_cast<size_t>(k.G));  // of one position: g may be gy
  std::vector<bool> all_found(static_cast<size_t>(k.F)), row_found(all_found);
  for (int64_t r = 0; r < k.R; ++r)
    for (int64_t c = 0; c < k.C; ++c) {
      const int64_t position = r * k.C + c;
      const T* x = k.x + position * k.F;
      for (int64_t j = 0; k.y && j < k.G; ++j) {
        const int64_t at = position * k.G + j;
        dy[static_cast<size_t>(j)] = k.p[j] * k.gy[at] + k.q[j] * k.y[at] + k.r[j];
      }
      if (c == 0) row_found.assign(row_found.size(), false);
      for (int64_t f = 0; f < k.F; ++f) {
        const auto at = static_cast<size_t>(f);
        const T a = activated(x, k.scale, k.shift, f);
        T g = T(0);
        for (int64_t j = 0; k.y && j < k.G; ++j) {
          k.dw[f * k.G + j] += a * dy[static_cast<size_t>(j)];
          if (k.scale) g += dy[static_cast<size_t>(j)] * k.wt[j * k.F + f];
        }
        if (!k.scale) continue;
        if (k.y && x[f] == k.pool_row[r * k.F + f] && !row_found[at]) {
          g += k.drow[r * k.drow_ld + f];
          row_found[at] = true;
        }
        if (k.y && x[f] == k.pool_col[c * k.F + f]) {
          g += k.dcol[c * k.dcol_ld + f];
          k.dcol[c * k.dcol_ld + f] = T(0);
        }
        if (x[f] == k.pool_all[f] && !all_found[at]) {
          g += k.dall[f];
          all_found[at] = true;
        }
        if (!(real_part(a) > 0)) g = T(0);
        k.g[position * k.F + f] = g;
        put(k.row_sum[r * k.F + f], g, c > 0);
        put(k.col_sum[c * k.F + f], g, r > 0);
        k.sum[f] += real_part(g);
        k.sum_x[f] += real_part(g * (x[f] - k.origin[f]));
      }
    }
}

}  // namespace dws::kernels::ref
