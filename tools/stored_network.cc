#include "stored_network.h"

#include <cmath>
#include <filesystem>
#include <map>

#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/shape.h"
#include "core/text.h"
#include "format/zoo.h"
#include "network/stored.h"
#include "tasknets/network_file.h"

namespace dws::tools {
namespace {

void borrow_graph(const std::string& path, const NetworkOptions& options, NetworkInput& input) {
  input.onnx = std::make_shared<const Onnx>(Onnx::open(options.graph, external_data(options)));
  input.network = network::from_onnx(input.onnx);
  std::map<std::string, network::Constant*> constants;
  for (network::Constant& c : input.network.constants) constants.emplace(c.name, &c);
  for (const CheckpointTensor& tensor : input.tensors->tensors()) {
    const TensorEntry& entry = *tensor.entry;
    const auto at = constants.find(entry.name);
    const auto refuse = [&](const std::string& what) {
      throw Error(ErrorKind::mismatch, text("{}: tensor '{}' {} {}", one_line(path), escaped(entry.name),
                                            what, one_line(options.graph)));
    };
    if (at == constants.end()) refuse("is not in");
    network::Constant& c = *at->second;
    if (onnx_dtype(c.type) != entry.dtype || c.dims != entry.shape)
      refuse(text("is {} {}, but {} {} in", dtype_name(entry.dtype), entry.shape_str(),
                  onnx_type_name(c.type), shape_text(c.dims)));
    c.bytes = input.tensors->bytes(tensor);
  }
  input.network.file = path;
}

network::StoredTensors stored(const std::string& path, const std::shared_ptr<const Checkpoint>& checkpoint) {
  network::StoredTensors all{.file = path, .tensors = {}, .owner = checkpoint};
  for (const CheckpointTensor& tensor : checkpoint->tensors()) {
    const std::optional<OnnxType> type = onnx_type(tensor.entry->dtype);
    if (!type)
      throw Error(ErrorKind::unknown_dtype,
                  text("{}: tensor '{}' is of type {}, which no operator takes", one_line(path),
                       escaped(tensor.entry->name), dtype_name(tensor.entry->dtype)));
    all.tensors.push_back({.name = tensor.entry->name,
                           .type = *type,
                           .dims = tensor.entry->shape,
                           .bytes = checkpoint->bytes(tensor)});
  }
  return all;
}

// What the file itself says of its activation: INRs do.
void ask_zoo(const std::string& path, const Checkpoint& checkpoint, network::ChainSettings& chain) {
  const std::string* said = checkpoint.files().front().meta("dws.zoo");
  if (!said) return;
  const ZooInfo info = ZooInfo::from_json(Json::parse(*said, path), path);
  if (const CheckpointTensor* first = checkpoint.find("layers.0.weight");
      first && first->entry->shape.size() == 3)
    throw Error(ErrorKind::usage, text("{}: holds {} networks", one_line(path), first->entry->shape[0]),
                "`dws convert FILE --range 0:1 --single -o DIR` takes one of them");
  if (!chain.activation.empty()) return;
  chain.activation = info.activation == "siren" ? "sin" : info.activation;
  if (info.activation == "siren") chain.omega = info.omega;
}

// What a file says of itself in its metadata "dws.network" (src/README.md): a recipe or the name of one, and an activation.
void ask_network(const std::string& path, const Checkpoint& checkpoint, network::StoredSettings& settings) {
  const std::string* said = checkpoint.files().front().meta(kNetworkEntry);
  if (!said) return;
  const std::string where = one_line(path) + ": dws.network";
  const Json entry = Json::parse(*said, where);
  if (const Json* recipe = entry.find("recipe"); recipe && settings.recipe.empty()) {
    if (recipe->is_object()) {
      settings.described = *recipe;
    } else {
      settings.recipe = recipe->as_string(where + ": recipe");
      // A name, not a path: what a file says must not make this program read another.
      if (settings.recipe.ends_with(".json"))
        throw Error(ErrorKind::bad_schema,
                    text("{}: the recipe '{}' is a file: expected the name of one that is built in", where,
                         escaped(settings.recipe)));
    }
  }
  if (const Json* activation = entry.find("activation"); activation && settings.chain.activation.empty())
    settings.chain.activation = activation->as_string(where + ": activation");
}

Json read_config(const std::string& path) {
  Json config = Json::parse(read_text(path), path);
  if (!config.is_object())
    throw Error(ErrorKind::bad_schema,
                text("{}: expected the settings of a model, which are a JSON object", one_line(path)));
  return config;
}

}  // namespace

void read_stored(const std::string& path, const NetworkOptions& options, NetworkInput& input) {
  input.tensors = std::make_shared<const Checkpoint>(Checkpoint::open(path, options.follow_symlinks));
  for (const std::string& warning : input.tensors->warnings()) log_warn(warning);
  if (!options.graph.empty()) return borrow_graph(path, options, input);
  network::StoredSettings settings{.recipe = options.recipe};
  for (const auto& [name, size] : parse_pairs(options.sizes, "--size")) {
    if (size < 1 || size > 1e12 || size != std::floor(size))
      throw Error(ErrorKind::usage,
                  text("--size {}={}: expected a whole number of at least 1", escaped(name), size));
    settings.sizes.sizes[name] = static_cast<int64_t>(size);
  }
  settings.chain.activation = options.activation;
  ask_zoo(path, *input.tensors, settings.chain);
  ask_network(path, *input.tensors, settings);
  const std::string config = (std::filesystem::path(input.tensors->folder()) / "config.json").string();
  if (std::error_code none; std::filesystem::is_regular_file(config, none))
    settings.sizes.config = read_config(config);
  if (!settings.chain.activation.empty()) {
    if (settings.sizes.config.is_null()) settings.sizes.config = Json::object();
    settings.sizes.config.set("activation", settings.chain.activation);
  }
  network::RecipeResult result = network::from_tensors(stored(path, input.tensors), settings);
  input.assumed = std::move(result.assumed);
  input.stands_for = std::move(result.stands_for);
  input.network = std::move(result.network);
}

}  // namespace dws::tools
