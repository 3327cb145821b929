#include "nn/pooling.h"

namespace dws::nn {

template <class T>
Var<T> pool_invariant(const WeightFeatures<T>& x, ops::Reduction kind) {
  std::vector<Var<T>> parts;
  for (const Var<T>& v : x.axis)
    if (v.valid()) parts.push_back(ops::reduce(v, 1, kind));
  for (const Var<T>& m : x.matrix) {
    const Shape& shape = m.shape();
    parts.push_back(ops::reduce(ops::reshape(m, Shape{shape[0], shape[1] * shape[2], shape[3]}), 1, kind));
  }
  if (x.scalar.valid()) parts.push_back(x.scalar);
  return join_channels(parts);
}

int64_t invariant_width(const weights::WeightSpace& space, int64_t channels) {
  int64_t width = space.matrices() + space.scalar_width();
  for (int k = 0; k < space.groups(); ++k) width += space.vector_width(k);
  return width * channels;
}

int64_t invariant_start(const weights::WeightSpace& space, int tensor, int64_t channels) {
  const weights::Slot& slot = space.slot(tensor);
  int64_t start = 0;
  const int axes = slot.kind == weights::SlotKind::vector ? slot.bundle : space.groups();
  for (int k = 0; k < axes; ++k) start += space.vector_width(k);
  if (slot.kind == weights::SlotKind::matrix) start += slot.bundle;
  if (slot.kind == weights::SlotKind::scalar) start += space.matrices();
  return (start + slot.offset) * channels;
}

template Var<float> pool_invariant(const WeightFeatures<float>&, ops::Reduction);
template Var<double> pool_invariant(const WeightFeatures<double>&, ops::Reduction);

}  // namespace dws::nn
