// Walking arrays that are stretched to one shape (numpy's rule), their inner axes joined where all of them allow it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace dws::network::engine {

template <size_t N>
class Strided {
 public:
  // `from`: shapes that stretch to `dims`.
  Strided(const std::array<std::vector<int64_t>, N>& from, const std::vector<int64_t>& dims) {
    std::array<int64_t, N> stride;
    stride.fill(1);
    for (size_t back = 0; back < dims.size(); ++back) {
      const int64_t extent = dims[dims.size() - 1 - back];
      std::array<int64_t, N> here{};
      for (size_t k = 0; k < N; ++k) {
        const int64_t own = back < from[k].size() ? from[k][from[k].size() - 1 - back] : 1;
        here[k] = own == 1 ? 0 : stride[k];
        stride[k] *= own;
      }
      if (extent == 1) continue;
      bool joins = !extents_.empty();
      if (joins)
        for (size_t k = 0; k < N; ++k) joins = joins && here[k] == strides_.back()[k] * extents_.back();
      if (joins) {
        extents_.back() *= extent;
      } else {
        extents_.push_back(extent);
        strides_.push_back(here);
      }
    }
    if (extents_.empty()) {
      extents_.push_back(1);
      strides_.push_back({});
    }
    for (const int64_t e : extents_) size_ *= e;
  }

  // line(to, at, n, step) for each innermost line: `n` numbers from `to` of the result on, number i of array k at
  // at[k] + i step[k], where a step is 0 or 1.
  template <class Line>
  void lines(const Line& line) const {
    if (size_ == 0) return;
    const int64_t n = extents_[0];
    std::array<int64_t, N> at{};
    std::vector<int64_t> index(extents_.size(), 0);
    for (int64_t to = 0; to < size_; to += n) {
      line(to, at, n, strides_[0]);
      for (size_t a = 1; a < extents_.size(); ++a) {
        for (size_t k = 0; k < N; ++k) at[k] += strides_[a][k];
        if (++index[a] < extents_[a]) break;
        for (size_t k = 0; k < N; ++k) at[k] -= strides_[a][k] * extents_[a];
        index[a] = 0;
      }
    }
  }

 private:
  std::vector<int64_t> extents_;                 // innermost first
  std::vector<std::array<int64_t, N>> strides_;  // of the same axes
  int64_t size_ = 1;
};

}  // namespace dws::network::engine
