// Sine, cosine and hyperbolic tangent of float arrays.
#pragma once

#include <cstdint>

namespace dws::kernels {

// s[i] = sin(x[i]), c[i] = cos(x[i]), each within 2 ulp for |x| <= 1e4. Farther out the error grows with |x|;
// from about 4e6 the results mean nothing. NaN and infinity give NaN. s or c may be x.
void sincos(int64_t n, const float* x, float* s, float* c) noexcept;

// y[i] = tanh(x[i]) within 2 ulp, everywhere. y may be x.
void tanh(int64_t n, const float* x, float* y) noexcept;

}  // namespace dws::kernels
