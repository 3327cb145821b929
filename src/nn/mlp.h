// A multilayer perceptron.
#pragma once

#include <string>
#include <vector>

#include "nn/linear.h"
#include "nn/norm.h"

namespace dws::nn {

// Linear, [BatchNorm,] ReLU, [dropout,] ..., Linear: one more linear map than there are hidden widths.
// x (B, in) -> (B, out).
template <class T>
class Mlp {
 public:
  Mlp() = default;
  // Parameters "NAME.0.weight", ... and, where `norm_name` is not empty, batch norms "NORM_NAME.0", ...
  Mlp(ParamSet<T>& params, const std::string& name, int64_t in, const std::vector<int64_t>& hidden,
      int64_t out, double dropout, const std::string& norm_name = "");
  Var<T> forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x, T* batch_stats = nullptr) const;
  void init(ParamSet<T>& params, uint64_t seed) const;
  const std::vector<Linear<T>>& layers() const noexcept { return layers_; }

 private:
  double dropout_ = 0;
  std::vector<Linear<T>> layers_;
  std::vector<BatchNorm<T>> norms_;  // empty without norm
};

extern template class Mlp<float>;
extern template class Mlp<double>;

}  // namespace dws::nn
