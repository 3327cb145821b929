// Shapes: small row-major extents, and shapes of any rank as text.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace dws {

// "(32, 2)", "(3,)", "()": a lone extent carries a comma, so that it is not read as a number in parentheses.
std::string shape_text(std::span<const int64_t> extents);

// At most kMaxRank extents, held inline; row-major everywhere.
class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);  // throws Error{resource_limit} beyond kMaxRank

  int rank() const noexcept { return rank_; }
  int64_t operator[](int axis) const noexcept { return dims_[static_cast<size_t>(axis)]; }
  int64_t& operator[](int axis) noexcept { return dims_[static_cast<size_t>(axis)]; }
  // Negative axes count from the end.
  int64_t dim(int axis) const noexcept { return dims_[static_cast<size_t>(axis < 0 ? axis + rank_ : axis)]; }
  int64_t last() const noexcept { return rank_ ? dims_[static_cast<size_t>(rank_ - 1)] : 1; }
  // Product of all extents (1 for rank 0). Shapes from files are checked for overflow where they are read.
  int64_t size() const noexcept;
  // size() / last(): the rows when the last axis is taken as columns.
  int64_t rows() const noexcept;
  void push_back(int64_t extent);

  const int64_t* begin() const noexcept { return dims_.data(); }
  const int64_t* end() const noexcept { return dims_.data() + rank_; }
  bool operator==(const Shape& other) const noexcept;

  std::string str() const { return shape_text({begin(), end()}); }

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

}  // namespace dws
