// From weight features to numbers that no permutation changes.
#pragma once

#include "nn/features.h"

namespace dws::nn {

// Every bundle reduced over its neurons, side by side: [V_0, V_1, ..., M_0, M_1, ..., s], (B,
// invariant_width).
template <class T>
Var<T> pool_invariant(const WeightFeatures<T>& x, ops::Reduction kind);
int64_t invariant_width(const weights::WeightSpace& space, int64_t channels);
// Column of (free index 0, channel 0) of a tensor.
int64_t invariant_start(const weights::WeightSpace& space, int tensor, int64_t channels);

}  // namespace dws::nn
