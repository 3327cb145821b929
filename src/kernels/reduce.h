// Reductions over axes, forward and backward. Max keeps the index of the first largest element for its
// backward. NaN beats every number (the last NaN the others), so that a run that has diverged is seen. T is
// float or double.
#pragma once

#include <cstdint>

namespace dws::kernels {

enum class Reduce { max, mean, sum };

// y[o, i] = reduction over n of x[o, n, i]: x (outer, N, inner), y (outer, inner); `index` (outer, inner)
// receives the winning n for max and may be null otherwise. N > 0.
template <class T>
void reduce(int64_t outer, int64_t N, int64_t inner, Reduce kind, const T* x, T* y, int32_t* index) noexcept;
template <class T>
void reduce_backward(int64_t outer, int64_t N, int64_t inner, Reduce kind, const T* dy, const int32_t* index,
                     T* dx, bool accumulate) noexcept;

// One pass over one network's matrix x (R, C, F): row (R, F) over C, col (C, F) over R, all (F) over both;
// for max row_index holds c, col_index holds r, all_index holds r * C + c (first largest in row-major order).
// R, C > 0.
template <class T>
void pool_matrix(int64_t R, int64_t C, int64_t F, Reduce kind, const T* x, T* row, T* col, T* all,
                 int32_t* row_index, int32_t* col_index, int32_t* all_index) noexcept;
// drow, dcol, dall may be null.
template <class T>
void pool_matrix_backward(int64_t R, int64_t C, int64_t F, Reduce kind, const T* drow, const T* dcol,
                          const T* dall, const int32_t* row_index, const int32_t* col_index,
                          const int32_t* all_index, T* dx, bool accumulate) noexcept;

}  // namespace dws::kernels
