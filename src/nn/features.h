// What flows between equivariant layers: one array a bundle of weights/space.h.
#pragma once

#include <vector>

#include "autograd/ops.h"
#include "weights/space.h"

namespace dws::nn {

// V_k (B, d_k, m_k F), M_i (B, R, C, F), s (B, m_s F). A bundle without tensors is an invalid Var.
template <class T>
struct WeightFeatures {
  std::vector<Var<T>> axis;    // V_k, one a group
  std::vector<Var<T>> matrix;  // M_i
  Var<T> scalar;               // s
  int64_t channels = 1;        // F
};

// x (B, P F): every number of a network's flat vector with F consecutive channels -> bundles, as constants of
// the tape. Throws Error{mismatch} when x has another size.
template <class T>
WeightFeatures<T> fold(Tape<T>& tape, const weights::WeightSpace& space, View<const T> x,
                       int64_t channels = 1);

// The reverse, for reading results: (B, P F) in the order of the flat vector.
template <class T>
Tensor<T> unfold(const weights::WeightSpace& space, const WeightFeatures<T>& features);

// Bundles of one batch, one after another, moved to and from the flat order: tables as in WeightSpace.
template <class T>
void gather(const std::vector<int64_t>& table, int64_t params, int64_t channels, int64_t batch, const T* flat,
            T* bundle);
template <class T>
void scatter(const std::vector<int64_t>& table, int64_t params, int64_t channels, int64_t batch,
             const T* bundle, T* flat);

// Applies `op` to every bundle there is.
template <class T, class Op>
WeightFeatures<T> map_bundles(const WeightFeatures<T>& x, int64_t channels, Op&& op) {
  WeightFeatures<T> y;
  y.channels = channels;
  for (Var<T> v : x.axis) y.axis.push_back(v.valid() ? op(v) : Var<T>());
  for (Var<T> m : x.matrix) y.matrix.push_back(op(m));
  if (x.scalar.valid()) y.scalar = op(x.scalar);
  return y;
}

// a + b, bundle by bundle.
template <class T>
WeightFeatures<T> add(const WeightFeatures<T>& a, const WeightFeatures<T>& b);

// Channel part [begin, begin + count) of the last axis; the Var itself when that is all of it.
template <class T>
Var<T> part(Var<T> x, int64_t begin, int64_t count);

// ops::concat that does not copy a single part.
template <class T>
Var<T> join_channels(const std::vector<Var<T>>& parts);

template <class T>
Var<T> zeros(Tape<T>& tape, const Shape& shape);

}  // namespace dws::nn
