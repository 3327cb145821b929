// The mask of dropout: one draw for each network and channel of x (B, ..., C), for all neurons alike (spatial
// dropout: Tompson et al., CVPR 2015). A draw for each entry would break the symmetry in training, and worse:
// the largest of many entries scaled by 1 / (1 - p) is larger than the largest entry, so that max pooling
// means one thing in training and another in use. Dropped as a whole, a channel keeps its expected maximum.
#pragma once

#include <algorithm>

#include "autograd/op_support.h"
#include "autograd/tape.h"
#include "kernels/elementwise.h"

namespace dws::ops {

// (B, C) in the tape's arena: 0 with probability p, else 1 / (1 - p).
template <class T>
const T* dropout_mask(Tape<T>& tape, const Shape& shape, double p) {
  const int64_t n = shape[0] * (shape.rank() > 1 ? shape.last() : 1);
  T* mask = tape.arena().template take<T>(static_cast<size_t>(n));
  std::fill_n(mask, n, T(1));
  kernels::dropout(n, p, tape.seed(), tape.next_stream(), mask, mask, false);
  return mask;
}

}  // namespace dws::ops
