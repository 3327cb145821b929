#include "kernels/optimizer.h"

#include <type_traits>

#include "kernels/ref/optimizer.h"
#include "kernels/table_fields.h"

namespace dws::kernels {

template <class T>
void adamw(int64_t n, const AdamwStep& step, T grad_scale, const T* g, T* w, T* m, T* v, T* vmax) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().adamw(n, step, grad_scale, g, w, m, v, vmax);
  else
    ref::adamw(n, step, grad_scale, g, w, m, v, vmax);
}
template void adamw(int64_t, const AdamwStep&, float, const float*, float*, float*, float*, float*) noexcept;
template void adamw(int64_t, const AdamwStep&, double, const double*, double*, double*, double*,
                    double*) noexcept;

template <class T>
double sum_squares(int64_t n, const T* x) noexcept {
  if constexpr (std::is_same_v<T, float>)
    return table().sum_squares(n, x);
  else
    return ref::sum_squares(n, x);
}
template double sum_squares(int64_t, const float*) noexcept;
template double sum_squares(int64_t, const double*) noexcept;

}  // namespace dws::kernels
