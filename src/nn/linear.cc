#include "nn/linear.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/text.h"

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

template <class T>
Mlp<T>::Mlp(ParamSet<T>& params, const std::string& name, int64_t in, const std::vector<int64_t>& hidden,
            int64_t out, double dropout)
    : dropout_(dropout) {
  for (size_t i = 0; i <= hidden.size(); ++i) {
    const int64_t width = i < hidden.size() ? hidden[i] : out;
    layers_.emplace_back(params, text("{}.{}", name, i), in, width);
    in = width;
  }
}

template <class T>
Var<T> Mlp<T>::forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x) const {
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (i > 0) {
      x = ops::relu(x);
      if (dropout_ > 0) x = ops::dropout(x, dropout_);
    }
    x = layers_[i].forward(tape, params, x);
  }
  return x;
}

template <class T>
void Mlp<T>::init(ParamSet<T>& params, uint64_t seed) const {
  // The last map starts small, so that the first losses are near log(classes).
  for (size_t i = 0; i < layers_.size(); ++i)
    layers_[i].init(params, seed, i + 1 < layers_.size() ? std::numbers::sqrt2 : 0.5);
}

template class Linear<float>;
template class Linear<double>;
template class Mlp<float>;
template class Mlp<double>;

}  // namespace dws::nn
