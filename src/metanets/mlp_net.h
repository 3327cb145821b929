// The baseline that ignores the symmetry: a multilayer perceptron of the flat weight vector.
//
// Options: hidden 128 (width), layers 4 (hidden layers), norm "batch" (batch, none), dropout 0.0.
#pragma once

#include "nn/mlp.h"
#include "nn/model.h"

namespace dws {

struct MlpConfig {
  int64_t hidden = 128, layers = 4;
  nn::Norm norm = nn::Norm::batch;
  double dropout = 0;
  static MlpConfig from_json(const Json& json, const char* model,
                             const MlpConfig& defaults);  // throws Error{usage}
  Json to_json() const;
};

// The perceptron of these options.
template <class T>
nn::Mlp<T> make_perceptron(ParamSet<T>& params, int64_t in, int64_t out, const MlpConfig& config);

template <class T>
class MlpNet final : public Model<T> {
 public:
  MlpNet(int64_t inputs, int64_t outputs, const MlpConfig& config);
  std::string_view kind() const noexcept override { return "mlp"; }
  Json config() const override { return config_.to_json(); }
  int64_t input_size() const noexcept override { return inputs_; }
  int64_t output_size() const noexcept override { return outputs_; }
  bool invariant() const noexcept override { return false; }
  void init(uint64_t seed) override { net_.init(this->params_, seed); }
  Var<T> forward(Tape<T>& tape, View<const T> x, T* batch_stats) const override;

 private:
  int64_t inputs_, outputs_;
  MlpConfig config_;
  nn::Mlp<T> net_;
};

extern template class MlpNet<float>;
extern template class MlpNet<double>;

}  // namespace dws
