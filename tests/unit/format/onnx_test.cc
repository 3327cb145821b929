// What the ONNX reader accepts, and what it makes of it.
#include "format/onnx.h"

#include <cstring>

#include "onnx_builder.h"
#include "testing.h"

namespace dws {
namespace {

using testing::add_floats;
using testing::add_node;
using testing::bytes_of;
using testing::small_model;
using testing::TempDir;

template <class T>
std::vector<T> numbers(const OnnxTensor& tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

TEST(Onnx, ReadsAGraph) {
  const std::string file = small_model().SerializeAsString();
  const Onnx model = Onnx::parse(bytes_of(file), "m.onnx");
  EXPECT_EQ(model.ir_version(), 8);
  EXPECT_EQ(model.opsets().at(""), 13);
  EXPECT_EQ(model.producer(), "test");
  const OnnxGraph& graph = model.graph();
  ASSERT_EQ(graph.nodes.size(), 2U);
  EXPECT_EQ(graph.nodes[0].op, "Gemm");
  EXPECT_EQ(graph.nodes[0].inputs, (std::vector<std::string>{"x", "W", "b"}));
  ASSERT_NE(graph.nodes[0].find("transB"), nullptr);
  EXPECT_EQ(graph.nodes[0].find("transB")->i, 1);
  EXPECT_EQ(graph.nodes[0].find("transA"), nullptr);
  ASSERT_EQ(graph.initializers.size(), 2U);
  EXPECT_EQ(graph.initializers[0].dims, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(numbers<float>(graph.initializers[0]), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  ASSERT_TRUE(graph.inputs[0].dims);
  EXPECT_EQ(*graph.inputs[0].dims, (std::vector<int64_t>{-1, 3}));
  EXPECT_EQ(graph.inputs[0].symbols[0], "batch");
}

TEST(Onnx, RawNumbersStayInTheFile) {
  const std::string file = small_model().SerializeAsString();
  const Onnx model = Onnx::parse(bytes_of(file), "m.onnx");
  const auto* begin = reinterpret_cast<const std::byte*>(file.data());
  for (const OnnxTensor& tensor : model.graph().initializers) {
    EXPECT_GE(tensor.bytes.data(), begin);
    EXPECT_LE(tensor.bytes.data() + tensor.bytes.size(), begin + file.size());
  }
}

TEST(Onnx, ReadsTypedFields) {
  onnx::ModelProto model = small_model();
  onnx::GraphProto& graph = *model.mutable_graph();
  const auto add = [&](const std::string& name, int type, int64_t count) {
    onnx::TensorProto* tensor = graph.add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(type);
    tensor->add_dims(count);
    return tensor;
  };
  auto* f32 = add("f32", onnx::TensorProto::FLOAT, 2);
  f32->add_float_data(1.5F), f32->add_float_data(-2);
  auto* f16 = add("f16", onnx::TensorProto::FLOAT16, 2);
  f16->add_int32_data(0x3c00), f16->add_int32_data(0xffff);
  auto* i8 = add("i8", onnx::TensorProto::INT8, 3);
  i8->add_int32_data(-128), i8->add_int32_data(0), i8->add_int32_data(127);
  auto* i64 = add("i64", onnx::TensorProto::INT64, 1);
  i64->add_int64_data(-5);
  auto* u32 = add("u32", onnx::TensorProto::UINT32, 1);
  u32->add_uint64_data(0xffffffffU);
  auto* f64 = add("f64", onnx::TensorProto::DOUBLE, 1);
  f64->add_double_data(0.1);
  auto* c64 = add("c64", onnx::TensorProto::COMPLEX64, 1);
  c64->add_float_data(1), c64->add_float_data(2);
  auto* i4 = add("i4", static_cast<int>(OnnxType::i4), 3);  // two a byte
  i4->add_int32_data(0x21), i4->add_int32_data(0x03);
  auto* strings = add("s", onnx::TensorProto::STRING, 1);
  strings->add_string_data("a");
  add("none", onnx::TensorProto::FLOAT, 0);

  const std::string file = model.SerializeAsString();
  const Onnx read = Onnx::parse(bytes_of(file), "m.onnx");
  const auto at = [&](const std::string& name) -> const OnnxTensor& {
    for (const OnnxTensor& tensor : read.graph().initializers)
      if (tensor.name == name) return tensor;
    throw std::runtime_error(name);
  };
  EXPECT_EQ(numbers<float>(at("f32")), (std::vector<float>{1.5F, -2}));
  EXPECT_EQ(numbers<uint16_t>(at("f16")), (std::vector<uint16_t>{0x3c00, 0xffff}));
  EXPECT_EQ(numbers<int8_t>(at("i8")), (std::vector<int8_t>{-128, 0, 127}));
  EXPECT_EQ(numbers<int64_t>(at("i64")), (std::vector<int64_t>{-5}));
  EXPECT_EQ(numbers<uint32_t>(at("u32")), (std::vector<uint32_t>{0xffffffffU}));
  EXPECT_EQ(numbers<double>(at("f64")), (std::vector<double>{0.1}));
  EXPECT_EQ(numbers<float>(at("c64")), (std::vector<float>{1, 2}));
  EXPECT_EQ(numbers<uint8_t>(at("i4")), (std::vector<uint8_t>{0x21, 0x03}));
  EXPECT_TRUE(at("s").bytes.empty());
  EXPECT_TRUE(at("none").bytes.empty());
}

TEST(Onnx, ReadsTensorsInAttributesSubgraphsAndFunctions) {
  onnx::ModelProto model = small_model();
  onnx::GraphProto& graph = *model.mutable_graph();
  auto* constant = add_node(graph, "Constant", {}, {"c"})->add_attribute();
  constant->set_name("value");
  constant->set_type(onnx::AttributeProto::TENSOR);
  onnx::GraphProto holder;
  *constant->mutable_t() = *add_floats(holder, "", {1}, {3});
  auto* branch = add_node(graph, "If", {"c"}, {"z"})->add_attribute();
  branch->set_name("then_branch");
  branch->set_type(onnx::AttributeProto::GRAPH);
  add_floats(*branch->mutable_g(), "inner", {1}, {4});
  add_node(*branch->mutable_g(), "Add", {"inner", "h"}, {"sum"});  // h is of the graph around it
  branch->mutable_g()->add_output()->set_name("sum");
  auto* function = model.add_functions();
  function->set_name("Twice");
  function->set_domain("mine");
  function->add_input("a"), function->add_output("b");
  function->add_opset_import()->set_version(13);
  auto* twice = function->add_node();
  twice->set_op_type("Add");
  twice->add_input("a"), twice->add_input("a"), twice->add_output("b");
  add_node(graph, "Twice", {"h"}, {"h2"})->set_domain("mine");
  auto* mine = model.add_opset_import();
  mine->set_domain("mine"), mine->set_version(1);

  const std::string file = model.SerializeAsString();
  const Onnx read = Onnx::parse(bytes_of(file), "m.onnx");
  EXPECT_EQ(numbers<float>(read.graph().nodes[2].find("value")->tensors.at(0)), std::vector<float>{3});
  const OnnxGraph& inner = *read.graph().nodes[3].find("then_branch")->graphs.at(0);
  EXPECT_EQ(numbers<float>(inner.initializers.at(0)), std::vector<float>{4});
  ASSERT_EQ(read.functions().size(), 1U);
  EXPECT_EQ(read.functions()[0].nodes.at(0).op, "Add");
}

TEST(Onnx, ReadsExternalDataBesideTheModel) {
  const TempDir dir;
  onnx::ModelProto model = small_model();
  onnx::TensorProto* w = model.mutable_graph()->mutable_initializer(0);
  w->clear_raw_data();
  w->set_data_location(onnx::TensorProto::EXTERNAL);
  const auto set = [&](const std::string& key, const std::string& value) {
    auto* entry = w->add_external_data();
    entry->set_key(key), entry->set_value(value);
  };
  set("location", "sub/w.bin");
  set("offset", "4");
  set("length", "24");
  std::filesystem::create_directory(dir / "sub");
  const std::vector<float> stored = {0, 1, 2, 3, 4, 5, 6};
  std::ofstream(dir / "sub/w.bin", std::ios::binary).write(reinterpret_cast<const char*>(stored.data()), 28);
  std::ofstream(dir / "m.onnx", std::ios::binary) << model.SerializeAsString();
  const Onnx read = Onnx::open(dir / "m.onnx");
  EXPECT_TRUE(read.graph().initializers[0].external);
  EXPECT_EQ(numbers<float>(read.graph().initializers[0]), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  // Elsewhere, when that is said.
  std::filesystem::create_directory(dir / "other");
  std::filesystem::rename(dir / "sub", dir / "other/sub");
  testing::expect_error(
      ErrorKind::io, [&] { Onnx::open(dir / "m.onnx"); }, "w.bin");
  EXPECT_EQ(
      numbers<float>(Onnx::open(dir / "m.onnx", {.folder = dir / "other"}).graph().initializers[0]).size(),
      6U);
}

TEST(Onnx, TheSameVersionTwiceAndTheLongNameOfOnnxOwnDomain) {
  onnx::ModelProto model = small_model();
  auto* again = model.add_opset_import();
  again->set_domain("ai.onnx");
  again->set_version(13);
  model.mutable_graph()->mutable_node(0)->set_domain("ai.onnx");
  const std::string file = model.SerializeAsString();
  EXPECT_EQ(Onnx::parse(bytes_of(file), "m.onnx").graph().nodes[0].domain, "");
}

TEST(Onnx, UnknownFieldsAreNobodysBusiness) {
  std::string file = small_model().SerializeAsString();
  file += std::string(
      "\xfa\x3f\x03"
      "abc",
      6);  // field 1023, three bytes
  EXPECT_EQ(Onnx::parse(bytes_of(file), "m.onnx").graph().nodes.size(), 2U);
}

}  // namespace
}  // namespace dws
