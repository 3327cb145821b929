// The reference executor: every operator in double precision, one node after another. It is the judge of every claim
// that two networks compute the same.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "network/array.h"
#include "network/network.h"

namespace dws::network {

enum class Precision {
  f64,  // all floating point numbers are doubles, whatever the model says
  f32   // every result is rounded to the type the model gives it, as a runtime does that sums exactly
};

// Numbers in place of a network's own, by constant.
using Replacements = std::map<int, ArrayPtr>;

class Executor {
 public:
  // Refers to the network, which must outlive it. Throws Error{unsupported} naming the first operator that is not known.
  Executor(const Network& network, Precision precision);

  // inputs[i] for network.graph.inputs[i]; the outputs in the order of the graph. Throws Error with the node's name for
  // shapes that do not fit.
  std::vector<ArrayPtr> run(const std::vector<ArrayPtr>& inputs, const Replacements& replaced = {});

 private:
  const Network& network_;
  Precision precision_;
  std::vector<ArrayPtr> constants_;  // converted when first used
  friend class Frame;
};

// What inputs' open shapes stand for while shapes are worked out.
struct InputShapes {
  std::map<std::string, int64_t> dimensions;          // by the dimension's name
  std::map<std::string, std::vector<int64_t>> whole;  // by the input's name
  int64_t otherwise = 8;                              // 2 along the first axis
};

// What is known of every value without running the network: an Array without numbers, or with them where they follow
// from shapes and constants alone; nullptr where nothing is known. Values inside graphs of If, Loop and Scan too.
// `inputs`: for each of network.graph.inputs an array without numbers.
std::vector<ArrayPtr> infer(const Network& network, const std::vector<ArrayPtr>& inputs);

// Type and shape of each input, free dimensions as `given` says; one name is one number wherever it stands. Throws
// Error{usage} for a name that no input has, Error{mismatch} for an input of unknown rank or a shape that contradicts it.
std::vector<ArrayPtr> input_shapes(const Network& network, const InputShapes& given);

}  // namespace dws::network
