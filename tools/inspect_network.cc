#include "inspect_network.h"

#include <algorithm>
#include <map>
#include <memory>

#include "core/error.h"
#include "core/shape.h"
#include "core/text.h"
#include "network_input.h"

namespace dws::tools {
namespace {

constexpr std::string_view kActivations[] = {
    "Celu", "Elu",  "Erf",     "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish",  "PRelu",
    "Relu", "Selu", "Sigmoid", "Sin",  "Softmax",     "Softplus",  "Softsign",  "Swish", "Tanh"};

// "input (batch, 3)": a free dimension by its name, or "?".
std::string shape_of(const network::Value& value) {
  std::string text_ = value.type ? onnx_type_name(*value.type) : "not a tensor";
  if (!value.dims) return text_;
  std::vector<std::string> parts;
  for (size_t a = 0; a < value.dims->size(); ++a) {
    const bool named = a < value.symbols.size() && !value.symbols[a].empty();
    parts.push_back((*value.dims)[a] >= 0 ? text("{}", (*value.dims)[a])
                    : named               ? escaped(value.symbols[a])
                                          : "?");
  }
  return text("{} ({})", text_, join(parts, ", "));
}
Json values(const network::Network& net, const std::vector<int>& numbers) {
  Json json = Json::object();
  for (const int v : numbers)
    json.set(net.values[static_cast<size_t>(v)].name, shape_of(net.values[static_cast<size_t>(v)]));
  return json;
}

void describe_graph(const network::Network& net, Json& json) {
  json.set("inputs", values(net, net.graph.inputs));
  json.set("outputs", values(net, net.graph.outputs));
  std::map<std::string, int64_t> ops;
  int64_t nodes = 0;
  network::each_node(net.graph, [&](const network::Node& node) {
    ++nodes;
    ++ops[node.domain.empty() ? node.op : node.domain + "." + node.op];
  });
  json.set("nodes", nodes);
  std::vector<std::pair<std::string, int64_t>> most(ops.begin(), ops.end());
  std::ranges::stable_sort(most, std::greater<>(), &std::pair<std::string, int64_t>::second);
  Json counts = Json::object(), activations = Json::array();
  for (const auto& [op, n] : most) {
    counts.set(op, n);
    if (std::ranges::find(kActivations, op) != std::end(kActivations)) activations.push_back(op);
  }
  json.set("ops", counts);
  json.set("activations", activations);
}

// What is stored: of each type how many numbers.
struct Numbers {
  std::map<std::string, int64_t> types;
  int64_t tensors = 0, parameters = 0, bytes = 0;

  void add(OnnxType type, int64_t elements, size_t size, bool floating) {
    ++tensors;
    types[onnx_type_name(type)] += elements;
    bytes += static_cast<int64_t>(size);
    if (floating) parameters += elements;
  }
  void describe(Json& json) const {
    Json dtypes = Json::object();
    for (const auto& [type, n] : types) dtypes.set(type, n);
    json.set("stored_tensors", tensors);
    json.set("parameters", parameters);
    json.set("numbers", dtypes);
    json.set("bytes", bytes);
  }
};

void describe_symmetry(const NetworkInput& input, Json& json) {
  const symmetry::Spec spec = symmetry::discover(input.network, input.inputs);
  json.set("symmetry", Json::object({{"groups", spec.free_groups()}, {"coverage", spec.coverage()}}));
}

void describe_metadata(const std::vector<std::pair<std::string, std::string>>& metadata, Json& json) {
  if (metadata.empty()) return;
  Json all = Json::object();
  for (const auto& [key, value] : metadata) all.set(key, value);
  json.set("metadata", all);
}

Json inspect_onnx(const std::string& path, const NetworkOptions& options) {
  const auto onnx = std::make_shared<const Onnx>(Onnx::open(path, external_data(options)));
  const network::Network net = network::from_onnx(onnx);
  Json json =
      Json::object({{"schema", "dws.inspect/1"}, {"file", path}, {"kind", "network"}, {"format", "ONNX"}});
  if (!onnx->producer().empty()) json.set("producer", onnx->producer());
  json.set("ir_version", onnx->ir_version());
  Json opsets = Json::object();
  for (const auto& [domain, version] : onnx->opsets())
    opsets.set(domain.empty() ? "ai.onnx" : domain, version);
  json.set("opsets", opsets);
  describe_graph(net, json);
  Numbers numbers;
  for (const network::Constant& c : net.constants)
    numbers.add(c.type, c.elements(), c.bytes.size(), c.floating());
  numbers.describe(json);
  if (!onnx->external_files().empty()) {
    Json files = Json::array();
    for (const auto& [name, file] : onnx->external_files()) files.push_back(name);
    json.set("external_data", files);
  }
  describe_metadata(onnx->metadata(), json);
  try {
    describe_symmetry(read_network(path, options), json);
  } catch (const Error& e) {
    json.set("symmetry", text("not known: {}", e.what()));
  }
  return json;
}

Json inspect_stored(const std::string& path, const NetworkOptions& options) {
  const Checkpoint checkpoint = Checkpoint::open(path, options.follow_symlinks);
  Json json = Json::object(
      {{"schema", "dws.inspect/1"}, {"file", path}, {"kind", "network"}, {"format", "safetensors"}});
  if (checkpoint.sharded()) json.set("shards", static_cast<int64_t>(checkpoint.files().size()));
  try {
    const NetworkInput input = read_network(path, options);
    json.set("taken_for", input.assumed);
    describe_graph(input.network, json);
    Json outputs = Json::object();  // nothing declares them
    for (const int v : input.network.graph.outputs)
      if (const network::ArrayPtr& a = input.shapes[static_cast<size_t>(v)])
        outputs.set(input.network.values[static_cast<size_t>(v)].name,
                    text("{} {} at the sizes tried", onnx_type_name(a->type), shape_text(a->dims)));
    json.set("outputs", outputs);
    describe_symmetry(input, json);
  } catch (const Error& e) {
    json.set("graph", text("not known: {}{}{}", e.what(), e.advice().empty() ? "" : "; ", e.advice()));
  }
  Numbers numbers;
  for (const CheckpointTensor& tensor : checkpoint.tensors())
    if (const auto type = onnx_type(tensor.entry->dtype))
      numbers.add(*type, tensor.entry->elements(), checkpoint.bytes(tensor).size(), network::is_real(*type));
  numbers.describe(json);
  describe_metadata(checkpoint.metadata(), json);
  return json;
}

}  // namespace

Json inspect_network(const std::string& path, const NetworkOptions& options) {
  return is_onnx(path) ? inspect_onnx(path, options) : inspect_stored(path, options);
}

}  // namespace dws::tools
