// The loops of peak.h for one instruction set.
#pragma once

#include "kernels/elementwise_body.h"

namespace dws::kernels::DWS_ISA {

// As many independent chains as the register file holds and the latency of two units needs.
inline constexpr int kChains = DWS_LANES == 16 ? 24 : 12;

// Runs `steps` rounds of multiply-adds; returns how many floating-point operations they were.
static double fma_chains(int64_t steps) noexcept {
  Vec acc[kChains];
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) acc[i] = broadcast(static_cast<float>(i));
  Vec a = broadcast(0.9999f), b = broadcast(1e-4f);
  asm volatile("" : : "m"(a), "m"(b) : "memory");  // values the compiler may not fold
  for (int64_t k = 0; k < steps; ++k)
#pragma GCC unroll 24
    for (int i = 0; i < kChains; ++i) acc[i] = fma(acc[i], a, b);
  Vec total = zero();
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) total += acc[i];
  // The result is used, so that the loop stays.
  const double nothing = sum(total) < 0 ? 1.0 : 0.0;
  return 2.0 * kLanes * kChains * static_cast<double>(steps) + nothing;
}

static void triad(int64_t n, float s, const float* b, const float* c, float* a) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    store_n(a + i, fma(broadcast(s), load_n(c + i, lanes), load_n(b + i, lanes)), lanes);
  });
}

// The sum of a, in eight chains so that adding is never what takes the time; the tail is left out.
static float read_all(int64_t n, const float* a) noexcept {
  Vec acc[8];
  for (Vec& v : acc) v = zero();
  for (int64_t i = 0; i + 8 * kLanes <= n; i += 8 * kLanes)
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) acc[j] += load_n(a + i + j * kLanes, kLanes);
  Vec total = zero();
  for (const Vec& v : acc) total += v;
  return sum(total);
}

}  // namespace dws::kernels::DWS_ISA
