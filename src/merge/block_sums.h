// Sums over blocks whose bits do not depend on who read which block, or when.
#pragma once

#include <cstdint>
#include <vector>

namespace dws::merge {

class BlockSums {
 public:
  explicit BlockSums(size_t width = 0) : total_(width) {}
  void begin_window(int64_t first, int64_t blocks) {
    first_ = first;
    parts_.assign(static_cast<size_t>(blocks) * total_.size(), 0.0);
  }
  // The numbers that block `index` adds.
  double* part(int64_t index) { return parts_.data() + static_cast<size_t>(index - first_) * total_.size(); }
  void end_window() {
    for (size_t i = 0; i < parts_.size(); ++i) total_[i % total_.size()] += parts_[i];
  }
  const std::vector<double>& total() const noexcept { return total_; }
  int64_t bytes_per_block() const noexcept { return static_cast<int64_t>(total_.size() * sizeof(double)); }

 private:
  std::vector<double> total_, parts_;
  int64_t first_ = 0;
};

}  // namespace dws::merge
