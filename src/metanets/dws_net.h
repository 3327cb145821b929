// The DWS network: equivariant layers on weight features, then invariant pooling and a classifier.
//
// Options of the configuration (all may be left out):
//   hidden       32        channels of every number between layers
//   layers       4         equivariant layers
//   reduction    "max"     pooling over neurons: max, mean, sum
//   set_layer    "ds"      "ds" DeepSets (linear), "sab" attention between neurons
//   heads        8         attention heads ("sab"); the last layer has one, as published
//   norm         "batch"   before every rectifier: batch, layer, none
//   dropout      0.0       after every rectifier
//   residual     false     a layer whose widths agree adds its result to what came before norm and rectifier
//   head         [64]      hidden widths of the classifier
//   final_norm   true      norm before the rectifier in front of the pooling too
//   bias         true      one bias for each tensor, free index and channel
//   blocks       all       array out of weight_self, weight_neighbour, weight_other, weight_to_bias,
//                          bias_to_weight, bias_to_bias
//   diagonal     false     only blocks between tensors of one layer or with a group of neurons in common
//   layer_skip   false     each layer adds a linear map of its input, one map for all tensors
//   input_skip   false     the last layer's result adds such a map of the network's input
//   broadcast_last false   see DwsLayerOptions ("sab")
#pragma once

#include <memory>
#include <vector>

#include "nn/dws_layer.h"
#include "nn/dws_trunk.h"
#include "nn/mlp.h"
#include "nn/model.h"
#include "nn/norm.h"

namespace dws {

struct DwsConfig {
  int64_t hidden = 32, layers = 4, heads = 8;
  ops::Reduction reduction = ops::Reduction::max;
  bool attention = false;
  nn::Norm norm = nn::Norm::batch;
  double dropout = 0;
  bool residual = false, final_norm = true, bias = true;
  std::vector<int64_t> head{64};
  std::vector<nn::Block> blocks = nn::all_blocks();
  bool diagonal = false, layer_skip = false, input_skip = false, broadcast_last = false;

  static DwsConfig from_json(const Json& json);  // throws Error{usage}
  Json to_json() const;
};

template <class T>
class DwsNet final : public Model<T> {
 public:
  DwsNet(weights::WeightSpace space, int64_t outputs, DwsConfig config);

  std::string_view kind() const noexcept override { return "dws"; }
  Json config() const override { return config_.to_json(); }
  int64_t input_size() const noexcept override { return space_->param_count(); }
  int64_t output_size() const noexcept override { return outputs_; }
  bool invariant() const noexcept override { return true; }
  void init(uint64_t seed) override;
  Var<T> forward(Tape<T>& tape, View<const T> x, T* batch_stats) const override;

  // The equivariant part, x -> features of the last layer (input skip added). `trace`, when given, receives
  // the result of every equivariant layer and every rectifier in the order computed.
  nn::WeightFeatures<T> equivariant(Tape<T>& tape, View<const T> x, T* batch_stats,
                                    std::vector<nn::WeightFeatures<T>>* trace = nullptr) const;
  // Logits (B, outputs) from the equivariant part's result.
  Var<T> classify(Tape<T>& tape, const nn::WeightFeatures<T>& features, T* batch_stats) const;

  const weights::WeightSpace& space() const noexcept { return *space_; }
  const DwsConfig& settings() const noexcept { return config_; }
  const std::vector<nn::DwsLayer<T>>& layers() const noexcept { return layers_; }
  const std::vector<nn::Activation<T>>& activations() const noexcept { return activations_; }
  const nn::Mlp<T>& head() const noexcept { return head_; }
  const nn::Linear<T>& input_skip() const noexcept { return input_skip_; }

 private:
  std::shared_ptr<const weights::WeightSpace> space_;
  int64_t outputs_;
  DwsConfig config_;
  std::vector<nn::DwsLayer<T>> layers_;
  // One before every layer but the first, one before the pooling.
  std::vector<nn::Activation<T>> activations_;
  nn::Linear<T> input_skip_;
  nn::Mlp<T> head_;
  nn::DwsTrunk<T> trunk_;  // the fast path, where it applies
};

extern template class DwsNet<float>;
extern template class DwsNet<double>;

}  // namespace dws
