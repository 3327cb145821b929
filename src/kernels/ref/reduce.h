// Scalar twins of reduce.h.
#pragma once

#include "kernels/reduce.h"
#include "kernels/ref/scalar.h"

namespace dws::kernels::ref {

template <class T>
void reduce(int64_t outer, int64_t N, int64_t inner, Reduce kind, const T* x, T* y, int32_t* index) noexcept {
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      const T* column = x + o * N * inner + i;
      T best = column[0];
      Wide<T> sum = column[0];
      int32_t winner = 0;
      for (int64_t n = 1; n < N; ++n) {
        const T value = column[n * inner];
        sum += value;
        if (real_part(value) > real_part(best) || real_part(value) != real_part(value)) {
          best = value;
          winner = static_cast<int32_t>(n);
        }
      }
      const int64_t at = o * inner + i;
      y[at] = kind == Reduce::max ? best : kind == Reduce::sum ? T(sum) : T(sum / static_cast<double>(N));
      if (kind == Reduce::max && index) index[at] = winner;
    }
}

template <class T>
void reduce_backward(int64_t outer, int64_t N, int64_t inner, Reduce kind, const T* dy, const int32_t* index,
                     T* dx, bool accumulate) noexcept {
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t n = 0; n < N; ++n)
      for (int64_t i = 0; i < inner; ++i) {
        const int64_t at = o * inner + i;
        T g = dy[at];
        if (kind == Reduce::mean) g /= from_int<T>(N);
        if (kind == Reduce::max && index[at] != n) g = T(0);
        put(dx[(o * N + n) * inner + i], g, accumulate);
      }
}

template <class T>
void pool_matrix(int64_t R, int64_t C, int64_t F, Reduce kind, const T* x, T* row, T* col, T* all,
                 int32_t* row_index, int32_t* col_index, int32_t* all_index) noexcept {
  ref::reduce(R, C, F, kind, x, row, row_index);
  ref::reduce(int64_t{1}, R, C * F, kind, x, col, col_index);
  ref::reduce(int64_t{1}, R * C, F, kind, x, all, all_index);
}

template <class T>
void pool_matrix_backward(int64_t R, int64_t C, int64_t F, Reduce kind, const T* drow, const T* dcol,
                          const T* dall, const int32_t* row_index, const int32_t* col_index,
                          const int32_t* all_index, T* dx, bool accumulate) noexcept {
  for (int64_t i = 0; !accumulate && i < R * C * F; ++i) dx[i] = T(0);
  if (drow) ref::reduce_backward(R, C, F, kind, drow, row_index, dx, true);
  if (dcol) ref::reduce_backward(int64_t{1}, R, C * F, kind, dcol, col_index, dx, true);
  if (dall) ref::reduce_backward(int64_t{1}, R * C, F, kind, dall, all_index, dx, true);
}

}  // namespace dws::kernels::ref
