// Exponentials and the error function of float arrays. n elements; y may be x.
#pragma once

#include <cstdint>

namespace dws::kernels {

// y = e^x, to about 2 units in the last place; 0 below -87, infinity above 87, NaN for NaN.
void exp(int64_t n, const float* x, float* y) noexcept;
// y = 1 / (1 + e^(-alpha x)).
void sigmoid(int64_t n, float alpha, const float* x, float* y) noexcept;
// y = erf(x) within 3e-7 (Abramowitz & Stegun 7.1.26).
void erf(int64_t n, const float* x, float* y) noexcept;
// y = x (1 + erf(x / sqrt 2)) / 2: GELU as it is defined (Hendrycks & Gimpel 2016).
void gelu_erf(int64_t n, const float* x, float* y) noexcept;

}  // namespace dws::kernels
