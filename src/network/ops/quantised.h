// Numbers rounded to the integers of a type.
#pragma once

#include <cstdint>

#include "network/array.h"

namespace dws::network {

struct Bounds {
  int64_t low, high;
};
Bounds bounds(OnnxType type);

// x / scale + zero, ties to even, held within `b`. Where a quotient falls between two integers is decided in the type of the
// numbers, as the standard has it.
int64_t quantised(OnnxType type, double x, double scale, int64_t zero, Bounds b);

}  // namespace dws::network
