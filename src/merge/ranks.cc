#include "merge/ranks.h"

#include <algorithm>
#include <array>

#include "merge/selection.h"

namespace dws::merge {

// A radix sort from the lowest digit up: stable, so that equal magnitudes keep their order.
void sort_by_magnitude(const float* x, int64_t n, uint64_t* order, uint64_t* spare) noexcept {
  constexpr int kBits = 11, kDigits = 3;  // of 31 bits
  constexpr uint32_t kMask = (1u << kBits) - 1;
  std::array<std::array<uint32_t, 1u << kBits>, kDigits> counts{};
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t key = magnitude(x[i]);
    order[i] = uint64_t{key} << 32 | static_cast<uint64_t>(i);
    for (int d = 0; d < kDigits; ++d) ++counts[static_cast<size_t>(d)][key >> (d * kBits) & kMask];
  }
  uint64_t *from = order, *to = spare;
  for (int d = 0; d < kDigits; ++d) {
    auto& count = counts[static_cast<size_t>(d)];
    uint32_t sum = 0;
    for (uint32_t& c : count) {
      const uint32_t here = c;
      c = sum;
      sum += here;
    }
    for (int64_t i = 0; i < n; ++i)
      to[count[static_cast<uint32_t>(from[i] >> 32) >> (d * kBits) & kMask]++] = from[i];
    std::swap(from, to);
  }
  if (from != order) std::copy_n(from, n, order);
}

}  // namespace dws::merge
