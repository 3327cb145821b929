// Scalar twins of special.h.
#pragma once

#include <cmath>
#include <cstdint>

namespace dws::kernels::ref {

template <class T>
void exp(int64_t n, const T* x, T* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = std::exp(x[i]);
}
template <class T>
void sigmoid(int64_t n, T alpha, const T* x, T* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = 1 / (1 + std::exp(-alpha * x[i]));
}
template <class T>
void erf(int64_t n, const T* x, T* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = std::erf(x[i]);
}
template <class T>
void gelu_erf(int64_t n, const T* x, T* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * (1 + std::erf(x[i] / std::sqrt(T{2}))) / 2;
}

}  // namespace dws::kernels::ref
