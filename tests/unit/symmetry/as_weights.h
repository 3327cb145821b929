// A network with weights for inputs: whatever is claimed of what lies between them and its output is put to the test.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <set>
#include <string>
#include <vector>

#include "core/text.h"
#include "found.h"
#include "symmetry/verify.h"

namespace dws::symmetry {

using network::Array;
using network::ArrayPtr;
using network::Network;

// A network whose inputs have become weights; `bytes` is what these point into.
struct Weights {
  Network net;
  std::vector<ArrayPtr> inputs;
  std::deque<std::vector<std::byte>> bytes;

  // All inputs become constants but the first `kept`.
  void fix(const std::vector<ArrayPtr>& given, size_t kept) {
    for (size_t i = kept; i < given.size(); ++i) {
      bytes.push_back(network::to_bytes(*given[i]));
      network::Value& value = net.values[static_cast<size_t>(net.graph.inputs[i])];
      value.constant = static_cast<int>(net.constants.size());
      net.constants.push_back(
          {.name = value.name, .type = given[i]->type, .dims = given[i]->dims, .bytes = bytes.back()});
    }
    net.graph.inputs.resize(kept);
    for (size_t i = 0; i < kept; ++i)
      inputs.push_back(std::make_shared<const Array>(Array{.type = given[i]->type, .dims = given[i]->dims}));
  }
  // The first output times a weight for each item of an axis.
  void weigh(int64_t axis, const Array& like) {
    Array weight{.type = like.type, .dims = std::vector<int64_t>(like.dims.size(), 1)};
    weight.dims[static_cast<size_t>(axis)] = like.dims[static_cast<size_t>(axis)];
    Rng rng(5);
    for (int64_t i = 0; i < weight.size(); ++i)
      weight.reals.push_back(network::round_to(like.type, rng.normal()));
    bytes.push_back(network::to_bytes(weight));
    net.values.push_back({.name = "weight", .constant = static_cast<int>(net.constants.size())});
    net.constants.push_back(
        {.name = "weight", .type = like.type, .dims = weight.dims, .bytes = bytes.back()});
    net.values.push_back({.name = "weighed"});
    network::Node node{.name = "weigh", .op = "Mul", .domain = ""};
    node.version = 13;
    node.inputs = {net.graph.outputs[0], static_cast<int>(net.values.size()) - 2};
    node.outputs = {static_cast<int>(net.values.size()) - 1};
    net.graph.nodes.push_back(node);
    net.graph.outputs = node.outputs;
  }
  // The first output summed over an axis.
  void sum_over(int64_t axis) {
    OnnxAttribute axes;
    axes.name = "axes";
    axes.kind = OnnxAttribute::Kind::ints;
    axes.ints = {axis};
    net.values.push_back({.name = "sum"});
    network::Node node{.name = "sum", .op = "ReduceSum", .domain = ""};
    node.version = 11;
    node.inputs = {net.graph.outputs[0]};
    node.outputs = {static_cast<int>(net.values.size()) - 1};
    node.attributes = {axes};
    net.graph.nodes.push_back(node);
    net.graph.outputs = node.outputs;
  }
};

struct Count {
  int claims = 0;
  std::set<std::string> operators;
};
inline void prove(const std::string& name, Weights w, Count& count) {
  const Spec spec = discover(w.net, w.inputs);
  if (spec.groups.empty()) return;
  ++count.claims;
  count.operators.insert(w.net.graph.nodes[0].op);
  const Verdict verdict = verify(w.net, w.inputs, spec, {.trials = 2});
  EXPECT_TRUE(verdict.holds) << name << ": " << verdict.difference << ' ' << to_json(spec).dump();
}

// As it is, and with each axis of the first output summed away, alike or with weights; all inputs weights, or all but the first.
// `like`: the output.
inline void prove_as_weights(const std::string& name, const Network& net, const std::vector<ArrayPtr>& given,
                             const Array& like, Count& count) {
  for (const size_t kept : {size_t{0}, size_t{1}})
    for (int64_t axis = -1; axis < static_cast<int64_t>(like.dims.size()); ++axis)
      for (const bool weighted : {false, true}) {
        if (weighted && (axis < 0 || !like.real())) continue;
        Weights w{.net = net, .inputs = {}, .bytes = {}};
        w.fix(given, kept);
        if (weighted) w.weigh(axis, like);
        if (axis >= 0) w.sum_over(axis);
        prove(text("{}, axis {}{}, {} inputs", name, axis, weighted ? " weighted" : "", kept), std::move(w),
              count);
      }
}

// prove_as_weights() of a network on random inputs; how many claims it makes.
inline int claims_of_weights(const std::string& name, const Found& f) {
  Rng rng(9);
  const auto inputs = random_inputs(f.net, f.inputs, {}, rng);
  const auto outputs = network::Executor(f.net, network::Precision::f64).run(inputs);
  Count count;
  prove_as_weights(name, f.net, inputs, *outputs.at(0), count);
  return count.claims;
}

}  // namespace dws::symmetry
