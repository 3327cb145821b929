// A source's tensor as the executor reads it: any floating-point type in, float32 out.
#pragma once

#include <cstdint>

#include "merge/input.h"
#include "merge/plan.h"

namespace dws::merge {

struct Operand {
  const Input* input = nullptr;
  const InputTensor* tensor = nullptr;
  int64_t elements = 0;            // that it has; less than the output's where rows are missing
  const Operand* donor = nullptr;  // whose numbers stand in for those

  // The bytes of elements [begin, begin + count) that it has itself.
  Bytes part(int64_t begin, int64_t count) const noexcept;
  void load(int64_t begin, int64_t count, float* to) const noexcept;
};

// Whether numbers of this type are merged: others are copied.
bool merges(Dtype dtype) noexcept;

// float32 numbers as bytes of the type. Returns how many became infinite.
int64_t store(Dtype dtype, int64_t count, const float* from, std::byte* to) noexcept;

}  // namespace dws::merge
