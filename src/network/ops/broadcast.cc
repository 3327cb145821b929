#include "network/ops/broadcast.h"

#include <algorithm>

#include "core/shape.h"
#include "core/text.h"

namespace dws::network {

std::vector<int64_t> broadcast_dims(const Context& context, const std::vector<int64_t>& a,
                                    const std::vector<int64_t>& b) {
  std::vector<int64_t> dims(std::max(a.size(), b.size()));
  for (size_t i = 0; i < dims.size(); ++i) {  // from the last axis
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      context.fail(text("shapes {} and {} do not broadcast", shape_text(a), shape_text(b)));
    dims[dims.size() - 1 - i] = x == 1 ? y : x;
  }
  return dims;
}
std::vector<int64_t> broadcast_dims(const Context& context, int first) {
  std::vector<int64_t> dims;
  for (int i = first; i < context.count(); ++i)
    if (context.has(i)) dims = broadcast_dims(context, dims, context.in(i).dims);
  return dims;
}

Stretched::Stretched(const std::vector<int64_t>& from, const std::vector<int64_t>& dims)
    : dims_(dims), strides_(dims.size(), 0), index_(dims.size(), 0) {
  int64_t stride = 1;
  for (size_t i = 0; i < from.size(); ++i) {
    const int64_t extent = from[from.size() - 1 - i];
    if (extent != 1) strides_[dims.size() - 1 - i] = stride;
    stride *= extent;
  }
}
void Stretched::next() noexcept {
  for (size_t axis = dims_.size(); axis-- > 0;) {
    at_ += strides_[axis];
    if (++index_[axis] < dims_[axis]) return;
    at_ -= strides_[axis] * dims_[axis];
    index_[axis] = 0;
  }
}

}  // namespace dws::network
