// Scalar twins of norm.h.
#pragma once

#include <cmath>

#include "kernels/ref/scalar.h"

namespace dws::kernels::ref {

template <class T>
void column_moments(int64_t rows, int64_t C, const T* x, const T* shift, Wide<T>* sum,
                    Wide<T>* sum_sq) noexcept {
  for (int64_t c = 0; c < C; ++c) sum[c] = sum_sq[c] = Wide<T>(0);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c) {
      const Wide<T> d = Wide<T>(x[r * C + c]) - Wide<T>(shift[c]);
      sum[c] += d;
      sum_sq[c] += d * d;
    }
}

template <class T>
void affine(int64_t rows, int64_t C, const T* x, const T* a, const T* b, bool with_relu, T* y) noexcept {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c) {
      const T value = x[r * C + c] * a[c] + b[c];
      y[r * C + c] = with_relu && real_part(value) < 0 ? T(0) : value;
    }
}

template <class T>
void affine_backward_sums(int64_t rows, int64_t C, const T* x, const T* shift, const T* y, const T* dy,
                          Wide<T>* sum_dy, Wide<T>* sum_dy_x) noexcept {
  for (int64_t c = 0; c < C; ++c) sum_dy[c] = sum_dy_x[c] = Wide<T>(0);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c) {
      const int64_t i = r * C + c;
      const Wide<T> g = y && !(real_part(y[i]) > 0) ? Wide<T>(0) : Wide<T>(dy[i]);
      sum_dy[c] += g;
      sum_dy_x[c] += g * (Wide<T>(x[i]) - Wide<T>(shift[c]));
    }
}

template <class T>
void affine_backward(int64_t rows, int64_t C, const T* x, const T* y, const T* dy, const T* p, const T* q,
                     const T* r, T* dx, bool accumulate) noexcept {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t c = 0; c < C; ++c) {
      const int64_t i = row * C + c;
      const T g = y && !(real_part(y[i]) > 0) ? T(0) : dy[i];
      put(dx[i], p[c] * g + q[c] * x[i] + r[c], accumulate);
    }
}

// BatchNorm of x (rows, C), column c in parameter set channel_of[c] of P; gamma, beta, mean, var (P). In
// training mean and var are those of x (biased) and are written, otherwise they are read.
template <class T>
void batch_norm(int64_t rows, int64_t C, int64_t P, const int* channel_of, const T* x, const T* gamma,
                const T* beta, T eps, bool training, T* mean, T* var, T* y) noexcept {
  for (int64_t p = 0; p < P; ++p) {
    Wide<T> sum(0), squares(0);
    int64_t count = 0;
    for (int64_t i = 0; training && i < rows * C; ++i)
      if (channel_of[i % C] == p) {
        sum += Wide<T>(x[i]);
        ++count;
      }
    if (count) mean[p] = T(sum / static_cast<double>(count));
    for (int64_t i = 0; training && i < rows * C; ++i)
      if (channel_of[i % C] == p)
        squares += (Wide<T>(x[i]) - Wide<T>(mean[p])) * (Wide<T>(x[i]) - Wide<T>(mean[p]));
    if (count) var[p] = T(squares / static_cast<double>(count));
  }
  for (int64_t i = 0; i < rows * C; ++i) {
    const int p = channel_of[i % C];
    y[i] = (x[i] - mean[p]) / std::sqrt(var[p] + eps) * gamma[p] + beta[p];
  }
}

template <class T>
void layer_norm(int64_t rows, int64_t C, const T* x, const T* gamma, const T* beta, T eps, T* y, T* mean,
                T* rstd) noexcept {
  for (int64_t r = 0; r < rows; ++r, x += C, y += C) {
    T sum(0), squares(0);
    for (int64_t c = 0; c < C; ++c) sum += x[c];
    mean[r] = C ? sum / from_int<T>(C) : T(0);
    for (int64_t c = 0; c < C; ++c) squares += (x[c] - mean[r]) * (x[c] - mean[r]);
    rstd[r] = T(1) / std::sqrt((C ? squares / from_int<T>(C) : T(0)) + eps);
    for (int64_t c = 0; c < C; ++c) y[c] = (x[c] - mean[r]) * rstd[r] * gamma[c] + beta[c];
  }
}

template <class T>
void layer_norm_backward(int64_t rows, int64_t C, const T* x, const T* gamma, const T* mean, const T* rstd,
                         const T* dy, T* dx, bool accumulate, T* dgamma, T* dbeta) noexcept {
  for (int64_t r = 0; r < rows; ++r, x += C, dy += C, dx += C) {
    T sum(0), dot(0);  // of dy gamma, and of it with the normalised row
    for (int64_t c = 0; c < C; ++c) {
      const T normal = (x[c] - mean[r]) * rstd[r];
      sum += dy[c] * gamma[c];
      dot += dy[c] * gamma[c] * normal;
      if (dgamma) dgamma[c] += dy[c] * normal;
      if (dbeta) dbeta[c] += dy[c];
    }
    for (int64_t c = 0; c < C; ++c) {
      const T normal = (x[c] - mean[r]) * rstd[r];
      put(dx[c], rstd[r] * (dy[c] * gamma[c] - (sum + normal * dot) / from_int<T>(C)), accumulate);
    }
  }
}

}  // namespace dws::kernels::ref
