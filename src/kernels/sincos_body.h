// Bodies of sincos.h for one instruction set, and the same functions of one vector for other bodies.
#pragma once

#include "kernels/simd.h"

namespace dws::kernels::DWS_ISA {

// x - n * pi/2 for whole |n| < 2^13. The leading parts of pi/2 are short enough for exact differences (Cody
// and Waite 1980), so only the last two steps round; a float near a multiple of pi/2 keeps its relative
// accuracy.
DWS_INLINE Vec minus_half_pis(Vec x, Vec n) {
#if defined(__FMA__)
  Vec r = fma(n, broadcast(-0x1.921fb6p+0f), x);
  r = fma(n, broadcast(0x1.777a5cp-25f), r);
  return fma(n, broadcast(0x1.ee59dap-50f), r);
#else
  // Without a fused step the products must be exact too: parts of 11 bits. The third
  // difference may round: what it lost goes into the tail.
  Vec r = x - n * broadcast(0x1.92p+0f);
  r = r - n * broadcast(0x1.fb4p-12f);
  const Vec p = n * broadcast(0x1.444p-24f);
  const Vec q = r - p;
  const Vec lost = (r - q) - p;
  return q + (lost - (n * broadcast(0x1.68cp-39f) + n * broadcast(0x1.1a6264p-54f)));
#endif
}

// s = sin(x), c = cos(x). Reduction to [-pi/4, pi/4] and polynomials of degree 7 and 8 (minimax for the
// relative error of sine and the error of cosine); odd quadrants swap the two.
DWS_INLINE void sincos_of(Vec x, Vec& s, Vec& c) {
  const Vec magic = broadcast(0x1.8p+23f);  // adding it rounds to a whole number, held in the low bits
  const Vec t = fma(x, broadcast(0x1.45f306p-1f), magic);
  const IVec quadrant = as_int(t);
  const Vec r = minus_half_pis(x, t - magic);
  const Vec z = r * r;
  Vec sine = fma(z, broadcast(-1.9515295891e-4f), broadcast(8.3321608736e-3f));
  sine = fma(z, sine, broadcast(-1.6666654611e-1f));
  sine = fma(z * r, sine, r);
  Vec cosine = fma(z, broadcast(2.443315711809948e-5f), broadcast(-1.388731625493765e-3f));
  cosine = fma(z, cosine, broadcast(4.166664568298827e-2f));
  cosine = fma(z, cosine, broadcast(-0.5f));
  cosine = fma(z, cosine, broadcast(1.0f));
  const IVec odd = (quadrant & 1) != 0;
  const IVec sign = broadcast_int(INT32_MIN);
  s = as_float(as_int(select(odd, cosine, sine)) ^ ((quadrant << 30) & sign));
  c = as_float(as_int(select(odd, sine, cosine)) ^ (((quadrant + 1) << 30) & sign));
}

// exp(x) for x in [0, 20]: 2^n * 2^f by a polynomial of degree 6 in the reduced argument.
DWS_INLINE Vec exp_of(Vec x) {
  const Vec magic = broadcast(0x1.8p+23f);
  const Vec t = fma(x, broadcast(0x1.715476p+0f), magic);
  const Vec n = t - magic;
  Vec r = fma(n, broadcast(-0x1.62e4p-1f), x);  // 15 bits: n times it is exact
  r = fma(n, broadcast(-0x1.7f7d1cp-20f), r);
  Vec p = fma(r, broadcast(1.0f / 720), broadcast(1.0f / 120));
  p = fma(p, r, broadcast(1.0f / 24));
  p = fma(p, r, broadcast(1.0f / 6));
  p = fma(p, r, broadcast(0.5f));
  p = fma(p * r, r, r);
  const Vec power = as_float((as_int(t) << 23) + broadcast_int(0x3f800000));
  return fma(p, power, power);
}

DWS_INLINE Vec tanh_of(Vec x) {
  const IVec sign = as_int(x) & broadcast_int(INT32_MIN);
  const Vec a = as_float(as_int(x) ^ sign);
  // Small arguments: an odd polynomial, where 1 - 2 / (e + 1) would cancel.
  const Vec z = x * x;
  Vec p = fma(z, broadcast(-5.70498872745e-3f), broadcast(2.06390887954e-2f));
  p = fma(p, z, broadcast(-5.37397155531e-2f));
  p = fma(p, z, broadcast(1.33314422036e-1f));
  p = fma(p, z, broadcast(-3.33332819422e-1f));
  const Vec small = fma(p * z, x, x);
  // From 9.02 on the nearest float is 1; NaN passes through the comparison into `small`.
  const Vec e = exp_of(min(a + a, broadcast(18.1f)));
  const Vec large = as_float(as_int(1.0f - 2.0f / (e + 1.0f)) ^ sign);
  return select(a > 0.625f, large, small);
}

static void sincos(int64_t n, const float* x, float* s, float* c) noexcept {
  Vec sine, cosine;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    sincos_of(load(x + i), sine, cosine);
    store(s + i, sine);
    store(c + i, cosine);
  }
  if (i == n) return;
  const int rest = static_cast<int>(n - i);
  sincos_of(load_part(x + i, rest), sine, cosine);
  store_part(s + i, sine, rest);
  store_part(c + i, cosine, rest);
}

static void tanh(int64_t n, const float* x, float* y) noexcept {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, tanh_of(load(x + i)));
  const int rest = static_cast<int>(n - i);
  if (rest > 0) store_part(y + i, tanh_of(load_part(x + i, rest)), rest);
}

}  // namespace dws::kernels::DWS_ISA
