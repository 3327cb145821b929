// Scalar twins of activation.h.
#pragma once

#include <cmath>

#include "kernels/ref/scalar.h"

namespace dws::kernels::ref {

template <class T>
void tanh(int64_t n, const T* x, T* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = std::tanh(x[i]);
}
template <class T>
void tanh_backward(int64_t n, const T* y, const T* dy, T* dx, bool accumulate) noexcept {
  for (int64_t i = 0; i < n; ++i) put(dx[i], dy[i] * (T(1) - y[i] * y[i]), accumulate);
}

inline constexpr double kGeluSlope = 0.79788456080286535588;  // sqrt(2 / pi)
inline constexpr double kGeluCube = 0.044715;

template <class T>
void gelu(int64_t n, const T* x, T* y) noexcept {
  for (int64_t i = 0; i < n; ++i)
    y[i] = T(0.5) * x[i] * (T(1) + std::tanh(T(kGeluSlope) * (x[i] + T(kGeluCube) * x[i] * x[i] * x[i])));
}
template <class T>
void gelu_backward(int64_t n, const T* x, const T* dy, T* dx, bool accumulate) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    const T square = x[i] * x[i];
    const T t = std::tanh(T(kGeluSlope) * x[i] * (T(1) + T(kGeluCube) * square));
    const T slope = T(kGeluSlope) * (T(1) + T(3 * kGeluCube) * square);
    put(dx[i], dy[i] * T(0.5) * (T(1) + t + x[i] * (T(1) - t * t) * slope), accumulate);
  }
}

}  // namespace dws::kernels::ref
