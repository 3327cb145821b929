// Copying items of one array into another, whatever kind of numbers they hold.
#pragma once

#include <cstdint>
#include <vector>

#include "network/array.h"

namespace dws::network {

std::vector<int64_t> strides_of(const std::vector<int64_t>& dims);
// The next index in row-major order; starts again after the last.
void next_index(std::vector<int64_t>& index, const std::vector<int64_t>& dims) noexcept;

inline void copy_item(const Array& x, int64_t from, Array& y, int64_t to) noexcept {
  if (y.real())
    y.reals[static_cast<size_t>(to)] = x.reals[static_cast<size_t>(from)];
  else
    y.ints[static_cast<size_t>(to)] = x.ints[static_cast<size_t>(from)];
}
// y[i, j, ...] = x[first + i steps[0] + j steps[1] + ...]: transposes, slices.
void pick(const Array& x, Array& y, int64_t first, const std::vector<int64_t>& steps) noexcept;

}  // namespace dws::network
