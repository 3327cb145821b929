#include "tasknets/classifier.h"

#include <numbers>
#include <numeric>

#include "core/error.h"
#include "core/text.h"

namespace dws {

Activation parse_activation(const std::string& name) {
  for (const Activation a : {Activation::relu, Activation::tanh, Activation::gelu})
    if (name == activation_name(a)) return a;
  throw Error(ErrorKind::usage, text("--activation {}: expected relu, tanh or gelu", escaped(name)));
}

const char* activation_name(Activation activation) noexcept {
  return activation == Activation::relu ? "relu" : activation == Activation::tanh ? "tanh" : "gelu";
}

template <class T>
Classifier<T>::Classifier(const ClassifierConfig& config) : config_(config) {
  ParamSet<T>& params = this->params_;
  int64_t H = config.height, W = config.width, C = config.channels;
  int64_t features = config.arch.of_pictures ? 0 : H * W * C;  // 0: still a picture
  int convs = 0, linears = 0;
  std::vector<Arch::Layer> all = config.arch.layers;
  all.push_back({.kind = Arch::Kind::linear, .width = config.classes});
  for (size_t i = 0; i < all.size(); ++i) {
    const Arch::Layer& a = all[i];
    Layer layer{.kind = a.kind, .name = {}, .norm_name = {}};
    layer.hidden = i + 1 < all.size();
    layer.stride = a.kind == Arch::Kind::conv ? a.stride : 2;
    layer.kernel = a.kind == Arch::Kind::conv ? a.kernel : 2;
    if (a.kind == Arch::Kind::linear) {
      if (features == 0) features = C;  // behind the mean over all places
      layer.name = text("fc{}", ++linears);
      layer.linear = nn::Linear<T>(params, layer.name, features, a.width);
      features = a.width;
      const char* norm = config.norm == nn::Norm::layer ? "ln" : config.arch.of_pictures ? "fc_bn" : "bn";
      if (layer.hidden) add_norm(layer, text("{}{}", norm, linears), features);
    } else if (a.kind == Arch::Kind::conv) {
      layer.name = text("conv{}", ++convs);
      // A batch norm takes a constant away again.
      layer.conv =
          nn::Conv<T>(params, layer.name, a.kernel, C, a.width,
                      {.stride = a.stride, .padding = (a.kernel - 1) / 2}, config.norm != nn::Norm::batch);
      C = a.width;
      H = (H - 1) / a.stride + 1;
      W = (W - 1) / a.stride + 1;
      if (config.norm == nn::Norm::layer)
        throw Error(ErrorKind::usage, text("--norm layer is for --arch mlp:..., not {}", config.arch.text),
                    "use --norm batch or none");
      add_norm(layer, text("bn{}", convs), C);
    } else {
      if (H < 2 || W < 2)
        throw Error(ErrorKind::usage,
                    text("--arch {}: layer {} halves a picture of {} x {}", config.arch.text, i + 1, H, W));
      H /= 2;
      W /= 2;
    }
    layers_.push_back(std::move(layer));
  }
  params.freeze();
  init(0);
}

template <class T>
void Classifier<T>::add_norm(Layer& layer, const std::string& name, int64_t width) {
  if (config_.norm == nn::Norm::none) return;
  layer.norm_name = name;
  if (config_.norm == nn::Norm::batch) {
    std::vector<int> channels(static_cast<size_t>(width));
    std::iota(channels.begin(), channels.end(), 0);
    layer.batch = nn::BatchNorm<T>(this->params_, name, width, std::move(channels));
  } else {
    layer.gamma = this->params_.add(name + ".gamma", Shape{width}, false);
    layer.beta = this->params_.add(name + ".beta", Shape{width}, false);
  }
}

template <class T>
Json Classifier<T>::config() const {
  Json json = Json::object();
  json.set("arch", config_.arch.text);
  json.set("norm", nn::norm_name(config_.norm));
  json.set("activation", activation_name(config_.activation));
  json.set("input", Json::array({Json(config_.channels), Json(config_.height), Json(config_.width)}));
  json.set("classes", config_.classes);
  return json;
}

template <class T>
void Classifier<T>::init(uint64_t seed) {
  ParamSet<T>& params = this->params_;
  const double gain = config_.activation == Activation::tanh ? 1.0 : std::numbers::sqrt2;
  for (const Layer& layer : layers_) {
    // The last map starts small, so that the first losses are near log(classes).
    if (layer.kind == Arch::Kind::linear) layer.linear.init(params, seed, layer.hidden ? gain : 0.5);
    if (layer.kind == Arch::Kind::conv) layer.conv.init(params, seed, gain);
    if (layer.norm_name.empty()) continue;
    if (config_.norm == nn::Norm::batch) {
      layer.batch.init(params);
    } else {
      for (T& g : params.value(layer.gamma).span()) g = T(1);
      for (T& b : params.value(layer.beta).span()) b = T(0);
    }
  }
}

template <class T>
Var<T> Classifier<T>::activate(Var<T> x) const {
  switch (config_.activation) {
    case Activation::relu:
      return ops::relu(x);
    case Activation::tanh:
      return ops::tanh(x);
    case Activation::gelu:
      break;
  }
  return ops::gelu(x);
}

template <class T>
Var<T> Classifier<T>::norm_and_activate(Tape<T>& tape, const Layer& layer, Var<T> x, T* batch_stats) const {
  const ParamSet<T>& params = this->params_;
  if (layer.norm_name.empty()) return activate(x);
  if (config_.norm == nn::Norm::layer)
    return activate(ops::layer_norm(x, tape.param(params, layer.gamma), tape.param(params, layer.beta)));
  if (config_.activation == Activation::relu) return layer.batch.forward(tape, params, x, batch_stats, 0);
  return activate(layer.batch.normalise(tape, params, x, batch_stats));
}

template <class T>
Var<T> Classifier<T>::forward(Tape<T>& tape, View<const T> x, T* batch_stats) const {
  const int64_t B = x.shape[0];
  if (x.shape.rank() != 2 || x.shape[1] != input_size())
    throw Error(ErrorKind::mismatch,
                text("pictures of shape {} where (batch, {}) is expected", x.shape.str(), input_size()));
  Var<T> h = tape.constant(x);
  if (config_.arch.of_pictures) h = ops::reshape(h, {B, config_.height, config_.width, config_.channels});
  for (const Layer& layer : layers_) {
    switch (layer.kind) {
      case Arch::Kind::conv:
        h = norm_and_activate(tape, layer, layer.conv.forward(tape, this->params_, h), batch_stats);
        break;
      case Arch::Kind::max_pool:
        h = ops::max_pool2d(h, layer.kernel, {.stride = layer.stride});
        break;
      case Arch::Kind::mean_pool:
        h = ops::mean_pool2d(h, layer.kernel, {.stride = layer.stride});
        break;
      case Arch::Kind::linear:
        if (h.shape().rank() == 4)
          h = ops::reduce(ops::reshape(h, {B, h.shape()[1] * h.shape()[2], h.shape()[3]}), 1,
                          ops::Reduction::mean);
        h = layer.linear.forward(tape, this->params_, h);
        if (layer.hidden) h = norm_and_activate(tape, layer, h, batch_stats);
    }
  }
  return h;
}

template class Classifier<float>;
template class Classifier<double>;

}  // namespace dws
