// What the ONNX reader refuses of files and graphs. The list is in onnx_refused.h.
#include "onnx_refused.h"

namespace dws {
namespace {

using testing::accept;
using testing::add_node;
using testing::bytes_of;
using testing::Model;
using testing::refuse;
using testing::refuse_bytes;
using testing::small_model;
using testing::TempDir;

TEST(OnnxRefused, NoModel) {
  const std::string good = small_model().SerializeAsString();
  // container: empty; truncated; trailing bytes; no protobuf
  refuse_bytes(ErrorKind::truncated, "", "m.onnx: an empty file");
  for (size_t size = 1; size < good.size(); ++size) {
    const std::string cut = good.substr(0, size);
    EXPECT_THROW(Onnx::parse(bytes_of(cut), "m.onnx"), Error) << size;
  }
  refuse_bytes(ErrorKind::bad_protobuf, good.substr(0, good.size() - 1), "at byte");
  refuse_bytes(ErrorKind::bad_protobuf, good + "x", "not an ONNX file");
  refuse_bytes(ErrorKind::bad_protobuf, std::string("\x0b"), "at byte 0");  // a group
  refuse_bytes(ErrorKind::bad_protobuf, std::string("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
               "64 bits at byte 1");
  refuse_bytes(ErrorKind::bad_protobuf, std::string("\x3a\x7f"), "a length of 127 where 0 bytes are left");
  refuse_bytes(ErrorKind::bad_protobuf, std::string("\x00\x00", 2), "field number");
  refuse_bytes(ErrorKind::bad_protobuf, std::string("\x0d\x00", 2), "a number is cut off at byte 0");
  refuse_bytes(ErrorKind::bad_protobuf, std::string("\x0e\x00", 2), "unknown wire type");
  // container: no graph
  refuse(
      ErrorKind::bad_schema, [](Model& m) { m.clear_graph(); }, "no graph");
  // Two graphs, which protobuf would merge.
  refuse_bytes(ErrorKind::bad_protobuf, good + good, "field 7 of a message stands twice at byte");
}

TEST(OnnxRefused, AFileBeyondTheLimitOfProtobuf) {  // container: above INT_MAX
  const TempDir dir;
  std::ofstream(dir / "m.onnx").put('\x08');
  std::filesystem::resize_file(dir / "m.onnx", uint64_t{1} << 31);
  testing::expect_error(
      ErrorKind::too_large, [&] { Onnx::open(dir / "m.onnx"); },
      "expected at most 2147483647 bytes, got 2147483648");
}

TEST(OnnxRefused, Versions) {
  // container: IR version unset or above 14, a warning above 13
  refuse(
      ErrorKind::bad_schema, [](Model& m) { m.clear_ir_version(); }, "no IR version");
  for (const int64_t none : {int64_t{0}, int64_t{-1}})
    refuse(
        ErrorKind::bad_schema, [=](Model& m) { m.set_ir_version(none); }, "no IR version");
  refuse(
      ErrorKind::resource_limit, [](Model& m) { m.set_ir_version(15); }, "expected at most 14, got 15");
  std::string file;
  EXPECT_TRUE(accept([](Model& m) { m.set_ir_version(13); }, file).warnings().empty());
  const std::vector<std::string> warnings = accept([](Model& m) { m.set_ir_version(14); }, file).warnings();
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0], "m.onnx: IR version 14 is newer than this program");
  // container: a used domain not imported
  refuse(
      ErrorKind::bad_schema, [](Model& m) { m.clear_opset_import(); },
      "Gemm node 'h' is of domain '', which is not imported");
  refuse(
      ErrorKind::bad_schema, [](Model& m) { m.mutable_graph()->mutable_node(1)->set_domain("far"); },
      "Relu node 'y' is of domain 'far', which is not imported");
  // container: a domain imported in two versions, also under its other name
  refuse(
      ErrorKind::bad_schema, [](Model& m) { m.add_opset_import()->set_version(9); },
      "the model imports two versions of domain '': expected one, got 13 and 9");
  refuse(
      ErrorKind::bad_schema,
      [](Model& m) {
        auto* other = m.add_opset_import();
        other->set_domain("ai.onnx"), other->set_version(9);
      },
      "two versions of domain ''");
  EXPECT_EQ(accept([](Model& m) { m.add_opset_import()->set_version(13); }, file).opsets().size(), 1u);
}

// A function, called.
void add_function(Model& m) {
  auto* f = m.add_functions();
  f->set_name("F"), f->set_domain("mine");
  f->add_input("a"), f->add_output("b");
  f->add_opset_import()->set_version(13);
  auto* node = f->add_node();
  node->set_op_type("Relu");
  node->add_input("a"), node->add_output("b");
  auto* domain = m.add_opset_import();
  domain->set_domain("mine"), domain->set_version(1);
  add_node(*m.mutable_graph(), "F", {"h"}, {"z"})->set_domain("mine");
}

TEST(OnnxRefused, Functions) {
  std::string file;
  EXPECT_EQ(accept(add_function, file).functions().size(), 1u);
  const auto with = [](const std::function<void(onnx::FunctionProto&)>& spoil) {
    return [=](Model& m) { add_function(m), spoil(*m.mutable_functions(0)); };
  };
  refuse(
      ErrorKind::duplicate_name, [](Model& m) { add_function(m), *m.add_functions() = m.functions(0); },
      "two functions are called 'F' of domain 'mine'");
  refuse(ErrorKind::bad_schema, with([](auto& f) { f.clear_opset_import(); }),
         "Relu node 'b' is of domain '', which is not imported");
  refuse(ErrorKind::bad_schema, with([](auto& f) { f.add_opset_import()->set_version(9); }),
         "function 'F' imports two versions of domain ''");
  refuse(
      ErrorKind::bad_schema, [](Model& m) { add_function(m), m.mutable_opset_import()->RemoveLast(); },
      "F node 'z' is of domain 'mine', which is not imported");
  refuse(ErrorKind::missing_tensor, with([](auto& f) { f.mutable_node(0)->set_input(0, "q"); }), "reads 'q'");
  refuse(ErrorKind::missing_tensor, with([](auto& f) { f.set_output(0, "q"); }),
         "output 'q' of function 'F' is made by no node");
  refuse(ErrorKind::duplicate_name, with([](auto& f) { f.add_input("a"); }), "input 'a' is made twice");
}

onnx::GraphProto& graph(Model& m) {
  return *m.mutable_graph();
}

TEST(OnnxRefused, NamesOfAGraph) {
  // graph: undefined input, order, cycle
  refuse(
      ErrorKind::missing_tensor, [](Model& m) { graph(m).mutable_node(0)->set_input(0, "nowhere"); },
      "Gemm node 'h' reads 'nowhere', which nothing before it makes");
  refuse(
      ErrorKind::missing_tensor, [](Model& m) { graph(m).mutable_node()->SwapElements(0, 1); },
      "Relu node 'y' reads 'h'");
  refuse(
      ErrorKind::missing_tensor,
      [](Model& m) {
        add_node(graph(m), "Add", {"x", "p"}, {"q"});
        add_node(graph(m), "Relu", {"q"}, {"p"});
      },
      "Add node 'q' reads 'p'");
  refuse(
      ErrorKind::missing_tensor,
      [](Model& m) {
        add_node(graph(m), "Add", {"self", "x"}, {"self"});
      },
      "Add node 'self' reads 'self'");
  refuse(
      ErrorKind::missing_tensor, [](Model& m) { graph(m).mutable_output(0)->set_name("q"); },
      "output 'q' is made by no node");
  // graph: SSA
  refuse(
      ErrorKind::duplicate_name, [](Model& m) { add_node(graph(m), "Relu", {"h"}, {"y"}); },
      "Relu node 'y': its output 'y' is made twice");
  refuse(
      ErrorKind::duplicate_name,
      [](Model& m) {
        add_node(graph(m), "Split", {"h"}, {"p", "p"});
      },
      "its output 'p' is made twice");
  refuse(
      ErrorKind::duplicate_name, [](Model& m) { add_node(graph(m), "Relu", {"h"}, {"W"}); },
      "its output 'W' is made twice");
  refuse(
      ErrorKind::duplicate_name, [](Model& m) { add_node(graph(m), "Relu", {"h"}, {"x"}); },
      "its output 'x' is made twice");
  refuse(
      ErrorKind::duplicate_name, [](Model& m) { *graph(m).add_input() = graph(m).input(0); },
      "input 'x' is made twice");
  // An initializer that is an input too is its default: no second name.
  std::string file;
  EXPECT_EQ(
      accept([](Model& m) { testing::add_value(graph(m).add_input(), "b", 2); }, file).graph().inputs.size(),
      2u);
}

// An If whose branch is to be filled.
onnx::GraphProto& branch(Model& m) {
  auto* attribute = add_node(graph(m), "If", {"h"}, {"z"})->add_attribute();
  attribute->set_name("then_branch");
  attribute->set_type(onnx::AttributeProto::GRAPH);
  return *attribute->mutable_g();
}

TEST(OnnxRefused, NamesOfInnerGraphs) {
  refuse(
      ErrorKind::missing_tensor,
      [](Model& m) {
        add_node(branch(m), "Relu", {"h"}, {"inside"});
        add_node(graph(m), "Relu", {"inside"}, {"out"});
      },
      "reads 'inside'");
  // graph: shadowing, by what a node makes, an input or an initializer
  refuse(
      ErrorKind::duplicate_name, [](Model& m) { add_node(branch(m), "Relu", {"x"}, {"h"}); },
      "its output 'h' hides the one of a graph around it");
  refuse(
      ErrorKind::duplicate_name, [](Model& m) { testing::add_value(branch(m).add_input(), "x", 1); },
      "input 'x' hides");
  refuse(
      ErrorKind::duplicate_name, [](Model& m) { testing::add_floats(branch(m), "W", {1}, {1}); },
      "initializer 'W' hides");
  // Both branches of an If may use the same names, and a later node one that was used inside.
  std::string file;
  EXPECT_NO_THROW(accept(
      [](Model& m) {
        add_node(branch(m), "Relu", {"h"}, {"inside"});
        auto* other = graph(m).mutable_node(2)->add_attribute();
        other->set_name("else_branch");
        other->set_type(onnx::AttributeProto::GRAPH);
        add_node(*other->mutable_g(), "Relu", {"h"}, {"inside"});
        add_node(graph(m), "Relu", {"h"}, {"inside"});
      },
      file));
  // tensor: initializer unnamed or twice, in an inner graph
  refuse(
      ErrorKind::bad_schema, [](Model& m) { testing::add_floats(branch(m), "", {1}, {1}); },
      "an initializer without a name");
  refuse(
      ErrorKind::duplicate_name,
      [](Model& m) {
        onnx::GraphProto& inner = branch(m);
        for (int i = 0; i < 2; ++i) testing::add_floats(inner, "twin", {1}, {1});
      },
      "two initializers are called 'twin'");
}

TEST(OnnxRefused, DeepNesting) {  // graph: depth
  const auto nest = [](int depth) {
    onnx::ModelProto model = small_model();
    onnx::GraphProto* inner = model.mutable_graph();
    for (int i = 0; i < depth; ++i) {
      auto* body = add_node(*inner, "If", {}, {})->add_attribute();
      body->set_name("then_branch");
      body->set_type(onnx::AttributeProto::GRAPH);
      inner = body->mutable_g();
    }
    return model.SerializeAsString();
  };
  const std::string fine = nest(20);
  EXPECT_NO_THROW(Onnx::parse(bytes_of(fine), "m.onnx"));
  refuse_bytes(ErrorKind::resource_limit, nest(32), "graphs lie too deep within graphs: expected at most 32");
  refuse_bytes(ErrorKind::resource_limit, nest(3000), "messages lie too deep at byte");
  // Of types too: a sequence of sequences of ...
  onnx::ModelProto model = small_model();
  onnx::TypeProto* type = model.mutable_graph()->mutable_input(0)->mutable_type();
  for (int i = 0; i < 200; ++i) type = type->mutable_sequence_type()->mutable_elem_type();
  refuse_bytes(ErrorKind::resource_limit, model.SerializeAsString(), "messages lie too deep at byte");
}

TEST(OnnxRefused, Nodes) {
  refuse(
      ErrorKind::bad_schema, [](Model& m) { graph(m).mutable_node(1)->clear_op_type(); },
      "node 'y' has no operator");
  // graph: a name twice; attributes of no or another type
  const auto transposed = [](Model& m) -> onnx::AttributeProto& {
    return *graph(m).mutable_node(0)->mutable_attribute(0);
  };
  refuse(
      ErrorKind::duplicate_name,
      [&](Model& m) { *graph(m).mutable_node(0)->add_attribute() = transposed(m); },
      "Gemm node 'h' has two attributes 'transB'");
  refuse(
      ErrorKind::bad_schema, [&](Model& m) { transposed(m).set_f(1); },
      "attribute 'transB' of Gemm node 'h' has a value that is not of its type");
  refuse(
      ErrorKind::bad_schema, [&](Model& m) { transposed(m).clear_type(), transposed(m).set_f(1); },
      "not of its type");
}

}  // namespace
}  // namespace dws
