#include "kernels/elementwise.h"

#include <type_traits>

#include "kernels/ref/elementwise.h"
#include "kernels/table_fields.h"

namespace dws::kernels {

template <class T>
void add(int64_t n, const T* a, const T* b, T* y) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().add(n, a, b, y);
  else
    ref::add(n, a, b, y);
}
template void add(int64_t, const float*, const float*, float*) noexcept;
template void add(int64_t, const double*, const double*, double*) noexcept;

template <class T>
void scale(int64_t n, T factor, const T* a, T* y, bool accumulate) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().scale(n, factor, a, y, accumulate);
  else
    ref::scale(n, factor, a, y, accumulate);
}
template void scale(int64_t, float, const float*, float*, bool) noexcept;
template void scale(int64_t, double, const double*, double*, bool) noexcept;

template <class T>
void relu(int64_t n, const T* a, T* y) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().relu(n, a, y);
  else
    ref::relu(n, a, y);
}
template void relu(int64_t, const float*, float*) noexcept;
template void relu(int64_t, const double*, double*) noexcept;

template <class T>
void relu_backward(int64_t n, const T* y, const T* dy, T* dx, bool accumulate) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().relu_backward(n, y, dy, dx, accumulate);
  else
    ref::relu_backward(n, y, dy, dx, accumulate);
}
template void relu_backward(int64_t, const float*, const float*, float*, bool) noexcept;
template void relu_backward(int64_t, const double*, const double*, double*, bool) noexcept;

template <class T>
void dropout(int64_t n, double p, uint64_t seed, uint64_t stream, const T* a, T* y,
             bool accumulate) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().dropout(n, p, seed, stream, a, y, accumulate);
  else
    ref::dropout(n, p, seed, stream, a, y, accumulate);
}
template void dropout(int64_t, double, uint64_t, uint64_t, const float*, float*, bool) noexcept;
template void dropout(int64_t, double, uint64_t, uint64_t, const double*, double*, bool) noexcept;

template <class T>
void add_row_vector(int64_t rows, int64_t C, const T* x, const T* v, T* y) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().add_row_vector(rows, C, x, v, y);
  else
    ref::add_row_vector(rows, C, x, v, y);
}
template void add_row_vector(int64_t, int64_t, const float*, const float*, float*) noexcept;
template void add_row_vector(int64_t, int64_t, const double*, const double*, double*) noexcept;

template <class T>
void column_sums(int64_t rows, int64_t C, const T* x, T* v, bool accumulate) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().column_sums(rows, C, x, v, accumulate);
  else
    ref::column_sums(rows, C, x, v, accumulate);
}
template void column_sums(int64_t, int64_t, const float*, float*, bool) noexcept;
template void column_sums(int64_t, int64_t, const double*, double*, bool) noexcept;

template <class T>
void softmax(int64_t rows, int64_t C, const T* x, T* y) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().softmax(rows, C, x, y);
  else
    ref::softmax(rows, C, x, y);
}
template void softmax(int64_t, int64_t, const float*, float*) noexcept;
template void softmax(int64_t, int64_t, const double*, double*) noexcept;

template <class T>
void softmax_backward(int64_t rows, int64_t C, const T* y, const T* dy, T* dx, bool accumulate) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().softmax_backward(rows, C, y, dy, dx, accumulate);
  else
    ref::softmax_backward(rows, C, y, dy, dx, accumulate);
}
template void softmax_backward(int64_t, int64_t, const float*, const float*, float*, bool) noexcept;
template void softmax_backward(int64_t, int64_t, const double*, const double*, double*, bool) noexcept;

}  // namespace dws::kernels
