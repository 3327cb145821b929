// What verbs on networks of any kind share: finding the graph, shapes, symmetry.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "format/checkpoint.h"
#include "network/executor.h"
#include "network/network.h"
#include "options.h"
#include "symmetry/spec.h"

namespace dws::tools {

// Options that say what a network's file leaves open.
struct NetworkOptions {
  std::vector<std::string> dims;    // "NAME=N": numbers for free dimensions
  std::vector<std::string> shapes;  // "NAME=2x3": whole shapes of inputs
  std::vector<std::string> set;     // "NAME=NUMBER": inputs that are not random
  std::string external_root;
  bool follow_symlinks = false;
  // For tensors without a graph: the ONNX file whose graph they have, or a recipe with sizes ("NAME=N"), or an activation.
  std::string graph, recipe;
  std::vector<std::string> sizes;
  std::string activation;
};
void add_network_options(Options& verb, NetworkOptions& options);
void add_source_options(Options& verb,
                        NetworkOptions& options);  // of these, where data outside the file is looked for

// A tensor that the network has and its file has not: written besides those of the file.
struct OwnTensor {
  std::string name;
  Bytes like;  // the file's tensor that it is a copy of
  std::shared_ptr<const std::vector<std::byte>> numbers;
  std::vector<AddedTensor::Reader> readers;
};

struct NetworkInput {
  std::shared_ptr<const Onnx> onnx;  // nullptr: the graph is that of a recipe
  std::shared_ptr<const Checkpoint>
      tensors;          // of a network without a graph of its own: where its numbers are
  std::string assumed;  // of a network without a graph of its own: what it was taken for
  std::map<std::string, std::string> stands_for;  // RecipeResult's
  std::shared_ptr<const OwnTensor> own;           // nullptr: there is none
  network::Network network;
  std::vector<network::ArrayPtr> inputs;  // type and shape of each
  std::vector<network::ArrayPtr> shapes;  // of every value
};
// Reads the graph and works out all shapes; warnings go to the log. An .onnx file, or tensors (a safetensors file, an index of
// shards, a folder) as stored_network.h reads them. Throws Error.
NetworkInput read_network(const std::string& path, const NetworkOptions& options);
// The same; what the log would have had is in `network.warnings` and `assumed`.
NetworkInput read_network_silently(const std::string& path, const NetworkOptions& options);

// For who reads a large network: says of a tensor's bytes that they were read for now, so that their pages do not count as memory of this
// process (MappedFile::release). It keeps the files open.
std::function<void(Bytes)> releaser(const NetworkInput& input);

// The network with some of its tensors' numbers replaced, as write_onnx() and write_checkpoint() do it.
void write_changed(const NetworkInput& input, const std::string& path, const std::vector<Patch>& patches,
                   bool force);

// Throws Error{usage} when a file to write, as `option` says, is one that is read, or the network's own: --force is for another's.
void require_other_file(const std::string& written, const std::string& read, const char* option);

bool is_onnx(const std::string& path);

ExternalData external_data(const NetworkOptions& options);

// "NAME=NUMBER" as given with `option`. Throws Error{usage}.
std::map<std::string, double> parse_pairs(const std::vector<std::string>& given, const char* option);

// --set, for verbs that run the network; what it says.
void add_input_options(Options& verb, NetworkOptions& options);
std::map<std::string, double> parse_inputs(const NetworkOptions& options);

// The reference executor holds every number as a double. Throws Error{resource_limit} where that would not fit, instead of
// leaving it to the system to end the program.
void require_memory(const NetworkInput& input, double copies);

// The spec of a file, or found anew where none is given.
symmetry::Spec spec_of(const std::string& file, const NetworkInput& input);

// A spec from a file, its tensors found in the network by name. Throws Error{missing_tensor|mismatch}.
symmetry::Spec read_spec(const std::string& path, const network::Network& network);
// A spec of another network with the same tensors, found in this one by name; `path` for messages. Throws the same.
void find_tensors(symmetry::Spec& spec, const std::string& path, const network::Network& network);

}  // namespace dws::tools
