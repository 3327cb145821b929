// `dws merge --repair`: statistics of the merged network set right before it gets its name.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data_input.h"
#include "merge/partial_output.h"
#include "merge/plan.h"
#include "merge_source.h"
#include "network/repair.h"

namespace dws::tools {

// A layer of the merged network is made of that of one network, to this share: its channels' mean and deviation become the mean of
// theirs (of networks with BatchNorm nothing is asked for).
struct RepairShare {
  size_t network = 0;  // number in MergeRepair's list
  std::string tensor;  // the layer's weight there
  double weight = 1;
};

class MergeRepair {
 public:
  // By the name of a layer's weight in the merged network.
  using Shares = std::function<std::vector<RepairShare>(const std::string& tensor)>;

  // `network`: what the merged network's file leaves open.
  MergeRepair(DataOptions data, NetworkOptions network, std::vector<NetworkFile> sources, Shares shares);

  // Reads the data and the sources, once the output has its files and before its numbers are made: what is wrong comes first. Throws
  // Error for a network that cannot be run, naming `out`, Error{empty} for one without layers to repair, Error{mismatch} for sources without
  // its layers.
  void prepare(const merge::PartialOutput& output, const merge::Input& pattern, const std::string& out);
  // New numbers by tensor, once all numbers are made; says on stderr what was done. Throws Error.
  std::vector<std::pair<std::string, std::vector<std::byte>>> run(const merge::PartialOutput& output,
                                                                  const merge::Input& pattern,
                                                                  const std::string& out);
  // For the summary: {"kind", "layers", "passes", "samples", "skipped"}.
  const Json& done() const noexcept { return done_; }

 private:
  void measure(const network::Repair& repair, const network::Network& merged);

  DataOptions data_;
  NetworkOptions network_;
  std::vector<NetworkFile> sources_;
  Shares shares_;
  std::optional<LabelledData> samples_;
  std::vector<network::ChannelStatistics> goals_;  // of each layer
  Json done_;
};

// What the plan's tensors are made of: by weight where the method takes a mean, in equal shares else. Numbers of networks are those of
// the plan's inputs.
MergeRepair::Shares shares_of(const merge::Plan& plan);

// What a recipe says of it: the data's hashes and the limit.
Json repair_recipe(const DataOptions& data);

}  // namespace dws::tools
