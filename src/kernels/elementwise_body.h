// Float bodies of elementwise.h for one instruction set.
#pragma once

#include "kernels/simd.h"

namespace dws::kernels::DWS_ISA {

static void add(int64_t n, const float* a, const float* b, float* y) noexcept {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, load(a + i) + load(b + i));
  for (; i < n; ++i) y[i] = a[i] + b[i];
}

}  // namespace dws::kernels::DWS_ISA
