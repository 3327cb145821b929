// From ONNX to the graph: names become numbers, functions are expanded.
#include <gtest/gtest.h>

#include <algorithm>

#include "../format/onnx_builder.h"
#include "core/error.h"
#include "network/executor.h"

namespace dws::network {
namespace {

using testing::add_floats;
using testing::add_node;
using testing::small_model;

Network read(const onnx::ModelProto& model, std::string& bytes) {
  bytes = model.SerializeAsString();
  return from_onnx(std::make_shared<Onnx>(Onnx::parse(testing::bytes_of(bytes), "test")));
}
ArrayPtr floats(std::vector<int64_t> dims, std::vector<double> numbers) {
  Array a{.type = OnnxType::f32, .dims = std::move(dims)};
  a.reals = std::move(numbers);
  return std::make_shared<const Array>(std::move(a));
}

TEST(OnnxNetwork, ANewerOperatorSetIsRemarkedOn) {
  std::string bytes;
  onnx::ModelProto model = small_model();
  EXPECT_TRUE(read(model, bytes).warnings.empty());
  model.mutable_opset_import(0)->set_version(99);
  const Network net = read(model, bytes);
  ASSERT_EQ(net.warnings.size(), 1u);
  EXPECT_NE(net.warnings[0].find("operator set 99"), std::string::npos);
}

// twice(x) = x + x as a function, called on a function's result.
onnx::ModelProto with_function() {
  onnx::ModelProto model = small_model();
  auto* domain = model.add_opset_import();
  domain->set_domain("own");
  domain->set_version(1);
  onnx::FunctionProto& f = *model.add_functions();
  f.set_name("Twice");
  f.set_domain("own");
  f.add_input("a");
  f.add_output("b");
  f.add_opset_import()->set_version(13);
  onnx::NodeProto* sum = f.add_node();
  sum->set_op_type("Add");
  sum->add_input("a");
  sum->add_input("a");
  sum->add_output("b");
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.mutable_node(1)->set_output(0, "r");
  add_node(graph, "Twice", {"r"}, {"s"})->set_domain("own");
  add_node(graph, "Twice", {"s"}, {"y"})->set_domain("own");
  return model;
}

TEST(OnnxNetwork, FunctionsAreExpanded) {
  std::string bytes;
  const Network net = read(with_function(), bytes);
  EXPECT_EQ(std::ranges::count_if(net.graph.nodes, [](const Node& n) { return n.op == "Add"; }), 2);
  EXPECT_TRUE(std::ranges::none_of(net.graph.nodes, [](const Node& n) { return n.op == "Twice"; }));
  // y = 4 relu(W x + b), W = (1 2 3; 4 5 6), b = (7, 8).
  const auto got = Executor(net, Precision::f64).run({floats({1, 3}, {1, 0, -4})});
  EXPECT_EQ(got.at(0)->reals, (std::vector<double>{0, 0}));
  EXPECT_EQ(Executor(net, Precision::f64).run({floats({1, 3}, {1, 1, 1})}).at(0)->reals,
            (std::vector<double>{52, 92}));
}

TEST(OnnxNetwork, AFunctionThatCallsItselfIsRefused) {
  onnx::ModelProto model = with_function();
  onnx::NodeProto* inner = model.mutable_functions(0)->mutable_node(0);
  inner->set_op_type("Twice");
  inner->set_domain("own");
  inner->mutable_input()->RemoveLast();
  auto* opset = model.mutable_functions(0)->add_opset_import();
  opset->set_domain("own");
  opset->set_version(1);
  std::string bytes;
  try {
    (void)read(model, bytes);
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::resource_limit) << e.what();
  }
}

TEST(OnnxNetwork, AnOperatorThatCannotBeRunIsNamed) {
  onnx::ModelProto model = small_model();
  model.mutable_graph()->mutable_node(1)->set_op_type("Mystery");
  std::string bytes;
  const Network net = read(model, bytes);
  try {
    Executor executor(net, Precision::f64);
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::unsupported);
    EXPECT_NE(
        std::string(e.what()).find("'y' (Mystery): operator Mystery of domain 'ai.onnx', version 13, cannot"),
        std::string::npos)
        << e.what();
  }
}

}  // namespace
}  // namespace dws::network
