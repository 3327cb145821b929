#include "nn/attention.h"

#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/text.h"

namespace dws::nn {

template <class T>
SetAttention<T>::SetAttention(ParamSet<T>& params, const std::string& name, int64_t in, int64_t out,
                              int64_t heads)
    : heads_(heads) {
  if (heads < 1 || out % heads != 0)
    throw Error(ErrorKind::usage, text("{} channels cannot be split into {} attention heads", out, heads));
  q_ = Linear<T>(params, name + ".q", in, out);
  k_ = Linear<T>(params, name + ".k", in, out);
  v_ = Linear<T>(params, name + ".v", in, out);
  o_ = Linear<T>(params, name + ".o", out, out);
}

template <class T>
Var<T> SetAttention<T>::forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x) const {
  const int64_t batch = x.shape()[0], items = x.shape()[1], width = q_.out();
  const auto split = [&](const Linear<T>& map) {  // (B, heads, N, width / heads)
    const Var<T> y = map.forward(tape, params, x);
    return ops::transpose(ops::reshape(y, Shape{batch, items, heads_, width / heads_}), 1, 2);
  };
  const Var<T> q = split(q_), k = split(k_), v = split(v_);
  const T temperature = static_cast<T>(1.0 / std::sqrt(static_cast<double>(width)));
  const Var<T> weights = ops::softmax(ops::scale(ops::matmul(q, k, false, true), temperature));
  const Var<T> mixed = ops::add(q, ops::matmul(weights, v));
  const Var<T> o = ops::reshape(ops::transpose(mixed, 1, 2), Shape{batch, items, width});
  return ops::add(o, ops::relu(o_.forward(tape, params, o)));
}

template <class T>
void SetAttention<T>::init(ParamSet<T>& params, uint64_t seed) const {
  for (const Linear<T>* map : {&q_, &k_, &v_}) map->init(params, seed, 1.0);
  o_.init(params, seed, std::numbers::sqrt2);
}

template class SetAttention<float>;
template class SetAttention<double>;

}  // namespace dws::nn
