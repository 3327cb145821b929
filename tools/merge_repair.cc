#include "merge_repair.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/shape.h"
#include "core/text.h"
#include "output.h"
#include "repair.h"
#include "temp_folder.h"

namespace dws::tools {
namespace {

namespace fs = std::filesystem;

struct Merged {
  NetworkInput input;
  std::shared_ptr<const Checkpoint> numbers;  // of a graph, which the constants refer to
};

// The numbers of a checkpoint in place of those of a network with a graph.
void put_numbers(Merged& merged) {
  for (network::Constant& c : merged.input.network.constants) {
    if (c.made) continue;
    const CheckpointTensor* tensor = merged.numbers->find(c.name);
    if (!tensor) continue;
    if (onnx_dtype(c.type) != tensor->entry->dtype || c.dims != tensor->entry->shape)
      throw Error(ErrorKind::mismatch,
                  text("tensor '{}' is {} {}, but {} {} in its graph: it cannot be run", escaped(c.name),
                       dtype_name(tensor->entry->dtype), tensor->entry->shape_str(), onnx_type_name(c.type),
                       shape_text(c.dims)));
    c.bytes = merged.numbers->bytes(*tensor);
  }
}

// The merged network while its files have temporary names, which messages do not say.
Merged read_merged(const merge::PartialOutput& output, const merge::Input& pattern, NetworkOptions options,
                   const std::string& out) {
  const TempFolder links;
  std::string path = output.readable();
  std::error_code none;
  if (!fs::is_directory(path, none)) {  // a file is known by its ending
    const std::string link = links.file("merged.safetensors");
    fs::create_symlink(fs::absolute(path), link);
    path = link;
  }
  Merged merged;
  try {
    if (pattern.onnx()) {
      merged.input = read_network_silently(pattern.path(), options);
      merged.numbers = std::make_shared<const Checkpoint>(Checkpoint::open(path));
      put_numbers(merged);
    } else {
      merged.input = read_network_silently(path, options);
    }
  } catch (const Error& error) {
    std::string what = error.what();
    if (const size_t at = what.find(path); at != what.npos)
      what.replace(at, path.size(), one_line(out));
    else
      what = text("{}: {}", one_line(out), what);
    throw Error(error.kind(), "--repair: " + what, error.advice());
  }
  merged.input.network.file = out;
  return merged;
}

bool by_weight(merge::Method method) {
  using merge::Method;
  return method == Method::linear || method == Method::nuslerp || method == Method::multislerp ||
         method == Method::karcher;
}

}  // namespace

MergeRepair::MergeRepair(DataOptions data, NetworkOptions network, std::vector<NetworkFile> sources,
                         Shares shares)
    : data_(std::move(data)),
      network_(std::move(network)),
      sources_(std::move(sources)),
      shares_(std::move(shares)) {}

void MergeRepair::prepare(const merge::PartialOutput& output, const merge::Input& pattern,
                          const std::string& out) {
  const Merged merged = read_merged(output, pattern, network_, out);
  if (!merged.input.assumed.empty()) log_info(text("{}: taken for {}", one_line(out), merged.input.assumed));
  samples_ = read_data(data_, merged.input);
  const network::Repair repair(merged.input.network, {network::sample_dims(merged.input.network, *samples_)});
  if (repair.layers() == 0)
    throw Error(ErrorKind::empty,
                text("{}: --repair: no layer whose statistics could be set right", one_line(out)),
                "leave out --repair");
  if (!repair.has_norms()) measure(repair, merged.input.network);
}

void MergeRepair::measure(const network::Repair& repair, const network::Network& merged) {
  struct Share {
    size_t layer;
    std::string tensor;
    double part;
  };
  std::vector<std::vector<Share>> by_network(sources_.size());
  for (size_t l = 0; l < repair.layers(); ++l) {
    const std::string& name = merged.constants[static_cast<size_t>(repair.constant(l))].name;
    const std::vector<RepairShare> shares = shares_(name);
    double total = 0;
    for (const RepairShare& share : shares) total += share.weight;
    if (!(std::abs(total) > 0))
      throw Error(ErrorKind::usage,
                  text("--repair: the weights of '{}' sum to 0, of which there is no mean", escaped(name)));
    for (const RepairShare& share : shares)
      by_network[share.network].push_back({l, share.tensor, share.weight / total});
  }
  goals_.resize(repair.layers());
  Progress progress("repair", "networks", static_cast<int64_t>(sources_.size()));
  for (size_t k = 0; k < sources_.size(); progress.add(1), ++k) {
    if (by_network[k].empty()) continue;
    check_interrupt();
    const NetworkInput one = read_network(sources_[k].path, sources_[k].options);
    network::Repair of_one(one.network, {network::sample_dims(one.network, *samples_)});
    const std::vector<network::ChannelStatistics> found = of_one.measure(repair_data(*samples_));
    std::map<std::string_view, const network::ChannelStatistics*> by_tensor;
    for (size_t l = 0; l < found.size(); ++l)
      by_tensor.emplace(one.network.constants[static_cast<size_t>(of_one.constant(l))].name, &found[l]);
    for (const Share& share : by_network[k]) {
      const auto at = by_tensor.find(share.tensor);
      network::ChannelStatistics& goal = goals_[share.layer];
      if (goal.mean.empty() && at != by_tensor.end()) {
        goal.mean.resize(at->second->mean.size());
        goal.deviation.resize(goal.mean.size());
      }
      if (at == by_tensor.end() || goal.mean.size() != at->second->mean.size())
        throw Error(ErrorKind::mismatch,
                    text("{}: --repair: no hidden layer '{}' of as many channels as the merged network has",
                         one_line(sources_[k].path), escaped(share.tensor)));
      for (size_t c = 0; c < goal.mean.size(); ++c) {
        goal.mean[c] += share.part * at->second->mean[c];
        goal.deviation[c] += share.part * at->second->deviation[c];
      }
    }
  }
}

std::vector<std::pair<std::string, std::vector<std::byte>>> MergeRepair::run(
    const merge::PartialOutput& output, const merge::Input& pattern, const std::string& out) {
  const Merged merged = read_merged(output, pattern, network_, out);
  const network::Network& network = merged.input.network;
  network::Repair repair(network, {network::sample_dims(network, *samples_)});
  std::vector<std::pair<std::string, std::vector<std::byte>>> changed;
  for (const auto& [constant, numbers] : repair.run(repair_data(*samples_), goals_)) {
    const network::Constant& c = network.constants[static_cast<size_t>(constant)];
    network::Array array{.type = c.type, .dims = c.dims};
    array.reals.assign(numbers.begin(), numbers.end());
    changed.emplace_back(c.name, network::to_bytes(array));
  }
  say_repair(repair, out, samples_->size());
  done_ = Json::object({{"kind", repair.has_norms() ? "batch_norm" : "repair"},
                        {"layers", static_cast<int64_t>(repair.layers())},
                        {"passes", repair.passes()},
                        {"samples", samples_->size()},
                        {"skipped", static_cast<int64_t>(repair.skipped().size())}});
  return changed;
}

MergeRepair::Shares shares_of(const merge::Plan& plan) {
  std::map<std::string, std::vector<RepairShare>> by_tensor;
  for (const merge::OutputTensor& t : plan.tensors) {
    std::vector<RepairShare>& shares = by_tensor[t.name];
    for (const merge::Source& s : t.sources)
      shares.push_back({static_cast<size_t>(s.input), s.tensor, by_weight(t.method) ? s.weight : 1});
    if (t.method == merge::Method::slerp && shares.size() == 2) {
      shares[0].weight = 1 - t.parameters.t;
      shares[1].weight = t.parameters.t;
    }
  }
  return [by_tensor = std::move(by_tensor)](const std::string& tensor) {
    const auto at = by_tensor.find(tensor);
    return at == by_tensor.end() ? std::vector<RepairShare>{} : at->second;
  };
}

Json repair_recipe(const DataOptions& data) {
  Json hashes = Json::object();
  for (const std::string& file : data.data) hashes.set(file, hash_input(file));
  return Json::object({{"data", std::move(hashes)}, {"limit", data.limit}});
}

}  // namespace dws::tools
