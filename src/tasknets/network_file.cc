#include "tasknets/network_file.h"

#include "core/text.h"
#include "format/safetensors.h"

namespace dws {

namespace {

using Layer = Classifier<float>::Layer;

Json statement(std::initializer_list<std::pair<const char*, Json>> fields) {
  Json s = Json::object();
  for (const auto& [key, value] : fields) s.set(key, value);
  return s;
}

Json list(std::initializer_list<Json> items) {
  return Json(Json::Array(items));
}

void describe_norm(const Classifier<float>& model, const Layer& layer, Json& graph) {
  if (layer.norm_name.empty()) return;
  const std::string& n = layer.norm_name;
  if (model.settings().norm == nn::Norm::layer)
    graph.push_back(statement(
        {{"op", "layer_norm"}, {"in", "x"}, {"weight", n + ".weight"}, {"bias", n + ".bias"}, {"out", "x"}}));
  else
    graph.push_back(statement({{"op", "batch_norm"},
                               {"in", "x"},
                               {"weight", n + ".weight"},
                               {"bias", n + ".bias"},
                               {"mean", n + ".running_mean"},
                               {"variance", n + ".running_var"},
                               {"out", "x"}}));
}

// All that is written, transposed, until it is.
struct Tensors {
  struct Stored {
    std::string name;
    std::vector<int64_t> shape;
    std::vector<float> numbers;
  };
  std::vector<Stored> all;
  void add(std::string name, std::vector<int64_t> shape, std::vector<float> numbers) {
    all.push_back({std::move(name), std::move(shape), std::move(numbers)});
  }
  void add(std::string name, View<const float> v) {
    add(std::move(name), {v.shape.begin(), v.shape.end()}, {v.span().begin(), v.span().end()});
  }
};

// (F, G) as (G, F); features of a picture (H, W, C) in the order C, H, W.
std::vector<float> linear_weight(View<const float> w, int64_t places, int64_t channels) {
  const int64_t F = w.shape[0], G = w.shape[1];
  std::vector<float> out(static_cast<size_t>(F * G));
  for (int64_t f = 0; f < F; ++f) {
    const int64_t to = places > 0 ? f % channels * places + f / channels : f;
    for (int64_t g = 0; g < G; ++g) out[static_cast<size_t>(g * F + to)] = w.data[f * G + g];
  }
  return out;
}

// (K, K, C, F) as (F, C, K, K).
std::vector<float> conv_weight(View<const float> w) {
  const int64_t taps = w.shape[0] * w.shape[1], C = w.shape[2], F = w.shape[3];
  std::vector<float> out(static_cast<size_t>(taps * C * F));
  for (int64_t t = 0; t < taps; ++t)
    for (int64_t c = 0; c < C; ++c)
      for (int64_t f = 0; f < F; ++f)
        out[static_cast<size_t>((f * C + c) * taps + t)] = w.data[(t * C + c) * F + f];
  return out;
}

}  // namespace

Json describe(const Classifier<float>& model) {
  const ClassifierConfig& c = model.settings();
  const bool pictures = c.arch.of_pictures;
  // The recipe language's name for the form of GELU that is computed.
  const std::string activation =
      c.activation == Activation::gelu ? "gelu_tanh" : activation_name(c.activation);
  // In the recipe too it can be asked for another one (--activation).
  const Json kind = statement({{"config", "activation"}, {"default", activation}});
  Json graph = Json::array();
  const Json dims =
      pictures ? list({"batch", c.channels, c.height, c.width}) : list({"batch", model.input_size()});
  graph.push_back(statement({{"op", "input"}, {"out", "x"}, {"dims", dims}, {"channels", 1}}));
  bool places = pictures;
  for (const Layer& layer : model.layers()) {
    if (layer.kind == Arch::Kind::max_pool) {
      graph.push_back(statement({{"op", "max_pool"}, {"in", "x"}, {"kernel", layer.kernel}, {"out", "x"}}));
      continue;
    }
    if (layer.kind == Arch::Kind::mean_pool) {
      const Json two = list({layer.kernel, layer.kernel});
      graph.push_back(statement({{"onnx", "AveragePool"},
                                 {"in", list({"x"})},
                                 {"attributes", statement({{"kernel_shape", two}, {"strides", two}})},
                                 {"out", "x"}}));
      continue;
    }
    if (layer.kind == Arch::Kind::conv) {
      graph.push_back(statement({{"op", "conv"},
                                 {"in", "x"},
                                 {"weight", layer.name + ".weight"},
                                 {"bias?", layer.name + ".bias"},
                                 {"stride", layer.stride},
                                 {"out", "x"}}));
    } else {
      if (places) graph.push_back(statement({{"op", "mean_pool"}, {"in", "x"}, {"out", "x"}}));
      places = false;
      graph.push_back(statement({{"op", "linear"},
                                 {"in", "x"},
                                 {"weight", layer.name + ".weight"},
                                 {"bias", layer.name + ".bias"},
                                 {"out", "x"}}));
    }
    if (!layer.hidden) continue;
    describe_norm(model, layer, graph);
    graph.push_back(statement({{"op", "activation"}, {"in", "x"}, {"kind", kind}, {"out", "x"}}));
  }
  graph.push_back(statement({{"op", "output"}, {"in", "x"}, {"out", "logits"}}));
  Json recipe = Json::object();
  recipe.set("schema", "dws.recipe/1");
  recipe.set("name", c.arch.text);
  recipe.set("anchor", "fc1.weight");
  recipe.set("graph", graph);
  Json entry = Json::object();
  entry.set("schema", "dws.network/1");
  entry.set("recipe", recipe);
  entry.set("activation", activation);
  return entry;
}

void save_network(const std::string& path, const Classifier<float>& model,
                  std::vector<std::pair<std::string, std::string>> metadata, bool force) {
  const ParamSet<float>& params = model.params();
  const ClassifierConfig& c = model.settings();
  Tensors tensors;
  bool flat = !c.arch.of_pictures;  // the next linear map sees all pixels
  for (const Layer& layer : model.layers()) {
    if (layer.kind == Arch::Kind::linear) {
      const View<const float> w = params.value(layer.linear.weight());
      tensors.add(layer.name + ".weight", {w.shape[1], w.shape[0]},
                  linear_weight(w, flat ? c.height * c.width : 0, c.channels));
      tensors.add(layer.name + ".bias", params.value(layer.linear.bias()));
      flat = false;
    } else if (layer.kind == Arch::Kind::conv) {
      const View<const float> w = params.value(layer.conv.weight());
      tensors.add(layer.name + ".weight", {w.shape[3], w.shape[2], w.shape[0], w.shape[1]}, conv_weight(w));
      if (layer.conv.bias() >= 0) tensors.add(layer.name + ".bias", params.value(layer.conv.bias()));
    }
    if (layer.norm_name.empty()) continue;
    if (c.norm == nn::Norm::layer) {
      tensors.add(layer.norm_name + ".weight", params.value(layer.gamma));
      tensors.add(layer.norm_name + ".bias", params.value(layer.beta));
    } else {
      tensors.add(layer.norm_name + ".weight", params.value(layer.batch.gamma()));
      tensors.add(layer.norm_name + ".bias", params.value(layer.batch.beta()));
      tensors.add(layer.norm_name + ".running_mean", params.buffer(layer.batch.mean()));
      tensors.add(layer.norm_name + ".running_var", params.buffer(layer.batch.var()));
    }
  }
  std::vector<TensorSource> sources;
  for (const Tensors::Stored& t : tensors.all)
    sources.push_back(TensorSource::of(t.name, t.shape, std::span<const float>(t.numbers)));
  metadata.emplace_back(kNetworkEntry, describe(model).dump());
  write_safetensors(path, std::move(sources), metadata, force);
}

}  // namespace dws
