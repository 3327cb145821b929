// Inner products in float64 that may come a block at a time.
#pragma once

#include <span>

namespace dws::align {

// Sums in eight lanes, so that the compiler may use vectors and the order is ours. Blocks, but for the last, are multiples of 8 long:
// then the bits are those of one block.
class Lanes {
 public:
  void add(std::span<const float> a, std::span<const float> b) noexcept {
    size_t i = 0;
    for (; i + 8 <= b.size(); i += 8)
      for (size_t l = 0; l < 8; ++l) lanes_[l] += double{a[i + l]} * b[i + l];
    for (; i < b.size(); ++i) lanes_[0] += double{a[i]} * b[i];
  }
  double sum() const noexcept {
    return ((lanes_[0] + lanes_[4]) + (lanes_[1] + lanes_[5])) +
           ((lanes_[2] + lanes_[6]) + (lanes_[3] + lanes_[7]));
  }

 private:
  double lanes_[8] = {};
};

inline double dot(std::span<const float> a, std::span<const float> b) noexcept {
  Lanes lanes;
  lanes.add(a, b);
  return lanes.sum();
}

}  // namespace dws::align
