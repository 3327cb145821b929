#include "nn/features.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace dws::nn {

template <class T>
void gather(const std::vector<int64_t>& table, int64_t params, int64_t channels, int64_t batch, const T* flat,
            T* bundle) {
  for (int64_t b = 0; b < batch; ++b, flat += params * channels)
    for (int64_t from : table) bundle = std::copy_n(flat + from * channels, channels, bundle);
}

template <class T>
void scatter(const std::vector<int64_t>& table, int64_t params, int64_t channels, int64_t batch,
             const T* bundle, T* flat) {
  for (int64_t b = 0; b < batch; ++b, flat += params * channels)
    for (int64_t to : table) {
      std::copy_n(bundle, channels, flat + to * channels);
      bundle += channels;
    }
}

template <class T>
WeightFeatures<T> fold(Tape<T>& tape, const weights::WeightSpace& space, View<const T> x, int64_t channels) {
  const int64_t params = space.param_count();
  if (x.shape.rank() != 2 || x.shape[1] != params * channels)
    throw Error(ErrorKind::mismatch,
                text("networks of shape {} where (batch, {}) is expected", x.shape.str(), params * channels));
  const int64_t batch = x.shape[0];
  const auto constant = [&](const std::vector<int64_t>& table, const Shape& shape) {
    View<T> out = tape.allocate(shape);
    gather(table, params, channels, batch, x.data, out.data);
    return tape.record({}, out, nullptr);
  };
  WeightFeatures<T> f;
  f.channels = channels;
  for (int k = 0; k < space.groups(); ++k) {
    const int64_t width = space.vector_width(k);
    f.axis.push_back(
        width ? constant(space.vector_table(k), Shape{batch, space.group_size(k), width * channels})
              : Var<T>());
  }
  for (int i = 0; i < space.matrices(); ++i) {
    const weights::Slot& slot = space.slot(space.matrix(i));
    f.matrix.push_back(constant(space.matrix_table(i), Shape{batch, space.group_size(slot.row_group),
                                                             space.group_size(slot.col_group), channels}));
  }
  if (space.scalar_width() > 0)
    f.scalar = constant(space.scalar_table(), Shape{batch, space.scalar_width() * channels});
  return f;
}

template <class T>
Tensor<T> unfold(const weights::WeightSpace& space, const WeightFeatures<T>& f) {
  int64_t batch = 0;
  for (const Var<T>& v : f.axis)
    if (v.valid()) batch = v.shape()[0];
  for (const Var<T>& m : f.matrix) batch = m.shape()[0];
  if (f.scalar.valid()) batch = f.scalar.shape()[0];
  const int64_t params = space.param_count();
  Tensor<T> flat(Shape{batch, params * f.channels});
  for (size_t k = 0; k < f.axis.size(); ++k)
    if (f.axis[k].valid())
      scatter(space.vector_table(static_cast<int>(k)), params, f.channels, batch, f.axis[k].data(),
              flat.data());
  for (size_t i = 0; i < f.matrix.size(); ++i)
    scatter(space.matrix_table(static_cast<int>(i)), params, f.channels, batch, f.matrix[i].data(),
            flat.data());
  if (f.scalar.valid())
    scatter(space.scalar_table(), params, f.channels, batch, f.scalar.data(), flat.data());
  return flat;
}

template <class T>
WeightFeatures<T> add(const WeightFeatures<T>& a, const WeightFeatures<T>& b) {
  WeightFeatures<T> y;
  y.channels = a.channels;
  for (size_t k = 0; k < a.axis.size(); ++k)
    y.axis.push_back(a.axis[k].valid() ? ops::add(a.axis[k], b.axis[k]) : Var<T>());
  for (size_t i = 0; i < a.matrix.size(); ++i) y.matrix.push_back(ops::add(a.matrix[i], b.matrix[i]));
  if (a.scalar.valid()) y.scalar = ops::add(a.scalar, b.scalar);
  return y;
}

template <class T>
Var<T> part(Var<T> x, int64_t begin, int64_t count) {
  return begin == 0 && count == x.shape().last() ? x : ops::slice(x, begin, count);
}

template <class T>
Var<T> join_channels(const std::vector<Var<T>>& parts) {
  return parts.size() == 1 ? parts.front() : ops::concat(std::span<const Var<T>>(parts));
}

template <class T>
Var<T> zeros(Tape<T>& tape, const Shape& shape) {
  View<T> out = tape.allocate(shape);
  std::fill_n(out.data, out.size(), T(0));
  return tape.record({}, out, nullptr);
}

#define DWS_INSTANTIATE(T)                                                                        \
  template void gather(const std::vector<int64_t>&, int64_t, int64_t, int64_t, const T*, T*);     \
  template void scatter(const std::vector<int64_t>&, int64_t, int64_t, int64_t, const T*, T*);    \
  template WeightFeatures<T> fold(Tape<T>&, const weights::WeightSpace&, View<const T>, int64_t); \
  template Tensor<T> unfold(const weights::WeightSpace&, const WeightFeatures<T>&);               \
  template WeightFeatures<T> add(const WeightFeatures<T>&, const WeightFeatures<T>&);             \
  template Var<T> part(Var<T>, int64_t, int64_t);                                                 \
  template Var<T> join_channels(const std::vector<Var<T>>&);                                      \
  template Var<T> zeros(Tape<T>&, const Shape&);
DWS_INSTANTIATE(float)
DWS_INSTANTIATE(double)
#undef DWS_INSTANTIATE

}  // namespace dws::nn
