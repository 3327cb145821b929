#include "kernels/reduce.h"

#include <type_traits>

#include "kernels/ref/reduce.h"
#include "kernels/table_fields.h"

namespace dws::kernels {

template <class T>
void reduce(int64_t outer, int64_t N, int64_t inner, Reduce kind, const T* x, T* y, int32_t* index) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().reduce(outer, N, inner, kind, x, y, index);
  else
    ref::reduce(outer, N, inner, kind, x, y, index);
}
template void reduce(int64_t, int64_t, int64_t, Reduce, const float*, float*, int32_t*) noexcept;
template void reduce(int64_t, int64_t, int64_t, Reduce, const double*, double*, int32_t*) noexcept;

template <class T>
void reduce_backward(int64_t outer, int64_t N, int64_t inner, Reduce kind, const T* dy, const int32_t* index,
                     T* dx, bool accumulate) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().reduce_backward(outer, N, inner, kind, dy, index, dx, accumulate);
  else
    ref::reduce_backward(outer, N, inner, kind, dy, index, dx, accumulate);
}
template void reduce_backward(int64_t, int64_t, int64_t, Reduce, const float*, const int32_t*, float*,
                              bool) noexcept;
template void reduce_backward(int64_t, int64_t, int64_t, Reduce, const double*, const int32_t*, double*,
                              bool) noexcept;

template <class T>
void pool_matrix(int64_t R, int64_t C, int64_t F, Reduce kind, const T* x, T* row, T* col, T* all,
                 int32_t* row_index, int32_t* col_index, int32_t* all_index) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().pool_matrix(R, C, F, kind, x, row, col, all, row_index, col_index, all_index);
  else
    ref::pool_matrix(R, C, F, kind, x, row, col, all, row_index, col_index, all_index);
}
template void pool_matrix(int64_t, int64_t, int64_t, Reduce, const float*, float*, float*, float*, int32_t*,
                          int32_t*, int32_t*) noexcept;
template void pool_matrix(int64_t, int64_t, int64_t, Reduce, const double*, double*, double*, double*,
                          int32_t*, int32_t*, int32_t*) noexcept;

template <class T>
void pool_matrix_backward(int64_t R, int64_t C, int64_t F, Reduce kind, const T* drow, const T* dcol,
                          const T* dall, const int32_t* row_index, const int32_t* col_index,
                          const int32_t* all_index, T* dx, bool accumulate) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().pool_matrix_backward(R, C, F, kind, drow, dcol, dall, row_index, col_index, all_index, dx,
                                 accumulate);
  else
    ref::pool_matrix_backward(R, C, F, kind, drow, dcol, dall, row_index, col_index, all_index, dx,
                              accumulate);
}
template void pool_matrix_backward(int64_t, int64_t, int64_t, Reduce, const float*, const float*,
                                   const float*, const int32_t*, const int32_t*, const int32_t*, float*,
                                   bool) noexcept;
template void pool_matrix_backward(int64_t, int64_t, int64_t, Reduce, const double*, const double*,
                                   const double*, const int32_t*, const int32_t*, const int32_t*, double*,
                                   bool) noexcept;

}  // namespace dws::kernels
