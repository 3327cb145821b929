#include "metanets/dws_net.h"

#include <utility>

#include "autograd/fallback.h"
#include "core/text.h"
#include "metanets/options.h"
#include "nn/pooling.h"
#include "nn/reduction.h"

namespace dws {

DwsConfig DwsConfig::from_json(const Json& json) {
  DwsConfig c;
  OptionReader in(json, "dws");
  c.hidden = in.integer("hidden", c.hidden, 1, 4096);
  c.layers = in.integer("layers", c.layers, 1, 64);
  c.reduction =
      nn::parse_reduction(in.choice("reduction", nn::reduction_name(c.reduction), nn::reduction_names()));
  c.attention = in.choice("set_layer", "ds", {"ds", "sab"}) == "sab";
  c.heads = in.integer("heads", c.heads, 1, 1024);
  c.norm = nn::parse_norm(in.choice("norm", nn::norm_name(c.norm), nn::norm_names()));
  c.dropout = in.real("dropout", c.dropout, 0, 1);
  c.residual = in.flag("residual", c.residual);
  c.head = in.integers("head", c.head, 1, 65536);
  c.final_norm = in.flag("final_norm", c.final_norm);
  c.bias = in.flag("bias", c.bias);
  c.blocks.clear();
  for (const std::string& name : in.choices("blocks", nn::block_names()))
    c.blocks.push_back(nn::parse_block(name));
  c.diagonal = in.flag("diagonal", c.diagonal);
  c.layer_skip = in.flag("layer_skip", c.layer_skip);
  c.input_skip = in.flag("input_skip", c.input_skip);
  c.broadcast_last = in.flag("broadcast_last", c.broadcast_last);
  in.finish();
  return c;
}

Json DwsConfig::to_json() const {
  Json json = Json::object();
  json.set("hidden", hidden);
  json.set("layers", layers);
  json.set("reduction", nn::reduction_name(reduction));
  json.set("set_layer", attention ? "sab" : "ds");
  json.set("heads", heads);
  json.set("norm", nn::norm_name(norm));
  json.set("dropout", dropout);
  json.set("residual", residual);
  json.set("head", dws::to_json(head));
  json.set("final_norm", final_norm);
  json.set("bias", bias);
  Json names = Json::array();
  for (nn::Block block : blocks) names.push_back(nn::block_name(block));
  json.set("blocks", names);
  json.set("diagonal", diagonal);
  json.set("layer_skip", layer_skip);
  json.set("input_skip", input_skip);
  json.set("broadcast_last", broadcast_last);
  return json;
}

template <class T>
DwsNet<T>::DwsNet(weights::WeightSpace space, int64_t outputs, DwsConfig config)
    : space_(std::make_shared<const weights::WeightSpace>(std::move(space))),
      outputs_(outputs),
      config_(std::move(config)) {
  ParamSet<T>& params = this->params_;
  nn::DwsLayerOptions options;
  options.reduction = config_.reduction;
  options.bias = config_.bias;
  options.attention = config_.attention;
  options.skip = config_.layer_skip;
  options.broadcast_last = config_.broadcast_last;
  if (config_.diagonal || config_.blocks.size() < nn::all_blocks().size())
    options.allowed = nn::block_mask(*space_, config_.blocks, config_.diagonal);
  for (int64_t i = 0; i < config_.layers; ++i) {
    options.in = i == 0 ? 1 : config_.hidden;
    options.out = config_.hidden;
    options.heads = i + 1 < config_.layers || i == 0 ? config_.heads : 1;
    if (i > 0)
      activations_.emplace_back(params, text("norms.{}", i - 1), *space_, config_.hidden, config_.norm,
                                config_.dropout);
    layers_.emplace_back(params, text("layers.{}", i), space_, options);
  }
  activations_.emplace_back(params, text("norms.{}", config_.layers - 1), *space_, config_.hidden,
                            config_.final_norm ? config_.norm : nn::Norm::none, config_.dropout);
  if (config_.input_skip) input_skip_ = nn::Linear<T>(params, "input_skip", 1, config_.hidden);
  head_ = nn::Mlp<T>(params, "head", nn::invariant_width(*space_, config_.hidden), config_.head, outputs_,
                     config_.dropout);
  params.freeze();
  if (!config_.residual && !config_.input_skip) trunk_ = nn::DwsTrunk<T>(*space_, layers_, activations_);
  init(0);
}

template <class T>
void DwsNet<T>::init(uint64_t seed) {
  for (const nn::DwsLayer<T>& layer : layers_) layer.init(this->params_, seed);
  for (const nn::Activation<T>& activation : activations_) activation.init(this->params_);
  if (config_.input_skip) input_skip_.init(this->params_, seed, 1.0);
  head_.init(this->params_, seed);
}

template <class T>
nn::WeightFeatures<T> DwsNet<T>::equivariant(Tape<T>& tape, View<const T> x, T* batch_stats,
                                             std::vector<nn::WeightFeatures<T>>* trace) const {
  const ParamSet<T>& params = this->params_;
  const nn::WeightFeatures<T> raw = nn::fold(tape, *space_, x);
  nn::WeightFeatures<T> h = layers_[0].forward(tape, params, raw);
  if (trace) trace->push_back(h);
  for (size_t i = 1; i < layers_.size(); ++i) {
    const nn::WeightFeatures<T> a = activations_[i - 1].forward(tape, params, h, batch_stats);
    if (trace) trace->push_back(a);
    nn::WeightFeatures<T> y = layers_[i].forward(tape, params, a);
    h = config_.residual ? nn::add(h, y) : std::move(y);
    if (trace) trace->push_back(h);
  }
  return config_.input_skip ? nn::add(h, nn::apply_shared(tape, params, input_skip_, raw)) : h;
}

template <class T>
Var<T> DwsNet<T>::classify(Tape<T>& tape, const nn::WeightFeatures<T>& features, T* batch_stats) const {
  const nn::WeightFeatures<T> a = activations_.back().forward(tape, this->params_, features, batch_stats);
  return head_.forward(tape, this->params_, nn::pool_invariant(a, config_.reduction));
}

template <class T>
Var<T> DwsNet<T>::forward(Tape<T>& tape, View<const T> x, T* batch_stats) const {
  const bool dropout = tape.training() && config_.dropout > 0;
  if (trunk_.usable() && !dropout && !use_fallbacks())
    return head_.forward(tape, this->params_, trunk_.forward(tape, this->params_, x, batch_stats));
  return classify(tape, equivariant(tape, x, batch_stats), batch_stats);
}

template class DwsNet<float>;
template class DwsNet<double>;

}  // namespace dws
