// Normalisation kernels, forward and backward. x (rows, C) row-major. T is float or double.
#pragma once

#include <cstdint>

namespace dws::kernels {

// sum[c] and sum_sq[c] = sums over rows of (x - shift[c]) and its square; in double, so that many rows do not
// drift.
template <class T>
void column_moments(int64_t rows, int64_t C, const T* x, const T* shift, double* sum,
                    double* sum_sq) noexcept;
// y = x * a[c] + b[c] (a folded BatchNorm), with ReLU when asked.
template <class T>
void affine(int64_t rows, int64_t C, const T* x, const T* a, const T* b, bool with_relu, T* y) noexcept;
// sum_dy[c] = sum over rows of g, sum_dy_x[c] = sum of g * (x - shift[c]), where g = dy, or dy where y > 0
// when y is given (ReLU behind the affine map).
template <class T>
void affine_backward_sums(int64_t rows, int64_t C, const T* x, const T* shift, const T* y, const T* dy,
                          double* sum_dy, double* sum_dy_x) noexcept;
// dx = p[c] * g + q[c] * x + r[c], g as above: the input gradient of BatchNorm once its sums are known.
template <class T>
void affine_backward(int64_t rows, int64_t C, const T* x, const T* y, const T* dy, const T* p, const T* q,
                     const T* r, T* dx, bool accumulate) noexcept;

// Layer normalisation of each row; mean and rstd (rows) are kept for the backward.
template <class T>
void layer_norm(int64_t rows, int64_t C, const T* x, const T* gamma, const T* beta, T eps, T* y, T* mean,
                T* rstd) noexcept;
// dgamma, dbeta (C) are accumulated and may be null.
template <class T>
void layer_norm_backward(int64_t rows, int64_t C, const T* x, const T* gamma, const T* mean, const T* rstd,
                         const T* dy, T* dx, bool accumulate, T* dgamma, T* dbeta) noexcept;

}  // namespace dws::kernels
