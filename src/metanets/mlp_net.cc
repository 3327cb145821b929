#include "metanets/mlp_net.h"

#include <numbers>
#include <numeric>

#include "core/error.h"
#include "core/text.h"
#include "metanets/options.h"

namespace dws {

MlpConfig MlpConfig::from_json(const Json& json, const char* model, const MlpConfig& defaults) {
  MlpConfig c = defaults;
  OptionReader in(json, model);
  c.hidden = in.integer("hidden", c.hidden, 1, 65536);
  c.layers = in.integer("layers", c.layers, 0, 64);
  c.norm = nn::parse_norm(in.choice("norm", nn::norm_name(c.norm), {"none", "batch"}));
  c.dropout = in.real("dropout", c.dropout, 0, 1);
  in.finish();
  return c;
}

Json MlpConfig::to_json() const {
  Json json = Json::object();
  json.set("hidden", hidden);
  json.set("layers", layers);
  json.set("norm", nn::norm_name(norm));
  json.set("dropout", dropout);
  return json;
}

template <class T>
Perceptron<T>::Perceptron(ParamSet<T>& params, int64_t in, int64_t out, const MlpConfig& config)
    : dropout_(config.dropout) {
  std::vector<int> channel_of(static_cast<size_t>(config.hidden));
  std::iota(channel_of.begin(), channel_of.end(), 0);
  for (int64_t i = 0; i <= config.layers; ++i) {
    const bool last = i == config.layers;
    layers_.emplace_back(params, text("layers.{}", i), in, last ? out : config.hidden);
    in = config.hidden;
    if (!last && config.norm == nn::Norm::batch)
      norms_.emplace_back(params, text("norms.{}", i), config.hidden, channel_of);
  }
}

template <class T>
Var<T> Perceptron<T>::forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x, T* batch_stats) const {
  for (size_t i = 0; i < layers_.size(); ++i) {
    x = layers_[i].forward(tape, params, x);
    if (i + 1 == layers_.size()) break;
    if (norms_.empty()) {
      x = ops::relu(x);
      if (dropout_ > 0) x = ops::dropout(x, dropout_);
    } else {
      x = norms_[i].forward(tape, params, x, batch_stats, dropout_);
    }
  }
  return x;
}

template <class T>
void Perceptron<T>::init(ParamSet<T>& params, uint64_t seed) const {
  for (size_t i = 0; i < layers_.size(); ++i)
    layers_[i].init(params, seed, i + 1 < layers_.size() ? std::numbers::sqrt2 : 0.5);
  for (const nn::BatchNorm<T>& norm : norms_) norm.init(params);
}

template <class T>
MlpNet<T>::MlpNet(int64_t inputs, int64_t outputs, const MlpConfig& config)
    : inputs_(inputs), outputs_(outputs), config_(config), net_(this->params_, inputs, outputs, config) {
  this->params_.freeze();
  init(0);
}

template <class T>
Var<T> MlpNet<T>::forward(Tape<T>& tape, View<const T> x, T* batch_stats) const {
  if (x.shape.rank() != 2 || x.shape[1] != inputs_)
    throw Error(ErrorKind::mismatch,
                text("networks of shape {} where (batch, {}) is expected", x.shape.str(), inputs_));
  return net_.forward(tape, this->params_, tape.constant(x), batch_stats);
}

template class Perceptron<float>;
template class Perceptron<double>;
template class MlpNet<float>;
template class MlpNet<double>;

}  // namespace dws
