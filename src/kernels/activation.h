// Smooth activations, forward and backward; relu is in elementwise.h. n elements; in and out may be the same array.
// T is float or double.
#pragma once

#include <cstdint>

#include "kernels/sincos.h"

namespace dws::kernels {

// kernels/sincos.h has the one for float.
void tanh(int64_t n, const double* x, double* y) noexcept;
// dx (+)= dy (1 - y^2); y is the output of tanh.
template <class T>
void tanh_backward(int64_t n, const T* y, const T* dy, T* dx, bool accumulate) noexcept;

// GELU in its tanh form (Hendrycks & Gimpel 2016): x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
template <class T>
void gelu(int64_t n, const T* x, T* y) noexcept;
// From the input x.
template <class T>
void gelu_backward(int64_t n, const T* x, const T* dy, T* dx, bool accumulate) noexcept;

}  // namespace dws::kernels
