// Numbers rounded to a tensor's type, where results must be those of an implementation that computes in it.
#pragma once

#include <span>

#include "core/dtype.h"

namespace dws::merge {

inline float rounded(float x, Dtype dtype) noexcept {
  if (dtype == Dtype::bf16) return bf16_to_float(float_to_bf16(x));
  if (dtype == Dtype::f16) return f16_to_float(float_to_f16(x));
  return x;
}
void round_to(Dtype dtype, std::span<float> x) noexcept;

}  // namespace dws::merge
