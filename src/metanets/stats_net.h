// The baseline of statistics: what Unterthiner et al. (2020) predict accuracy from. Seven numbers of each
// tensor (mean, deviation, quantiles 0, 1/4, 1/2, 3/4, 1), then a perceptron. Invariant: no order of neurons
// changes a statistic.
//
// Options as of "mlp", with hidden 128 and layers 2.
#pragma once

#include "metanets/mlp_net.h"
#include "weights/space.h"

namespace dws {

inline constexpr int64_t kTensorStatistics = 7;

// Statistics of each tensor of `layout` for x (B, P): (B, 7 tensors). Quantiles interpolate between
// neighbours.
template <class T>
Tensor<T> tensor_statistics(const symmetry::Layout& layout, View<const T> x);

template <class T>
class StatsNet final : public Model<T> {
 public:
  StatsNet(weights::WeightSpace space, int64_t outputs, const MlpConfig& config);
  static MlpConfig defaults();
  std::string_view kind() const noexcept override { return "stats"; }
  Json config() const override { return config_.to_json(); }
  int64_t input_size() const noexcept override { return space_.param_count(); }
  int64_t output_size() const noexcept override { return outputs_; }
  bool invariant() const noexcept override { return true; }
  void init(uint64_t seed) override { net_.init(this->params_, seed); }
  Var<T> forward(Tape<T>& tape, View<const T> x, T* batch_stats) const override;

 private:
  weights::WeightSpace space_;
  int64_t outputs_;
  MlpConfig config_;
  nn::Mlp<T> net_;
};

extern template class StatsNet<float>;
extern template class StatsNet<double>;

}  // namespace dws
