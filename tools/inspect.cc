// dws inspect: what a zoo, a network or a model is.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>

#include "command.h"
#include "convert_network.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/text.h"
#include "format/safetensors.h"
#include "inspect_network.h"
#include "metanets/registry.h"
#include "network_input.h"
#include "output.h"
#include "symmetry/layout.h"
#include "tasknets/network_file.h"

namespace dws::tools {
namespace {

constexpr int64_t kMostRead = 10000;  // networks whose numbers go into the statistics

// Mean and deviation of one tensor's finite numbers over networks.
struct Moments {
  double sum = 0, squares = 0;
  int64_t count = 0, not_finite = 0;
  // How many of `values` are not finite.
  int64_t add(std::span<const float> values) noexcept {
    int64_t bad = 0;
    for (float x : values) {
      if (!std::isfinite(x)) {
        ++bad;
        continue;
      }
      sum += x;
      squares += static_cast<double>(x) * x;
    }
    count += static_cast<int64_t>(values.size()) - bad;
    not_finite += bad;
    return bad;
  }
  double mean() const noexcept { return count ? sum / static_cast<double>(count) : 0; }
  double deviation() const noexcept {
    return count ? std::sqrt(std::max(0.0, squares / static_cast<double>(count) - mean() * mean())) : 0;
  }
};

Json describe_network_kind(const ZooInfo& info) {
  Json json = Json::object();
  json.set("architecture", info.arch.str());
  json.set("parameters", info.arch.param_count());
  json.set("activation", info.activation);
  if (info.activation == "siren") json.set("omega", info.omega);
  if (info.fourier_features > 0) json.set("fourier_features", info.fourier_features);
  if (info.image_height > 0)
    json.set("image", Json::array({info.image_height, info.image_width, info.channels}));
  Json groups = Json::array();
  for (const symmetry::Group& group : symmetry::mlp_layout(info.arch.dims).groups) {
    Json entry = Json::object();
    entry.set("name", group.name);
    entry.set("kind", "permutation");
    entry.set("size", group.size);
    groups.push_back(entry);
  }
  json.set("groups", groups);
  return json;
}

Json inspect_zoo(const std::string& path) {
  const Zoo zoo = Zoo::open(path);
  warn_if_assumed(zoo);
  if (!zoo.remark().empty()) log_warn(zoo.remark());
  const ZooInfo& info = zoo.info();
  Json json = Json::object();
  json.set("schema", "dws.inspect/1");
  json.set("file", path);
  json.set("kind", zoo.size() == 1 ? "network" : "zoo");
  json.set("networks", zoo.size());
  const Json about = describe_network_kind(info);
  for (const auto& [key, value] : about.as_object()) json.set(key, value);

  std::map<int64_t, int64_t> labels;
  std::vector<int64_t> images;  // sorted later: a set would take six times as much memory
  images.reserve(static_cast<size_t>(zoo.size()));
  double psnr_sum = 0, psnr_min = 0, psnr_max = 0;
  int64_t fitted = 0;
  PagesBehind pages(zoo);
  for (int64_t i = 0; i < zoo.size(); ++i) {
    if (zoo.has_labels()) ++labels[zoo.label(i)];
    images.push_back(zoo.image_id(i));
    if (const std::optional<float> psnr = zoo.psnr(i)) {
      psnr_min = fitted ? std::min<double>(psnr_min, *psnr) : *psnr;
      psnr_max = fitted ? std::max<double>(psnr_max, *psnr) : *psnr;
      psnr_sum += *psnr;
      ++fitted;
    }
    pages.passed(i);
  }
  std::sort(images.begin(), images.end());
  json.set("images", static_cast<int64_t>(std::unique(images.begin(), images.end()) - images.begin()));
  images = {};
  if (!labels.empty()) {
    Json counts = Json::object();
    for (const auto& [label, count] : labels) counts.set(label < 0 ? "unknown" : text("{}", label), count);
    json.set("labels", counts);
  }
  if (fitted > 0) {
    Json psnr = Json::object();
    psnr.set("mean", psnr_sum / static_cast<double>(fitted));
    psnr.set("min", psnr_min);
    psnr.set("max", psnr_max);
    json.set("psnr", psnr);
  }
  const symmetry::Layout layout = symmetry::mlp_layout(info.arch.dims);
  std::vector<Moments> moments(layout.tensors.size());
  std::vector<float> numbers(static_cast<size_t>(info.arch.param_count()));
  const int64_t read = std::min(zoo.size(), kMostRead);
  int64_t bad_networks = 0, first_bad = -1;
  for (int64_t i = 0; i < read; ++i) {
    check_interrupt();
    zoo.read_as_is(i, numbers);
    size_t at = 0;
    int64_t bad = 0;
    for (size_t t = 0; t < moments.size(); ++t) {
      const auto size = static_cast<size_t>(layout.tensors[t].size());
      bad += moments[t].add(std::span(numbers).subspan(at, size));
      at += size;
    }
    if (bad > 0 && bad_networks++ == 0) first_bad = i;
    pages.passed(i);
  }
  json.set("statistics_of", read);
  if (bad_networks > 0) {
    json.set("not_finite_networks", bad_networks);
    json.set("first_not_finite", zoo.name(first_bad));
  }
  Json tensors = Json::array();
  for (size_t t = 0; t < moments.size(); ++t) {
    Json entry = Json::object();
    entry.set("name", layout.tensors[t].name);
    Json shape = Json::array();
    for (int64_t extent : layout.tensors[t].dims) shape.push_back(extent);
    entry.set("shape", shape);
    entry.set("mean", moments[t].mean());
    entry.set("deviation", moments[t].deviation());
    if (moments[t].not_finite > 0) entry.set("not_finite", moments[t].not_finite);
    tensors.push_back(entry);
  }
  json.set("tensors", tensors);
  if (!info.fit.is_null()) json.set("fit", info.fit);
  if (!info.source.is_null()) json.set("source", info.source);
  return json;
}

Json inspect_model(const std::string& path) {
  const ModelFile file = load_model(path);
  if (!file.remark.empty()) log_warn(file.remark);
  Json json = Json::object();
  json.set("schema", "dws.inspect/1");
  json.set("file", path);
  json.set("kind", "model");
  json.set("model", std::string(file.model->kind()));
  json.set("parameters", file.model->params().size());
  json.set("invariant", file.model->invariant());
  json.set("config", file.model->config());
  json.set("reads", describe_network_kind(file.zoo));
  Json classes = Json::array();
  for (const std::string& name : file.classes) classes.push_back(name);
  json.set("classes", classes);
  json.set("recipe", file.recipe);
  return json;
}

Json inspect(const std::string& path, const NetworkOptions& network) {
  std::error_code ignored;
  if (is_network(path)) return inspect_network(path, network);
  if (!std::filesystem::is_directory(path, ignored)) {
    const Safetensors file = Safetensors::open(path);
    if (file.meta("dws.model")) return inspect_model(path);
    if (file.meta(kNetworkEntry)) return inspect_network(path, network);
    if (const std::string* meta = file.meta("dws.checkpoint")) {
      const Json about = Json::parse(*meta, path);
      Json json = Json::object();
      json.set("schema", "dws.inspect/1");
      json.set("file", path);
      json.set("kind", "checkpoint");
      json.set("settings", about.at("settings"));
      json.set("state", about.at("state"));
      return json;
    }
  }
  return inspect_zoo(path);
}

// A JSON value as words: {"0": 60, "1": 60} is "0: 60, 1: 60".
std::string words(const Json& value) {
  std::vector<std::string> parts;
  if (value.is_object()) {
    for (const auto& [key, item] : value.as_object()) parts.push_back(key + ": " + words(item));
    return join(parts, ", ");
  }
  if (value.is_array()) {
    for (const Json& item : value.as_array()) parts.push_back(words(item));
    return join(parts, " ");
  }
  if (value.is_string()) return escaped(value.as_string(), 400);
  if (value.is_number() && !value.is_integer()) return text("{:.6g}", value.as_double());
  return value.dump();
}

void print_words(const Json& json) {
  print(text("{}: {}", json.at("file").as_string(), json.at("kind").as_string()));
  for (const auto& [key, value] : json.as_object()) {
    if (key == "schema" || key == "file" || key == "kind") continue;
    if (key == "statistics_of") {
      if (value.as_int() < json.at("networks").as_int())
        print(text("  statistics of the first {} networks", value.as_int()));
    } else if (key == "tensors" || key == "groups") {
      for (const Json& item : value.as_array())
        print(text("  {} {}", key.substr(0, key.size() - 1), words(item)));
    } else {
      print(text("  {}: {}", key, words(value)));
    }
  }
}

struct Inspect {
  std::vector<std::string> files;
  NetworkOptions network;
  bool json = false;
  int run() const {
    for (const std::string& file : files) {
      const Json about = inspect(file, network);
      if (json)
        print(about.dump());
      else
        print_words(about);
    }
    return 0;
  }
};

}  // namespace

void register_inspect(Options& app, const Globals&, Run& run) {
  auto command = std::make_shared<Inspect>();
  Options* verb = app.add_subcommand("inspect", "say what a zoo, a network, a model or a checkpoint is");
  verb->footer("Example:\n  dws inspect zoo.safetensors model.safetensors --json");
  verb->add_option("FILE", command->files, "files and folders to look at")->required();
  verb->add_flag("--json", command->json, "JSON Lines");
  add_network_options(*verb, command->network);
  verb->callback([command, &run] { run = [command] { return command->run(); }; });
}

}  // namespace dws::tools
