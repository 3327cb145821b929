// dws align for networks of any kind: ONNX files, safetensors files, folders of shards.
#pragma once

#include <string>

#include "align/match_network.h"
#include "command.h"
#include "data_input.h"
#include "network_input.h"

namespace dws::tools {

struct AlignNetwork {
  std::string a, b, out;
  std::string method = "weights", spec_file, apply, emit, groups;
  NetworkOptions network;
  align::NetworkMatchOptions options;
  // Of --method activations.
  DataOptions data;
  std::string form = "correlation", max_memory = "512MB";
  bool verify = false, force = false, json = false;

  // 0, or 1 where --verify finds that the aligned network does not compute what B does; then nothing is written.
  int run(const Globals& globals);

 private:
  align::NetworkMatch match_by_activations(const align::Pair& pair, const NetworkInput& of_a,
                                           const NetworkInput& of_b) const;
};

// Whether two files are networks for this, and not zoos: an ONNX file, or what is read as no zoo.
bool are_networks(const std::string& a, const std::string& b);
// What --method may be.
std::vector<std::string> align_methods();

}  // namespace dws::tools
