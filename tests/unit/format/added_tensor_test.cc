// A tensor that is written besides those of the file: what the file had stays as it was.
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "core/file.h"
#include "core/json.h"
#include "format/checkpoint.h"
#include "format/onnx_write.h"
#include "onnx_builder.h"
#include "testing.h"

namespace dws {
namespace {

namespace fs = std::filesystem;
using testing::TempDir;
using testing::throws_error;

Patch::Numbers bytes_of(const std::vector<float>& values) {
  const Bytes bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}
std::vector<float> floats(Bytes bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}
AddedTensor added(const std::string& name, Bytes like, const std::vector<float>& values) {
  return {.name = name, .like = like, .numbers = [values] { return bytes_of(values); }};
}

class AddedTensorTest : public ::testing::Test {
 protected:
  // "a" (2, 3), "b" (4), "c" (2, 2) of F32, counted up.
  void SetUp() override {
    std::iota(numbers.begin(), numbers.end(), 1.0f);
    write_sharded(dir / "net", tensors(), {{"format", "pt"}}, 40);
    write_safetensors(dir / "one.safetensors", tensors(), {{"format", "pt"}}, false);
  }
  std::vector<TensorSource> tensors() const {
    return {TensorSource::of("a", {2, 3}, std::span(numbers).subspan(0, 6)),
            TensorSource::of("b", {4}, std::span(numbers).subspan(6, 4)),
            TensorSource::of("c", {2, 2}, std::span(numbers).subspan(10, 4))};
  }
  TempDir dir;
  std::vector<float> numbers = std::vector<float>(14);
  const std::vector<float> other = {9, 8, 7, 6}, six = {6, 5, 4, 3, 2, 1};
};

TEST_F(AddedTensorTest, BehindAllOthersOfAFile) {
  const Checkpoint net = Checkpoint::open(dir / "one.safetensors");
  const Bytes a = net.bytes(*net.find("a"));
  write_checkpoint(net, dir / "two.safetensors", {Patch(net.bytes(*net.find("b")), bytes_of(other))}, false,
                   {added("head \"x\"", a, six)});
  const Safetensors two = Safetensors::open(dir / "two.safetensors");
  ASSERT_EQ(two.tensors().size(), 4u);
  EXPECT_EQ(two.tensors().back().name, "head \"x\"");
  EXPECT_EQ(two.tensors().back().shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(floats(two.bytes(two.tensors().back())), six);
  EXPECT_EQ(floats(two.bytes(two.at("a"))), std::vector<float>(numbers.begin(), numbers.begin() + 6));
  EXPECT_EQ(floats(two.bytes(two.at("b"))), other);
  EXPECT_EQ(*two.meta("format"), "pt");
  EXPECT_TRUE(throws_error(
      ErrorKind::duplicate_name,
      [&] { write_checkpoint(net, dir / "no.safetensors", {}, false, {added("b", a, six)}); }, "'b'"));
  EXPECT_TRUE(throws_error(
      ErrorKind::mismatch,
      [&] { write_checkpoint(net, dir / "no.safetensors", {}, false, {added("d", a, other)}); }, "24"));
  EXPECT_FALSE(fs::exists(dir / "no.safetensors"));
}

TEST_F(AddedTensorTest, InItsShardWithIndexAndConfiguration) {
  write_text(dir / "net/config.json", R"({"n": 1e-05, "tie_word_embeddings": true, "z": [1]})", false);
  const Checkpoint net = Checkpoint::open(dir / "net");
  write_checkpoint(net, dir / "copy", {}, false, {added("head", net.bytes(*net.find("c")), other)});
  const Checkpoint copy = Checkpoint::open(dir / "copy");
  EXPECT_TRUE(copy.warnings().empty());
  ASSERT_NE(copy.find("head"), nullptr);
  EXPECT_EQ(copy.find("head")->file, copy.find("c")->file);
  EXPECT_EQ(floats(copy.bytes(*copy.find("head"))), other);
  EXPECT_EQ(read_text(dir / "copy/model-00001-of-00002.safetensors"),
            read_text(dir / "net/model-00001-of-00002.safetensors"));
  const Json index = Json::parse(read_text(dir / "copy/model.safetensors.index.json"), "i");
  EXPECT_EQ(index.at("metadata").at("total_size").as_int(), 56 + 16);
  EXPECT_EQ(index.at("weight_map").as_object().size(), 4u);
  EXPECT_EQ(Json::parse(read_text(dir / "copy/config.json"), "c").dump(),
            R"({"n":1e-05,"tie_word_embeddings":false,"z":[1]})");
  // Of a model that says nothing, which is tied then.
  write_text(dir / "net/config.json", "{}", true);
  write_checkpoint(net, dir / "again", {}, false, {added("head", net.bytes(*net.find("c")), other)});
  EXPECT_EQ(Json::parse(read_text(dir / "again/config.json"), "c").dump(),
            R"({"tie_word_embeddings":false})");
}

class AddedInitializer : public ::testing::Test {
 protected:
  // y = relu(x W^T + b), and what is done to it.
  Onnx model(const std::function<void(onnx::ModelProto&)>& change = {}) {
    onnx::ModelProto m = testing::small_model();
    if (change) change(m);
    std::ofstream(dir / "a.onnx", std::ios::binary) << m.SerializeAsString();
    return Onnx::open(dir / "a.onnx");
  }
  static Bytes first(const Onnx& onnx) { return onnx.graph().initializers.front().bytes; }
  AddedTensor head(const Onnx& onnx) const {
    AddedTensor tensor = added("head", first(onnx), six);
    tensor.readers = {{"h", 1}};
    return tensor;
  }
  std::string parsed(const std::string& path, const std::function<void(onnx::ModelProto&)>& change) const {
    onnx::ModelProto m;
    EXPECT_TRUE(m.ParseFromString(read_text(path)));
    change(m);
    return m.SerializeAsString();
  }
  TempDir dir;
  const std::vector<float> six = {6, 5, 4, 3, 2, 1};
};

TEST_F(AddedInitializer, TakesAnothersPlace) {
  const Onnx onnx = model();
  write_onnx(onnx, dir / "b.onnx", {{first(onnx), bytes_of({1, 1, 1, 1, 1, 1})}}, false, {{"key", "value"}},
             {head(onnx)});
  const Onnx after = Onnx::open(dir / "b.onnx");
  ASSERT_EQ(after.graph().initializers.size(), 3u);
  const OnnxTensor& made = after.graph().initializers.front();
  EXPECT_EQ(made.name, "head");
  EXPECT_EQ(made.dims, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(floats(made.bytes), six);
  EXPECT_EQ(floats(after.graph().initializers[1].bytes), std::vector<float>(6, 1));
  EXPECT_EQ(after.graph().nodes[0].inputs, (std::vector<std::string>{"x", "head", "b"}));
  // Nothing else is another.
  write_onnx(onnx, dir / "c.onnx", {{first(onnx), bytes_of({1, 1, 1, 1, 1, 1})}}, false, {{"key", "value"}});
  EXPECT_EQ(parsed(dir / "b.onnx",
                   [](onnx::ModelProto& m) {
                     m.mutable_graph()->mutable_initializer()->DeleteSubrange(0, 1);
                     m.mutable_graph()->mutable_node(0)->set_input(1, "W");
                   }),
            parsed(dir / "c.onnx", [](onnx::ModelProto&) {}));
}

TEST_F(AddedInitializer, WithNumbersSpelledOut) {
  const Onnx onnx = model([](onnx::ModelProto& m) {
    onnx::TensorProto& w = *m.mutable_graph()->mutable_initializer(0);
    w.clear_raw_data();
    for (int i = 0; i < 6; ++i) w.add_float_data(static_cast<float>(i));
  });
  write_onnx(onnx, dir / "b.onnx", {{first(onnx), bytes_of({1, 1, 1, 1, 1, 1})}}, false, {}, {head(onnx)});
  const Onnx after = Onnx::open(dir / "b.onnx");
  EXPECT_EQ(floats(after.graph().initializers[0].bytes), six);
  EXPECT_EQ(floats(after.graph().initializers[1].bytes), std::vector<float>(6, 1));
}

TEST_F(AddedInitializer, WhatCannotBeAddedTo) {
  const Onnx onnx = model();
  const auto refuses = [&](const Onnx& to, ErrorKind kind, const AddedTensor& tensor,
                           const std::string& why) {
    EXPECT_TRUE(throws_error(
        kind, [&] { write_onnx(to, dir / "no.onnx", {}, false, {}, {tensor}); }, why));
    EXPECT_FALSE(fs::exists(dir / "no.onnx"));
  };
  AddedTensor tensor = head(onnx);
  for (const char* taken : {"W", "x", "h"}) {
    tensor.name = taken;
    refuses(onnx, ErrorKind::duplicate_name, tensor, "already");
  }
  tensor = head(onnx);
  tensor.readers = {{"elsewhere", 1}};
  refuses(onnx, ErrorKind::unsupported, tensor, "what makes 'elsewhere' is no node of its graph");
  tensor.readers = {{"h", 2}};  // which takes another tensor
  refuses(onnx, ErrorKind::unsupported, tensor, "what makes 'h'");
  const Onnx old = model([](onnx::ModelProto& m) { m.set_ir_version(3); });
  refuses(old, ErrorKind::unsupported, head(old), "IR version 3");
}

}  // namespace
}  // namespace dws
