// What the rules say of graphs made by hand: what is not known is pinned, and says by what.
#include <gtest/gtest.h>

#include <algorithm>

#include "../format/onnx_builder.h"
#include "symmetry/verify.h"

namespace dws::symmetry {
namespace {

using testing::add_floats;
using testing::add_node;
using testing::add_value;

// x (batch, 3) -> hidden 4 -> OP -> y (batch, 2).
struct Built {
  std::string bytes;
  network::Network net;
  std::vector<network::ArrayPtr> inputs;
  Spec spec;
};
Built build(const std::function<std::string(onnx::GraphProto&, const std::string&)>& middle) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(13);
  model.add_opset_import()->set_domain("example");
  onnx::GraphProto& graph = *model.mutable_graph();
  add_value(graph.add_input(), "x", 3);
  add_value(graph.add_output(), "y", 2);
  std::vector<float> a(12), b(8);
  for (size_t i = 0; i < a.size(); ++i) a[i] = 0.3f * static_cast<float>(i % 5) - 0.4f;
  for (size_t i = 0; i < b.size(); ++i) b[i] = 0.2f * static_cast<float>(i % 7) - 0.5f;
  add_floats(graph, "A", {3, 4}, a);
  add_floats(graph, "B", {4, 2}, b);
  add_node(graph, "MatMul", {"x", "A"}, {"h"});
  const std::string last = middle(graph, "h");
  add_node(graph, "MatMul", {last, "B"}, {"y"});
  Built built;
  built.bytes = model.SerializeAsString();
  built.net = network::from_onnx(std::make_shared<Onnx>(Onnx::parse(testing::bytes_of(built.bytes), "test")));
  built.inputs = network::input_shapes(built.net, {});
  built.spec = discover(built.net, built.inputs);
  return built;
}
bool pinned_by(const Spec& spec, const std::string& word) {
  return std::ranges::any_of(spec.pinned,
                             [&](const PinnedAxis& p) { return p.by.find(word) != std::string::npos; });
}

TEST(Discovery, AnOperatorThatIsNotKnownPinsWhatItTouches) {
  const Built built = build([](onnx::GraphProto& graph, const std::string& h) {
    add_node(graph, "Mystery", {h}, {"m"})->set_domain("example");
    return std::string("m");
  });
  EXPECT_TRUE(built.spec.groups.empty());
  EXPECT_EQ(built.spec.coverage(), 0);
  EXPECT_TRUE(pinned_by(built.spec, "the node that makes 'm' (Mystery): an operator that is not known (domain "
                                    "'example', version 0)"));
}

TEST(Discovery, WhatLooksAtTheOrderPins) {
  const Built built = build([](onnx::GraphProto& graph, const std::string& h) {
    auto* axis = graph.add_initializer();
    axis->set_name("axis");
    axis->set_data_type(onnx::TensorProto::INT64);
    axis->add_dims(1);
    axis->add_int64_data(1);
    add_node(graph, "CumSum", {h, "axis"}, {"c"});
    return std::string("c");
  });
  EXPECT_TRUE(built.spec.groups.empty());
  EXPECT_TRUE(pinned_by(built.spec, "CumSum"));
}

TEST(Discovery, AHiddenLayerIsAGroup) {
  const Built built = build([](onnx::GraphProto& graph, const std::string& h) {
    add_node(graph, "Tanh", {h}, {"t"});
    return std::string("t");
  });
  ASSERT_EQ(built.spec.groups.size(), 1u);
  EXPECT_EQ(built.spec.groups[0].size, 4);
  EXPECT_EQ(built.spec.groups[0].signs.size(), 1u);
  EXPECT_DOUBLE_EQ(built.spec.coverage(), 1);
}

TEST(Discovery, AClaimThatIsFalseIsFoundAndNamed) {
  Built built = build([](onnx::GraphProto& graph, const std::string& h) {
    add_node(graph, "Sigmoid", {h}, {"s"});
    return std::string("s");
  });
  ASSERT_EQ(built.spec.groups.size(), 1u);
  EXPECT_TRUE(built.spec.groups[0].signs.empty());
  EXPECT_TRUE(verify(built.net, built.inputs, built.spec, {}).holds);
  // As if the sigmoid were odd.
  built.spec.groups[0].signs.push_back({{{0, 1}, {1, 1}}});
  const Verdict verdict = verify(built.net, built.inputs, built.spec, {});
  EXPECT_FALSE(verdict.holds);
  EXPECT_EQ(verdict.guilty, built.spec.groups[0].name);
  EXPECT_GT(verdict.difference, 1e-3);
}

TEST(Discovery, AConstantNetworkShowsNothing) {
  const Built built = build([](onnx::GraphProto& graph, const std::string& h) {
    add_floats(graph, "zero", {1}, {0});
    add_node(graph, "Mul", {h, "zero"}, {"z"});
    return std::string("z");
  });
  const Verdict verdict = verify(built.net, built.inputs, built.spec, {});
  EXPECT_TRUE(verdict.holds);
  EXPECT_FALSE(verdict.control);
}

TEST(Discovery, ATableOfConstantsStays) {
  const Built built = build([](onnx::GraphProto& graph, const std::string& h) {
    add_floats(graph, "table", {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});  // for a batch of 2
    add_node(graph, "Mul", {h, "table"}, {"z"});
    return std::string("z");
  });
  EXPECT_TRUE(built.spec.groups.empty());
  EXPECT_TRUE(pinned_by(built.spec, "a table of constants"));
}

}  // namespace
}  // namespace dws::symmetry
