// dws align for networks of any kind: ONNX files, safetensors files, folders of shards.
#pragma once

#include <map>
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
  std::string max_memory;  // "": what the method takes by itself
  // Of --method activations.
  DataOptions data;
  std::string form = "correlation";
  bool verify = false, force = false, json = false;

  // 0, or 1 where --verify finds that the aligned network does not compute what B does; then nothing is written.
  int run(const Globals& globals);

 private:
  align::NetworkMatch match_by_activations(const align::Pair& pair, const NetworkInput& of_a,
                                           const NetworkInput& of_b) const;
};

// --- shared with align's other ways ---
// Options that say which graph tensors have are for files without one: those for `path` beside `other`.
NetworkOptions options_for(const std::string& path, const std::string& other, NetworkOptions options);
// Throws Error{missing_tensor|mismatch} for the first tensor that one has and the other has not, or in another shape; then for the
// first operator.
void require_same_architecture(const NetworkInput& a, const NetworkInput& b);
// Throws Error{usage} for a network that stdout has no place for: in shards, or with numbers in other files.
void require_one_file(const NetworkInput& input);
// What is left of a function when numbers are rounded to their types again.
double tolerance_of(const symmetry::Spec& spec, const symmetry::NetworkElement& g,
                    const network::Network& network);
// The largest difference of B and B with these numbers, as they will be stored, over random inputs in double precision.
double difference_of(const NetworkInput& b, network::Replacements replaced,
                     const std::map<std::string, double>& set, uint64_t seed);

// What --verify found, as the last words of a summary's line.
std::string verdict(bool same, double difference);
// Prints the line, or logs it where stdout has the network; the exit code.
int tell(const std::string& line, bool to_stdout, bool same);

// Whether weight matching leaves the networks in their files: where copies of their numbers would take more than `max_memory` bytes ("":
// half of what is left). Throws Error{resource_limit} where it cannot do with that, or with what is left.
bool stay_in_files(const symmetry::Spec& spec, const NetworkInput& a, const NetworkInput& b,
                   const symmetry::Draw& kinds, const std::string& max_memory);

// B as weight matching moves it into A's basis, to `out`, which is new; how near they came goes to the log. `max_memory` as above.
void align_file(const std::string& a, const std::string& b, const std::string& out,
                const NetworkOptions& network, uint64_t seed, const std::string& max_memory = "");

// Whether two files are networks for this, and not zoos: an ONNX file, or what is read as no zoo.
bool are_networks(const std::string& a, const std::string& b);
// What --method may be.
std::vector<std::string> align_methods();

}  // namespace dws::tools
