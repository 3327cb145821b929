// Normalisation, ReLU and dropout of weight features.
#pragma once

#include <string>
#include <vector>

#include "nn/features.h"

namespace dws::nn {

enum class Norm { none, batch, layer };
std::vector<std::string> norm_names();     // "none", "batch", "layer"
Norm parse_norm(const std::string& name);  // throws Error{usage}
const char* norm_name(Norm norm) noexcept;

// BatchNorm state of one array: parameters gamma, beta and buffers mean, var of `sets` numbers each.
template <class T>
class BatchNorm {
 public:
  BatchNorm() = default;
  // channel_of[c]: the set of column c (see ops::BatchNormState).
  BatchNorm(ParamSet<T>& params, const std::string& name, int64_t sets, std::vector<int> channel_of);
  // Norm, ReLU and dropout in one; the norm alone.
  Var<T> forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x, T* batch_stats, double dropout) const;
  Var<T> normalise(Tape<T>& tape, const ParamSet<T>& params, Var<T> x, T* batch_stats) const;
  void init(ParamSet<T>& params) const;
  const std::vector<int>& channel_of() const noexcept { return channel_of_; }
  int gamma() const noexcept { return gamma_; }
  int beta() const noexcept { return beta_; }
  int mean() const noexcept { return mean_; }  // buffers
  int var() const noexcept { return var_; }

 private:
  ops::BatchNormState<T> state(const ParamSet<T>& params, T* batch_stats) const;
  std::vector<int> channel_of_;
  int gamma_ = -1, beta_ = -1, mean_ = -1, var_ = -1;
};

// Between equivariant layers: norm (with one mean and variance for each tensor and channel, over the batch,
// the neurons and the free indices), ReLU, dropout. With Norm::layer every entry's channels are normalised
// (Ba et al. 2016), one gamma and beta a bundle.
template <class T>
class Activation {
 public:
  Activation() = default;
  Activation(ParamSet<T>& params, const std::string& name, const weights::WeightSpace& space,
             int64_t channels, Norm norm, double dropout);
  WeightFeatures<T> forward(Tape<T>& tape, const ParamSet<T>& params, const WeightFeatures<T>& x,
                            T* batch_stats) const;
  void init(ParamSet<T>& params) const;
  Norm norm() const noexcept { return norm_; }
  // Norm::batch: the norms of the bundles, in order axes, matrices, scalars.
  const std::vector<BatchNorm<T>>& batch_norms() const noexcept { return batch_; }
  // Norm::batch: the state of a tensor and where its channel 0 is in it.
  struct Place {
    const BatchNorm<T>* norm = nullptr;
    int64_t first = 0;
  };
  Place place(const weights::WeightSpace& space, int tensor) const;

 private:
  Var<T> apply(Tape<T>& tape, const ParamSet<T>& params, size_t bundle, Var<T> x, T* batch_stats) const;
  Norm norm_ = Norm::none;
  double dropout_ = 0;
  int64_t channels_ = 0;
  std::vector<BatchNorm<T>> batch_;         // bundles in order: axes, matrices, scalars
  std::vector<std::pair<int, int>> layer_;  // gamma, beta
};

extern template class BatchNorm<float>;
extern template class BatchNorm<double>;
extern template class Activation<float>;
extern template class Activation<double>;

}  // namespace dws::nn
