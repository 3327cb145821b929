// Shapes that are stretched to one another: axes are matched from the last, an axis of 1 gives way (numpy's rule).
#pragma once

#include <cstdint>
#include <vector>

#include "network/context.h"

namespace dws::network {

// The common shape of all inputs from `first` on that are there. Throws through `context` where they do not fit.
std::vector<int64_t> broadcast_dims(const Context& context, int first = 0);
std::vector<int64_t> broadcast_dims(const Context& context, const std::vector<int64_t>& a,
                                    const std::vector<int64_t>& b);

// Walks the elements of `dims` in order; at() is the place of the same element in an array of shape `from`, stretched.
class Stretched {
 public:
  Stretched(const std::vector<int64_t>& from, const std::vector<int64_t>& dims);
  int64_t at() const noexcept { return at_; }
  void next() noexcept;

 private:
  std::vector<int64_t> dims_, strides_, index_;
  int64_t at_ = 0;
};

}  // namespace dws::network
