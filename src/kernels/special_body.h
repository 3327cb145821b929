// Float bodies of special.h for one instruction set.
#pragma once

#include "kernels/elementwise_body.h"

namespace dws::kernels::DWS_ISA {

DWS_INLINE Vec exp_anywhere(Vec x) {
  const Vec small = exp_negative(select(x > 0.0f, -x, x));
  return select(x > 0.0f, 1.0f / small, small);
}
DWS_INLINE Vec erf_of(Vec x) {
  const Vec a = select(x < 0.0f, -x, x);
  const Vec t = 1.0f / (1.0f + 0.3275911f * a);
  Vec p = broadcast(1.061405429f);
  p = fma(p, t, broadcast(-1.453152027f));
  p = fma(p, t, broadcast(1.421413741f));
  p = fma(p, t, broadcast(-0.284496736f));
  p = fma(p, t, broadcast(0.254829592f));
  const Vec y = 1.0f - p * t * exp_negative(-(a * a));
  return select(x < 0.0f, -y, y);
}

static void exp(int64_t n, const float* x, float* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED { store_n(y + i, exp_anywhere(load_n(x + i, lanes)), lanes); });
}
static void sigmoid(int64_t n, float alpha, const float* x, float* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    store_n(y + i, 1.0f / (1.0f + exp_anywhere(-alpha * load_n(x + i, lanes))), lanes);
  });
}
static void erf(int64_t n, const float* x, float* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED { store_n(y + i, erf_of(load_n(x + i, lanes)), lanes); });
}
static void gelu_erf(int64_t n, const float* x, float* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    const Vec v = load_n(x + i, lanes);
    store_n(y + i, 0.5f * v * (1.0f + erf_of(0.70710678f * v)), lanes);
  });
}

}  // namespace dws::kernels::DWS_ISA
