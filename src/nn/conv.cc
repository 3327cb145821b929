#include "nn/conv.h"

#include <algorithm>
#include <cmath>

#include "core/rng.h"

namespace dws::nn {

template <class T>
Conv<T>::Conv(ParamSet<T>& params, const std::string& name, int64_t kernel, int64_t in, int64_t out,
              const ops::Window& window, bool bias)
    : window_(window), weight_(params.add(name + ".weight", Shape{kernel, kernel, in, out}, true)) {
  if (bias) bias_ = params.add(name + ".bias", Shape{out}, false);
}

template <class T>
Var<T> Conv<T>::forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x) const {
  const Var<T> w = tape.param(params, weight_);
  return bias_ < 0 ? ops::conv2d(x, w, window_) : ops::conv2d(x, w, tape.param(params, bias_), window_);
}

template <class T>
void Conv<T>::init(ParamSet<T>& params, uint64_t seed, double gain) const {
  const Shape& s = params.info(weight_).shape;
  Rng rng(seed, stream_id("nn.conv", static_cast<uint64_t>(weight_)));
  const double deviation = gain / std::sqrt(static_cast<double>(s[0] * s[1] * s[2]));
  for (T& w : params.value(weight_).span()) w = static_cast<T>(deviation * rng.normal());
  if (bias_ >= 0) std::fill_n(params.value(bias_).data, s[3], T(0));
}

template class Conv<float>;
template class Conv<double>;

}  // namespace dws::nn
