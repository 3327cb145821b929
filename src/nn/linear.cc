#include "nn/linear.h"

#include <algorithm>
#include <cmath>

namespace dws::nn {

template <class T>
Linear<T>::Linear(ParamSet<T>& params, const std::string& name, int64_t in, int64_t out, bool bias)
    : in_(in), out_(out), weight_(params.add(name + ".weight", Shape{in, out}, true)) {
  if (bias) bias_ = params.add(name + ".bias", Shape{out}, false);
}

template <class T>
Var<T> Linear<T>::forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x) const {
  const Var<T> w = tape.param(params, weight_);
  return bias_ < 0 ? ops::linear(x, w) : ops::linear(x, w, tape.param(params, bias_));
}

template <class T>
void Linear<T>::init(ParamSet<T>& params, uint64_t seed, double gain) const {
  Rng rng(seed, stream_id("nn.linear", static_cast<uint64_t>(weight_)));
  const double deviation = gain / std::sqrt(static_cast<double>(in_));
  for (T& w : params.value(weight_).span()) w = static_cast<T>(deviation * rng.normal());
  if (bias_ >= 0) std::fill_n(params.value(bias_).data, out_, T(0));
}

template class Linear<float>;
template class Linear<double>;

}  // namespace dws::nn
