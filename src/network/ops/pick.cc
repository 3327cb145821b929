#include "network/ops/pick.h"

namespace dws::network {

std::vector<int64_t> strides_of(const std::vector<int64_t>& dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t a = dims.size(); a-- > 1;) strides[a - 1] = strides[a] * dims[a];
  return strides;
}
void next_index(std::vector<int64_t>& index, const std::vector<int64_t>& dims) noexcept {
  for (size_t a = dims.size(); a-- > 0;) {
    if (++index[a] < dims[a]) return;
    index[a] = 0;
  }
}
void pick(const Array& x, Array& y, int64_t first, const std::vector<int64_t>& steps) noexcept {
  std::vector<int64_t> index(y.dims.size(), 0);
  int64_t at = first;
  const int64_t count = y.size();
  for (int64_t i = 0; i < count; ++i) {
    copy_item(x, at, y, i);
    for (size_t a = y.dims.size(); a-- > 0;) {
      at += steps[a];
      if (++index[a] < y.dims[a]) break;
      at -= steps[a] * y.dims[a];
      index[a] = 0;
    }
  }
}

}  // namespace dws::network
