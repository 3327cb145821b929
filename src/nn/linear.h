// A linear map of the last axis.
#pragma once

#include <string>

#include "core/rng.h"
#include "nn/features.h"

namespace dws::nn {

// x (..., F) -> (..., G).
template <class T>
class Linear {
 public:
  Linear() = default;
  // Parameters "NAME.weight" (F, G) and, with `bias`, "NAME.bias" (G).
  Linear(ParamSet<T>& params, const std::string& name, int64_t in, int64_t out, bool bias = true);
  Var<T> forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x) const;
  // Normal with variance gain^2 / F (gain sqrt(2) after a rectifier: He et al. 2015); bias zero.
  void init(ParamSet<T>& params, uint64_t seed, double gain) const;
  int64_t in() const noexcept { return in_; }
  int64_t out() const noexcept { return out_; }
  int weight() const noexcept { return weight_; }  // indices into the parameters
  int bias() const noexcept { return bias_; }

 private:
  int64_t in_ = 0, out_ = 0;
  int weight_ = -1, bias_ = -1;
};

extern template class Linear<float>;
extern template class Linear<double>;

}  // namespace dws::nn
