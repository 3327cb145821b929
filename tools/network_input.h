// What verbs on networks of any kind share: finding the graph, shapes, symmetry.
#pragma once

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <vector>

#include "network/executor.h"
#include "network/network.h"
#include "symmetry/spec.h"

namespace dws::tools {

// Options that say what a network's file leaves open.
struct NetworkOptions {
  std::vector<std::string> dims;  // "NAME=N": numbers for free dimensions
  std::string external_root;
};
void add_network_options(CLI::App& verb, NetworkOptions& options);

struct NetworkInput {
  std::shared_ptr<const Onnx> onnx;
  network::Network network;
  std::vector<network::ArrayPtr> inputs;  // type and shape of each
  std::vector<network::ArrayPtr> shapes;  // of every value
};
// Reads the graph and works out all shapes; warnings go to the log. Throws Error.
NetworkInput read_network(const std::string& path, const NetworkOptions& options);

// A spec from a file, its tensors found in the network by name. Throws Error{missing_tensor|mismatch}.
symmetry::Spec read_spec(const std::string& path, const network::Network& network);

}  // namespace dws::tools
