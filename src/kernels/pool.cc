#include "kernels/pool.h"

#include <type_traits>

#include "kernels/ref/pool.h"
#include "kernels/table_fields.h"

namespace dws::kernels {

template <class T>
void max_pool2d(const Pool2d& p, int64_t outer, int64_t inner, const T* x, T* y, int32_t* index) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().max_pool2d(p, outer, inner, x, y, index);
  else
    ref::max_pool2d(p, outer, inner, x, y, index);
}

template <class T>
void max_pool2d_backward(const Pool2d& p, int64_t outer, int64_t inner, const T* dy, const int32_t* index,
                         T* dx, bool accumulate) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().max_pool2d_backward(p, outer, inner, dy, index, dx, accumulate);
  else
    ref::max_pool2d_backward(p, outer, inner, dy, index, dx, accumulate);
}

template <class T>
void mean_pool2d(const Pool2d& p, int64_t outer, int64_t inner, const T* x, T* y) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().mean_pool2d(p, outer, inner, x, y);
  else
    ref::mean_pool2d(p, outer, inner, x, y);
}

template <class T>
void mean_pool2d_backward(const Pool2d& p, int64_t outer, int64_t inner, const T* dy, T* dx,
                          bool accumulate) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().mean_pool2d_backward(p, outer, inner, dy, dx, accumulate);
  else
    ref::mean_pool2d_backward(p, outer, inner, dy, dx, accumulate);
}

#define DWS_INSTANTIATE(T)                                                                         \
  template void max_pool2d(const Pool2d&, int64_t, int64_t, const T*, T*, int32_t*) noexcept;      \
  template void max_pool2d_backward(const Pool2d&, int64_t, int64_t, const T*, const int32_t*, T*, \
                                    bool) noexcept;                                                \
  template void mean_pool2d(const Pool2d&, int64_t, int64_t, const T*, T*) noexcept;               \
  template void mean_pool2d_backward(const Pool2d&, int64_t, int64_t, const T*, T*, bool) noexcept;
DWS_INSTANTIATE(float)
DWS_INSTANTIATE(double)
#undef DWS_INSTANTIATE

}  // namespace dws::kernels
