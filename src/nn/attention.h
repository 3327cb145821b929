// Attention between the items of a set.
#pragma once

#include <string>

#include "nn/linear.h"

namespace dws::nn {

// The multihead attention block of the Set Transformer (Lee et al., ICML 2019) of a set with itself, without
// layer norm: o = heads(q + softmax(q k^T / sqrt(E)) v), result o + ReLU(o W + b). The temperature is the
// root of the full width E, as in the published DWS networks, not of the width of a head.
template <class T>
class SetAttention {
 public:
  SetAttention() = default;
  // Throws Error{usage} unless `heads` divides `out`.
  SetAttention(ParamSet<T>& params, const std::string& name, int64_t in, int64_t out, int64_t heads);
  // x (B, N, in) -> (B, N, out).
  Var<T> forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x) const;
  void init(ParamSet<T>& params, uint64_t seed) const;
  const Linear<T>& q() const noexcept { return q_; }
  const Linear<T>& k() const noexcept { return k_; }
  const Linear<T>& v() const noexcept { return v_; }
  const Linear<T>& o() const noexcept { return o_; }

 private:
  int64_t heads_ = 1;
  Linear<T> q_, k_, v_, o_;
};

extern template class SetAttention<float>;
extern template class SetAttention<double>;

}  // namespace dws::nn
