// Numbers that a model spells out one by one in typed fields, replaced: everything else stays as it was.
#include <cstring>

#include "core/file.h"
#include "format/onnx_write.h"
#include "onnx_builder.h"
#include "testing.h"

namespace dws {
namespace {

using testing::add_node;
using testing::small_model;
using testing::TempDir;
using Tensor = onnx::TensorProto;

template <class T>
std::vector<std::byte> raw(const std::vector<T>& values) {
  const Bytes bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}
Tensor* add(onnx::GraphProto& graph, const std::string& name, int type, int64_t size) {
  Tensor* t = graph.add_initializer();
  t->set_name(name), t->set_data_type(type), t->add_dims(size);
  return t;
}

// Tensors of all kinds whose numbers are varints, one of them deep inside.
onnx::ModelProto spelled_model(const std::vector<uint16_t>& half, const std::vector<int8_t>& small,
                               const std::vector<int64_t>& large, const std::vector<uint32_t>& natural) {
  onnx::ModelProto model = small_model();
  onnx::GraphProto& graph = *model.mutable_graph();
  Tensor* t = add(graph, "half", Tensor::FLOAT16, static_cast<int64_t>(half.size()));
  for (const uint16_t v : half) t->add_int32_data(v);
  t->set_doc_string("after the numbers");
  t = add(graph, "large", Tensor::INT64, static_cast<int64_t>(large.size()));
  for (const int64_t v : large) t->add_int64_data(v);
  t = add(graph, "natural", Tensor::UINT32, static_cast<int64_t>(natural.size()));
  for (const uint32_t v : natural) t->add_uint64_data(v);
  auto* branch = add_node(graph, "If", {"half"}, {"z"})->add_attribute();
  branch->set_name("then_branch"), branch->set_type(onnx::AttributeProto::GRAPH);
  auto* constant = add_node(*branch->mutable_g(), "Constant", {}, {"c"})->add_attribute();
  constant->set_name("value"), constant->set_type(onnx::AttributeProto::TENSOR);
  t = constant->mutable_t();
  t->set_data_type(Tensor::INT8), t->add_dims(static_cast<int64_t>(small.size()));
  for (const int8_t v : small) t->add_int32_data(v);
  return model;
}

const OnnxTensor& tensor(const Onnx& onnx, const std::string& name) {
  for (const OnnxTensor& t : onnx.graph().initializers)
    if (t.name == name) return t;
  for (const OnnxNode& n : onnx.graph().nodes)
    if (const OnnxAttribute* branch = n.find("then_branch"))
      return branch->graphs.at(0)->nodes.at(0).find("value")->tensors.at(0);
  throw std::runtime_error(name);
}

TEST(OnnxSpelled, AreWrittenAsTheFormatWritesThem) {
  const TempDir dir;
  // Varints of one, two and three bytes; of ten, where a number is negative.
  const std::vector<uint16_t> half = {0, 127, 128, 16383, 16384, 65535},
                              new_half = {65535, 1, 0, 16384, 2, 3};
  const std::vector<int8_t> small = {-128, -1, 0, 127}, new_small = {1, 2, 3, -4};
  const std::vector<int64_t> large = {-1, 0, std::numeric_limits<int64_t>::min()},
                             new_large = {std::numeric_limits<int64_t>::max(), -5, 7};
  const std::vector<uint32_t> natural(300, 1), new_natural(300, 0xffffffffu);
  const std::string before = spelled_model(half, small, large, natural).SerializeAsString();
  std::ofstream(dir / "a.onnx", std::ios::binary) << before;
  const Onnx onnx = Onnx::open(dir / "a.onnx");
  // All at once, W's raw numbers too.
  write_onnx(onnx, dir / "b.onnx",
             {{tensor(onnx, "natural").bytes, raw(new_natural)},
              {tensor(onnx, "W").bytes, raw(std::vector<float>{6, 5, 4, 3, 2, 1})},
              {tensor(onnx, "half").bytes, raw(new_half)},
              {tensor(onnx, "inner").bytes, raw(new_small)},
              {tensor(onnx, "large").bytes, raw(new_large)}},
             false);
  onnx::ModelProto expected = spelled_model(new_half, new_small, new_large, new_natural);
  const float w[] = {6, 5, 4, 3, 2, 1};
  expected.mutable_graph()->mutable_initializer(0)->set_raw_data(w, sizeof w);
  EXPECT_EQ(read_text(dir / "b.onnx"), expected.SerializeAsString());
  const Onnx after = Onnx::open(dir / "b.onnx");
  EXPECT_TRUE(std::ranges::equal(tensor(after, "half").bytes, raw(new_half)));
  EXPECT_TRUE(std::ranges::equal(tensor(after, "inner").bytes, raw(new_small)));
  // And back: the bytes.
  write_onnx(after, dir / "c.onnx",
             {{tensor(after, "natural").bytes, raw(natural)},
              {tensor(after, "W").bytes, raw(std::vector<float>{1, 2, 3, 4, 5, 6})},
              {tensor(after, "half").bytes, raw(half)},
              {tensor(after, "inner").bytes, raw(small)},
              {tensor(after, "large").bytes, raw(large)}},
             false);
  EXPECT_EQ(read_text(dir / "c.onnx"), before);
}

TEST(OnnxSpelled, OneTensorOfManyChangesAndNothingElse) {
  const TempDir dir;
  const std::string before = spelled_model({1, 2, 300}, {1}, {2}, {3}).SerializeAsString();
  std::ofstream(dir / "a.onnx", std::ios::binary) << before;
  const Onnx onnx = Onnx::open(dir / "a.onnx");
  write_onnx(onnx, dir / "b.onnx", {{tensor(onnx, "half").bytes, raw(std::vector<uint16_t>{300, 1, 2})}},
             false);
  const std::string moved = read_text(dir / "b.onnx");
  ASSERT_EQ(moved.size(), before.size());  // a permutation takes the same room: no length has changed
  size_t different = 0;
  for (size_t i = 0; i < before.size(); ++i) different += moved[i] != before[i];
  EXPECT_GT(different, 0u);
  EXPECT_LE(different, 4u);  // the bytes of the three numbers
  // Longer numbers: what was before the tensor but for lengths, and all that was after it.
  write_onnx(onnx, dir / "c.onnx", {{tensor(onnx, "half").bytes, raw(std::vector<uint16_t>(3, 60'000))}},
             false);
  const std::string grown = read_text(dir / "c.onnx");
  EXPECT_EQ(grown.size(), before.size() + 5);
  const size_t end = before.find("after the numbers");
  EXPECT_EQ(grown.substr(end + 5), before.substr(end));
}

// A model file with one initializer given as bytes.
std::string with_tensor(const std::string& bytes) {
  onnx::ModelProto model = small_model();
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.GetReflection()->MutableUnknownFields(&graph)->AddLengthDelimited(5, bytes);
  return model.SerializeAsString();
}

TEST(OnnxSpelled, InFormsThatNoLibraryWrites) {
  const TempDir dir;
  // Five numbers: two packed, one apart, a field that nobody knows, two packed, the last as a varint longer than need be.
  const std::string head("\x08\x05\x10\x0a\x42\x01q", 7), unknown("\xf8\x3f\x07", 3);
  const std::string file = with_tensor(head + std::string("\x2a\x02\x01\x02\x28\x03", 6) + unknown +
                                       std::string("\x2a\x04\x04\x85\x80\x00", 6));
  std::ofstream(dir / "a.onnx", std::ios::binary) << file;
  const Onnx onnx = Onnx::open(dir / "a.onnx");
  ASSERT_TRUE(std::ranges::equal(tensor(onnx, "q").bytes, raw(std::vector<uint16_t>{1, 2, 3, 4, 5})));
  write_onnx(onnx, dir / "b.onnx", {{tensor(onnx, "q").bytes, raw(std::vector<uint16_t>{128, 2, 300, 4, 5})}},
             false);
  EXPECT_EQ(read_text(dir / "b.onnx"), with_tensor(head + std::string("\x2a\x03\x80\x01\x02\x28\xac\x02", 8) +
                                                   unknown + std::string("\x2a\x02\x04\x05", 4)));
  // Floats one by one.
  const std::string floats_head("\x08\x02\x10\x01\x42\x01q", 7);
  const auto floats = [&](const std::vector<float>& values) {
    std::string made = floats_head;
    for (const float& v : values) made += "\x25" + std::string(reinterpret_cast<const char*>(&v), 4);
    return with_tensor(made);
  };
  std::ofstream(dir / "f.onnx", std::ios::binary) << floats({1.5F, -2});
  const Onnx of_floats = Onnx::open(dir / "f.onnx");
  write_onnx(of_floats, dir / "g.onnx", {{tensor(of_floats, "q").bytes, raw(std::vector<float>{-2, 1.5F})}},
             false);
  EXPECT_EQ(read_text(dir / "g.onnx"), floats({-2, 1.5F}));
}

}  // namespace
}  // namespace dws
