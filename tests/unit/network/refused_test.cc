// Graphs that are well-formed and cannot be what they say: told where shapes are worked out or the network is run. Part of the
// list in tests/unit/format/onnx_refused.h.
#include <functional>

#include "../format/onnx_builder.h"
#include "network/executor.h"
#include "testing.h"

namespace dws::network {
namespace {

using testing::add_floats;
using testing::add_node;
using testing::small_model;
using Model = onnx::ModelProto;
using Attribute = onnx::AttributeProto;

// The error must come from the shapes alone, before anything is run, and from the run, and start with file and node.
void refuse(ErrorKind kind, const std::function<void(Model&)>& spoil, const std::string& message) {
  Model model = small_model();
  spoil(model);
  const std::string bytes = model.SerializeAsString();
  const Network net = from_onnx(std::make_shared<Onnx>(Onnx::parse(testing::bytes_of(bytes), "m.onnx")));
  const std::vector<ArrayPtr> inputs = input_shapes(net, {});
  testing::expect_error(
      kind, [&] { infer(net, inputs); }, "m.onnx: " + message);
  Array x = *inputs.at(0);
  x.reals.resize(static_cast<size_t>(x.size()));
  testing::expect_error(
      kind, [&] { Executor(net, Precision::f64).run({std::make_shared<const Array>(x)}); },
      "m.onnx: " + message);
}
onnx::TensorProto& tensor(Model& m, int i) {
  return *m.mutable_graph()->mutable_initializer(i);
}
void reshape(onnx::TensorProto& t, const std::vector<int64_t>& dims) {
  t.clear_dims();
  int64_t size = 1;
  for (const int64_t d : dims) t.add_dims(d), size *= d;
  t.set_raw_data(std::string(static_cast<size_t>(size) * sizeof(float), '\0'));
}
Attribute& attribute(onnx::NodeProto& node, const std::string& name, Attribute::AttributeType type) {
  Attribute& a = *node.add_attribute();
  a.set_name(name);
  a.set_type(type);
  return a;
}

TEST(NetworkRefused, ShapesThatDoNotFit) {  // graph: shape mismatch between weight and node
  const std::string gemm = "the node that makes 'h' (Gemm): ";
  refuse(
      ErrorKind::bad_schema,
      [](Model& m) {
        reshape(tensor(m, 0), {2, 4});
      },
      gemm);  // K
  refuse(
      ErrorKind::bad_schema,
      [](Model& m) {
        reshape(tensor(m, 0), {3, 2});
      },
      gemm);  // transposed
  refuse(
      ErrorKind::bad_schema,
      [](Model& m) {
        reshape(tensor(m, 0), {2, 3, 1});
      },
      gemm);
  refuse(
      ErrorKind::bad_schema, [](Model& m) { reshape(tensor(m, 1), {3}); }, gemm);  // the bias
  const auto last = [](const std::string& op, const std::vector<int64_t>& dims) {
    return [=](Model& m) {
      std::vector<float> zeros;
      for (int64_t i = elements(dims); i > 0; --i) zeros.push_back(0);
      add_floats(*m.mutable_graph(), "V", dims, zeros);
      add_node(*m.mutable_graph(), op, {"y", "V"}, {"z"})->set_name("last");
    };
  };
  for (const char* op : {"MatMul", "Add"})
    refuse(ErrorKind::bad_schema, last(op, {3, 2}), std::string("node 'last' (") + op + "): ");
  refuse(ErrorKind::bad_schema, last("Conv", {4, 3, 1, 1}), "node 'last' (Conv): ");
}

TEST(NetworkRefused, AttributesOfAnotherType) {  // graph: attribute type mismatch
  const auto gemm = [](Attribute::AttributeType type, const std::function<void(Attribute&)>& set) {
    return [=](Model& m) {
      m.mutable_graph()->mutable_node(0)->clear_attribute();
      set(attribute(*m.mutable_graph()->mutable_node(0), "transB", type));
    };
  };
  const std::string where = "the node that makes 'h' (Gemm): attribute 'transB': expected INT, got ";
  refuse(ErrorKind::bad_schema, gemm(Attribute::FLOAT, [](auto& a) { a.set_f(1); }), where + "FLOAT");
  refuse(ErrorKind::bad_schema, gemm(Attribute::STRING, [](auto& a) { a.set_s("1"); }), where + "STRING");
  refuse(ErrorKind::bad_schema, gemm(Attribute::INTS, [](auto& a) { a.add_ints(1); }), where + "INTS");
  refuse(ErrorKind::bad_schema,
         gemm(Attribute::TENSOR,
              [](auto& a) {
                a.mutable_t()->set_data_type(1);
                a.mutable_t()->add_float_data(1);
              }),
         where + "TENSOR");
  const auto last = [](const std::string& op, const std::string& name, Attribute::AttributeType type) {
    return [=](Model& m) {
      auto* node = add_node(*m.mutable_graph(), op, {"y"}, {"z"});
      node->set_name("last");
      Attribute& a = attribute(*node, name, type);
      a.set_i(0);
      if (type == Attribute::FLOAT) a.clear_i(), a.set_f(0);
    };
  };
  refuse(ErrorKind::bad_schema, last("LeakyRelu", "alpha", Attribute::INT),
         "node 'last' (LeakyRelu): attribute 'alpha': expected FLOAT, got INT");
  refuse(ErrorKind::bad_schema, last("Gelu", "approximate", Attribute::INT),
         "node 'last' (Gelu): attribute 'approximate': expected STRING, got INT");
  refuse(ErrorKind::bad_schema, last("Transpose", "perm", Attribute::INT),
         "node 'last' (Transpose): attribute 'perm': expected INTS, got INT");
  refuse(ErrorKind::bad_schema, last("Softmax", "axis", Attribute::FLOAT),
         "node 'last' (Softmax): attribute 'axis': expected INT, got FLOAT");
  refuse(ErrorKind::bad_schema, last("ReduceSum", "keepdims", Attribute::FLOAT),
         "node 'last' (ReduceSum): attribute 'keepdims': expected INT, got FLOAT");
}

// A function is given an attribute of another type than it passes on.
TEST(NetworkRefused, AttributesOfAFunctionOfAnotherType) {
  refuse(
      ErrorKind::bad_schema,
      [](Model& m) {
        auto* f = m.add_functions();
        f->set_name("F"), f->set_domain("own");
        f->add_input("a"), f->add_output("b"), f->add_attribute("slope");
        f->add_opset_import()->set_version(13);
        auto* node = f->add_node();
        node->set_op_type("LeakyRelu"), node->set_name("inner");
        node->add_input("a"), node->add_output("b");
        attribute(*node, "alpha", Attribute::FLOAT).set_ref_attr_name("slope");
        auto* own = m.add_opset_import();
        own->set_domain("own"), own->set_version(1);
        auto* call = add_node(*m.mutable_graph(), "F", {"y"}, {"z"});
        call->set_domain("own");
        attribute(*call, "slope", Attribute::INT).set_i(1);
      },
      "node 'inner' (LeakyRelu): attribute 'alpha': expected FLOAT, got INT");
}

TEST(NetworkRefused, OperatorsThatAreNotKnown) {  // graph: unsupported op
  for (const char* domain : {"", "com.example"}) {
    Model model = small_model();
    auto* node = model.mutable_graph()->mutable_node(1);
    node->set_op_type("Mystery"), node->set_name("odd"), node->set_domain(domain);
    auto* import = model.add_opset_import();
    import->set_domain("com.example"), import->set_version(7);
    const std::string bytes = model.SerializeAsString();
    const Network net = from_onnx(std::make_shared<Onnx>(Onnx::parse(testing::bytes_of(bytes), "m.onnx")));
    testing::expect_error(
        ErrorKind::unsupported, [&] { Executor(net, Precision::f64); },
        std::string("m.onnx: node 'odd' (Mystery): operator Mystery of domain '") +
            (*domain ? "com.example', version 7" : "ai.onnx', version 13") + ", cannot be run");
  }
}

TEST(NetworkRefused, FunctionsThatMultiplyLongAttributes) {
  Model model = small_model();
  auto* f = model.add_functions();
  f->set_name("F"), f->set_domain("own");
  f->add_input("a"), f->add_output("b");
  f->add_opset_import()->set_version(13);
  auto* node = f->add_node();
  node->set_op_type("Relu");
  node->add_input("a"), node->add_output("b");
  attribute(*node, "long", Attribute::STRING).set_s(std::string(1 << 20, 'x'));
  auto* own = model.add_opset_import();
  own->set_domain("own"), own->set_version(1);
  for (int i = 0; i < 300; ++i)
    add_node(*model.mutable_graph(), "F", {"y"}, {"z" + std::to_string(i)})->set_domain("own");
  const std::string bytes = model.SerializeAsString();
  const auto onnx = std::make_shared<Onnx>(Onnx::parse(testing::bytes_of(bytes), "m.onnx"));
  testing::expect_error(
      ErrorKind::resource_limit, [&] { from_onnx(onnx); }, "m.onnx: its functions, expanded, need more than");
}

}  // namespace
}  // namespace dws::network
