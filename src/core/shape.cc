#include "core/shape.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace dws {

Shape::Shape(std::initializer_list<int64_t> dims) {
  for (int64_t extent : dims) push_back(extent);
}

int64_t Shape::size() const noexcept {
  int64_t product = 1;
  for (int64_t extent : *this) product *= extent;
  return product;
}

int64_t Shape::rows() const noexcept {
  // Not size() / last(): a last extent of zero would divide by zero.
  int64_t product = 1;
  for (int axis = 0; axis + 1 < rank_; ++axis) product *= (*this)[axis];
  return product;
}

void Shape::push_back(int64_t extent) {
  if (rank_ == kMaxRank) {
    throw Error(ErrorKind::resource_limit, text("a shape of more than {} dimensions", kMaxRank));
  }
  dims_[static_cast<size_t>(rank_++)] = extent;
}

bool Shape::operator==(const Shape& other) const noexcept {
  return rank_ == other.rank_ && std::equal(begin(), end(), other.begin());
}

std::string shape_text(std::span<const int64_t> extents) {
  std::string out = "(";
  for (size_t axis = 0; axis < extents.size(); ++axis) {
    if (axis) out += ", ";
    out += std::to_string(extents[axis]);
  }
  return out + (extents.size() == 1 ? ",)" : ")");
}

}  // namespace dws
