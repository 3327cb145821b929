#include "kernels/norm.h"

#include <type_traits>

#include "kernels/ref/norm.h"
#include "kernels/table_fields.h"

namespace dws::kernels {

template <class T>
void column_moments(int64_t rows, int64_t C, const T* x, const T* shift, double* sum,
                    double* sum_sq) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().column_moments(rows, C, x, shift, sum, sum_sq);
  else
    ref::column_moments(rows, C, x, shift, sum, sum_sq);
}
template void column_moments(int64_t, int64_t, const float*, const float*, double*, double*) noexcept;
template void column_moments(int64_t, int64_t, const double*, const double*, double*, double*) noexcept;

template <class T>
void affine(int64_t rows, int64_t C, const T* x, const T* a, const T* b, bool with_relu, T* y) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().affine(rows, C, x, a, b, with_relu, y);
  else
    ref::affine(rows, C, x, a, b, with_relu, y);
}
template void affine(int64_t, int64_t, const float*, const float*, const float*, bool, float*) noexcept;
template void affine(int64_t, int64_t, const double*, const double*, const double*, bool, double*) noexcept;

template <class T>
void affine_backward_sums(int64_t rows, int64_t C, const T* x, const T* shift, const T* y, const T* dy,
                          double* sum_dy, double* sum_dy_x) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().affine_backward_sums(rows, C, x, shift, y, dy, sum_dy, sum_dy_x);
  else
    ref::affine_backward_sums(rows, C, x, shift, y, dy, sum_dy, sum_dy_x);
}
template void affine_backward_sums(int64_t, int64_t, const float*, const float*, const float*, const float*,
                                   double*, double*) noexcept;
template void affine_backward_sums(int64_t, int64_t, const double*, const double*, const double*,
                                   const double*, double*, double*) noexcept;

template <class T>
void affine_backward(int64_t rows, int64_t C, const T* x, const T* y, const T* dy, const T* p, const T* q,
                     const T* r, T* dx, bool accumulate) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().affine_backward(rows, C, x, y, dy, p, q, r, dx, accumulate);
  else
    ref::affine_backward(rows, C, x, y, dy, p, q, r, dx, accumulate);
}
template void affine_backward(int64_t, int64_t, const float*, const float*, const float*, const float*,
                              const float*, const float*, float*, bool) noexcept;
template void affine_backward(int64_t, int64_t, const double*, const double*, const double*, const double*,
                              const double*, const double*, double*, bool) noexcept;

template <class T>
void layer_norm(int64_t rows, int64_t C, const T* x, const T* gamma, const T* beta, T eps, T* y, T* mean,
                T* rstd) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().layer_norm(rows, C, x, gamma, beta, eps, y, mean, rstd);
  else
    ref::layer_norm(rows, C, x, gamma, beta, eps, y, mean, rstd);
}
template void layer_norm(int64_t, int64_t, const float*, const float*, const float*, float, float*, float*,
                         float*) noexcept;
template void layer_norm(int64_t, int64_t, const double*, const double*, const double*, double, double*,
                         double*, double*) noexcept;

template <class T>
void layer_norm_backward(int64_t rows, int64_t C, const T* x, const T* gamma, const T* mean, const T* rstd,
                         const T* dy, T* dx, bool accumulate, T* dgamma, T* dbeta) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().layer_norm_backward(rows, C, x, gamma, mean, rstd, dy, dx, accumulate, dgamma, dbeta);
  else
    ref::layer_norm_backward(rows, C, x, gamma, mean, rstd, dy, dx, accumulate, dgamma, dbeta);
}
template void layer_norm_backward(int64_t, int64_t, const float*, const float*, const float*, const float*,
                                  const float*, float*, bool, float*, float*) noexcept;
template void layer_norm_backward(int64_t, int64_t, const double*, const double*, const double*,
                                  const double*, const double*, double*, bool, double*, double*) noexcept;

}  // namespace dws::kernels
