#include "kernels/activation.h"

#include <type_traits>

#include "kernels/ref/activation.h"
#include "kernels/table_fields.h"

namespace dws::kernels {

void tanh(int64_t n, const double* x, double* y) noexcept {
  ref::tanh(n, x, y);
}

template <class T>
void tanh_backward(int64_t n, const T* y, const T* dy, T* dx, bool accumulate) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().tanh_backward(n, y, dy, dx, accumulate);
  else
    ref::tanh_backward(n, y, dy, dx, accumulate);
}

template <class T>
void gelu(int64_t n, const T* x, T* y) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().gelu(n, x, y);
  else
    ref::gelu(n, x, y);
}

template <class T>
void gelu_backward(int64_t n, const T* x, const T* dy, T* dx, bool accumulate) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().gelu_backward(n, x, dy, dx, accumulate);
  else
    ref::gelu_backward(n, x, dy, dx, accumulate);
}

#define DWS_INSTANTIATE(T)                                                     \
  template void tanh_backward(int64_t, const T*, const T*, T*, bool) noexcept; \
  template void gelu(int64_t, const T*, T*) noexcept;                          \
  template void gelu_backward(int64_t, const T*, const T*, T*, bool) noexcept;
DWS_INSTANTIATE(float)
DWS_INSTANTIATE(double)
#undef DWS_INSTANTIATE

}  // namespace dws::kernels
