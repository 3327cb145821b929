// A convolution of pictures with channels last.
#pragma once

#include <string>

#include "autograd/ops.h"
#include "autograd/params.h"

namespace dws::nn {

// x (N, H, W, C) -> (N, H', W', F).
template <class T>
class Conv {
 public:
  Conv() = default;
  // Parameters "NAME.weight" (K, K, C, F) and, with `bias`, "NAME.bias" (F).
  Conv(ParamSet<T>& params, const std::string& name, int64_t kernel, int64_t in, int64_t out,
       const ops::Window& window, bool bias);
  Var<T> forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x) const;
  // Normal with variance gain^2 / (K K C) (gain sqrt(2) before a rectifier: He et al. 2015); bias zero.
  void init(ParamSet<T>& params, uint64_t seed, double gain) const;
  int weight() const noexcept { return weight_; }  // indices into the parameters
  int bias() const noexcept { return bias_; }

 private:
  ops::Window window_;
  int weight_ = -1, bias_ = -1;
};

extern template class Conv<float>;
extern template class Conv<double>;

}  // namespace dws::nn
