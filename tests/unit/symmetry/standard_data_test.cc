// No rule claims what does not hold: every case of the ONNX standard's test data as a network whose inputs are weights. What is
// found in it, with each axis of the output summed away in turn, is proved by running it.
#include <gtest/gtest.h>

#include "../network/standard_data.h"
#include "as_weights.h"
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

TEST(StandardData, WhatIsFoundHolds) {
  Count count;
  for (const fs::path& folder : testing::standard_cases()) try {
      std::vector<ArrayPtr> given;
      ArrayPtr expected;
      if (!read_case(folder / "test_data_set_0", given, expected)) continue;
      const auto onnx = std::make_shared<const Onnx>(Onnx::open((folder / "model.onnx").string()));
      const Network net = network::from_onnx(onnx);
      if (!runs(net.graph) || net.graph.inputs.size() != given.size() || net.graph.outputs.empty()) continue;
      prove_as_weights(folder.filename().string(), net, given, *expected, count);
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
