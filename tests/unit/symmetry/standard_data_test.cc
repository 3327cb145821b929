// No rule claims what does not hold: every case of the ONNX standard's test data as a network whose inputs are weights. What is
// found in it, with each axis of the output summed away in turn, is proved by running it.
#include <gtest/gtest.h>

#include <deque>
#include <set>

#include "../network/standard_data.h"
#include "core/error.h"
#include "core/text.h"
#include "network/context.h"
#include "symmetry/verify.h"

namespace dws::symmetry {
namespace {

namespace fs = std::filesystem;
using network::Array;
using network::ArrayPtr;
using network::Network;

bool runs(const network::Graph& graph) {
  return std::ranges::all_of(graph.nodes, [](const network::Node& node) {
    return network::find_operator(node.domain, node.op) != nullptr &&
           std::ranges::all_of(node.bodies, [](const network::Body& body) { return runs(body.graph); });
  });
}

// The case's network; `given` holds its inputs, `bytes` what its constants point into.
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

// The inputs of a case and its first output; false where one is no tensor.
bool read_case(const fs::path& folder, std::vector<ArrayPtr>& given, ArrayPtr& expected) {
  for (int i = 0; fs::exists(folder / text("input_{}.pb", i)); ++i) {
    given.push_back(testing::read_array(folder / text("input_{}.pb", i)));
    if (!given.back()) return false;
  }
  expected = testing::read_array(folder / "output_0.pb");
  // Weights, not only tables of what the operator is to do.
  return expected && std::ranges::any_of(given, [](const ArrayPtr& a) { return a->real(); });
}

struct Count {
  int claims = 0;
  std::set<std::string> operators;
};
void prove(const std::string& name, Weights w, Count& count) {
  const Spec spec = discover(w.net, network::infer(w.net, w.inputs));
  if (spec.groups.empty()) return;
  ++count.claims;
  count.operators.insert(w.net.graph.nodes[0].op);
  const Verdict verdict = verify(w.net, w.inputs, spec, {.trials = 2});
  EXPECT_TRUE(verdict.holds) << name << ": " << verdict.difference << ' ' << to_json(spec).dump();
}

TEST(StandardData, WhatIsFoundHolds) {
  Count count;
  for (const fs::path& folder : testing::standard_cases()) try {
      std::vector<ArrayPtr> given;
      ArrayPtr expected;
      if (!read_case(folder / "test_data_set_0", given, expected)) continue;
      const auto onnx = std::make_shared<const Onnx>(Onnx::open((folder / "model.onnx").string()));
      const Network net = network::from_onnx(onnx);
      if (!runs(net.graph) || net.graph.inputs.size() != given.size() || net.graph.outputs.empty()) continue;
      // As it is, and with each axis of the output summed away, alike or with weights.
      for (const size_t kept : {size_t{0}, size_t{1}})
        for (int64_t axis = -1; axis < static_cast<int64_t>(expected->dims.size()); ++axis)
          for (const bool weighted : {false, true}) {
            if (weighted && (axis < 0 || !expected->real())) continue;
            Weights w{.net = net, .inputs = {}, .bytes = {}};
            w.fix(given, kept);
            if (weighted) w.weigh(axis, *expected);
            if (axis >= 0) w.sum_over(axis);
            prove(text("{}, axis {}{}, {} inputs", folder.filename().string(), axis,
                       weighted ? " weighted" : "", kept),
                  std::move(w), count);
          }
    } catch (const Error&) {
      // Of what cannot be run: training, sequences, types. The conformance test says which.
    }
  const auto& [claims, operators] = count;
  if (!testing::standard_cases().empty()) {
    EXPECT_GE(claims, 2000);
    EXPECT_GE(operators.size(), 80u);
  }
  std::cout << claims << " claims about networks of " << operators.size() << " operators\n";
}

}  // namespace
}  // namespace dws::symmetry
