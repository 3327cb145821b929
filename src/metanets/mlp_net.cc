#include "metanets/mlp_net.h"

#include <vector>

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
nn::Mlp<T> make_perceptron(ParamSet<T>& params, int64_t in, int64_t out, const MlpConfig& config) {
  const std::vector<int64_t> hidden(static_cast<size_t>(config.layers), config.hidden);
  return {params, "layers", in, hidden, out, config.dropout, config.norm == nn::Norm::batch ? "norms" : ""};
}

template <class T>
MlpNet<T>::MlpNet(int64_t inputs, int64_t outputs, const MlpConfig& config)
    : inputs_(inputs),
      outputs_(outputs),
      config_(config),
      net_(make_perceptron(this->params_, inputs, outputs, config)) {
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

template nn::Mlp<float> make_perceptron(ParamSet<float>&, int64_t, int64_t, const MlpConfig&);
template nn::Mlp<double> make_perceptron(ParamSet<double>&, int64_t, int64_t, const MlpConfig&);
template class MlpNet<float>;
template class MlpNet<double>;

}  // namespace dws
