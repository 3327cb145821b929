// One linear map applied to every number's channels: the skip connection of the published DWS networks.
#pragma once

#include "nn/linear.h"

namespace dws::nn {

// The same F -> G map for every entry of every tensor.
template <class T>
WeightFeatures<T> apply_shared(Tape<T>& tape, const ParamSet<T>& params, const Linear<T>& map,
                               const WeightFeatures<T>& x) {
  return map_bundles(x, map.out(), [&](Var<T> v) {
    Shape shape = v.shape();
    const int64_t entries = shape.size() / map.in();
    const int last = shape.rank() - 1;
    const Var<T> y = map.forward(tape, params, ops::reshape(v, Shape{entries, map.in()}));
    shape[last] = shape[last] / map.in() * map.out();
    return ops::reshape(y, shape);
  });
}

}  // namespace dws::nn
