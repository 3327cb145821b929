#include "weights/space.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace dws::weights {

WeightSpace::WeightSpace(symmetry::Layout layout) : layout_(std::move(layout)) {
  classify();
  fill_tables();
}

void WeightSpace::classify() {
  vectors_.resize(layout_.groups.size());
  std::vector<int64_t> widths(layout_.groups.size(), 0);
  int64_t scalar_width = 0;
  int layer = -1;
  for (size_t t = 0; t < layout_.tensors.size(); ++t) {
    const symmetry::TensorAxes& tensor = layout_.tensors[t];
    Slot slot;
    slot.bias = tensor.dims.size() <= 1;
    if (!slot.bias || layer < 0) ++layer;
    slot.layer = layer;
    int moved = 0;
    for (size_t a = 0; a < tensor.dims.size(); ++a) {
      const int group = tensor.axis_group.at(a);
      if (group == symmetry::kFree) {
        slot.multiplicity *= tensor.dims[a];
        continue;
      }
      (moved == 0 ? slot.row_group : slot.col_group) = group;
      ++moved;
    }
    if (moved > 2 || (moved == 2 && slot.row_group == slot.col_group))
      throw Error(ErrorKind::usage,
                  text("tensor '{}': equivariant layers take at most two permuted axes, in different groups",
                       tensor.name));
    const int id = static_cast<int>(t);
    if (moved == 2) {
      if (slot.multiplicity != 1)
        throw Error(ErrorKind::usage,
                    text("tensor '{}': two permuted axes beside a free one are not supported", tensor.name));
      slot.kind = SlotKind::matrix;
      slot.bundle = matrices();
      matrices_.push_back(id);
    } else if (moved == 1) {
      slot.kind = SlotKind::vector;
      slot.bundle = slot.row_group;
      slot.offset = std::exchange(widths[static_cast<size_t>(slot.row_group)],
                                  widths[static_cast<size_t>(slot.row_group)] + slot.multiplicity);
      vectors_[static_cast<size_t>(slot.row_group)].push_back(id);
    } else {
      slot.bundle = 0;
      slot.offset = std::exchange(scalar_width, scalar_width + slot.multiplicity);
      scalars_.push_back(id);
    }
    slots_.push_back(slot);
  }
}

void WeightSpace::fill_tables() {
  for (int k = 0; k < groups(); ++k)
    vector_tables_.emplace_back(static_cast<size_t>(group_size(k) * vector_width(k)));
  matrix_tables_.resize(matrices_.size());
  scalar_table_.resize(static_cast<size_t>(scalar_width()));
  int64_t flat = 0;
  for (size_t t = 0; t < slots_.size(); ++t) {
    const symmetry::TensorAxes& tensor = layout_.tensors[t];
    const Slot& slot = slots_[t];
    if (slot.kind == SlotKind::matrix)
      matrix_tables_[static_cast<size_t>(slot.bundle)].resize(size_t(tensor.size()));
    std::vector<int64_t> index(tensor.dims.size(), 0);
    for (int64_t e = 0; e < tensor.size(); ++e, ++flat) {
      int64_t free = 0, item = 0;
      for (size_t a = 0; a < index.size(); ++a) {
        if (tensor.axis_group[a] == symmetry::kFree)
          free = free * tensor.dims[a] + index[a];
        else
          item = item * tensor.dims[a] + index[a];
      }
      if (slot.kind == SlotKind::matrix)
        matrix_tables_[static_cast<size_t>(slot.bundle)][static_cast<size_t>(item)] = flat;
      else if (slot.kind == SlotKind::vector)
        vector_tables_[static_cast<size_t>(slot.bundle)]
                      [static_cast<size_t>(item * vector_width(slot.bundle) + slot.offset + free)] = flat;
      else
        scalar_table_[static_cast<size_t>(slot.offset + free)] = flat;
      for (size_t a = index.size(); a-- > 0;) {
        if (++index[a] < tensor.dims[a]) break;
        index[a] = 0;
      }
    }
  }
}

int64_t WeightSpace::vector_width(int k) const {
  int64_t width = 0;
  for (int t : vectors(k)) width += slot(t).multiplicity;
  return width;
}

int64_t WeightSpace::scalar_width() const {
  int64_t width = 0;
  for (int t : scalars_) width += slot(t).multiplicity;
  return width;
}

int WeightSpace::shared_group(int a, int b) const {
  const Slot &x = slot(a), &y = slot(b);
  for (int group : {x.row_group, x.col_group})
    if (group >= 0 && (group == y.row_group || group == y.col_group)) return group;
  return -1;
}

bool WeightSpace::share_group(int a, int b) const {
  return shared_group(a, b) >= 0;
}

}  // namespace dws::weights
