// Numbers of a row in the order of their magnitude.
#pragma once

#include <cstdint>

namespace dws::merge {

// order[r] = the place, in its lower 32 bits, of the element of rank r: from the smallest magnitude up, of equal ones in the order
// of their places. `spare` has n numbers too. n < 2^32.
void sort_by_magnitude(const float* x, int64_t n, uint64_t* order, uint64_t* spare) noexcept;

}  // namespace dws::merge
