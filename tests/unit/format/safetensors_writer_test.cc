#include <rapidcheck.h>

#include <filesystem>
#include <map>

#include "core/file.h"
#include "unit/format/build_safetensors.h"

namespace dws::testing {
namespace {

// What a file says, independent of where it lies.
struct Content {
  Dtype dtype;
  std::vector<int64_t> shape;
  std::string bytes;
  bool operator==(const Content&) const = default;
};

std::map<std::string, Content> content(const Safetensors& file) {
  std::map<std::string, Content> all;
  for (const TensorEntry& entry : file.tensors()) {
    const Bytes bytes = file.bytes(entry);
    all[entry.name] = {entry.dtype, entry.shape, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}};
  }
  return all;
}

TEST(SafetensorsWriter, LayoutByteForByte) {
  const TempDir dir;
  const float f[] = {1, 2};
  const int64_t i[] = {3};
  write_safetensors(
      dir / "x",
      {TensorSource::of("b", {2}, f), TensorSource::of("a", {2, 1}, f), TensorSource::of("z", {}, i)},
      {{"k", "v"}}, false);
  const std::string file = read_text(dir / "x");
  // Wide types first, then by name; the header is padded with spaces to a multiple of 8.
  const std::string header =
      R"({"__metadata__":{"k":"v"},"z":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]},"b":{"dtype":"F32","shape":[2],"data_offsets":[16,24]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  ASSERT_NE(padded.size(), header.size());
  const std::string one("\0\0\x80\x3F", 4), two("\0\0\0\x40", 4), three("\3\0\0\0\0\0\0\0", 8);
  EXPECT_EQ(file, safetensors_text(padded) + three + one + two + one + two);
}

TEST(SafetensorsWriter, NothingAtAll) {
  const TempDir dir;
  write_safetensors(dir / "x", {}, {}, false);
  EXPECT_EQ(read_text(dir / "x"), safetensors_text("{}      "));
}

TEST(SafetensorsWriter, RefusesTwoOfOneName) {
  const TempDir dir;
  const float f[] = {1};
  const double d[] = {1};
  expect_error(
      ErrorKind::duplicate_name,
      [&] {
        write_safetensors(dir / "x", {TensorSource::of("a", {1}, f), TensorSource::of("a", {1}, d)}, {},
                          false);
      },
      "(tensor 'a')");
  expect_error(
      ErrorKind::duplicate_name,
      [&] {
        write_safetensors(dir / "x", {}, {{"k", "1"}, {"k", "2"}}, false);
      },
      "'k'");
  EXPECT_FALSE(std::filesystem::exists(dir / "x"));
}

TEST(SafetensorsWriter, RefusesNamesThatCannotBeWritten) {
  const TempDir dir;
  const float f[] = {1};
  const auto write = [&](const std::string& name) {
    write_safetensors(dir / "x", {TensorSource::of(name, {1}, f)}, {}, false);
  };
  expect_error(
      ErrorKind::bad_schema, [&] { write("__metadata__"); }, "__metadata__");
  expect_error(
      ErrorKind::bad_utf8, [&] { write("\xFF"); }, "not UTF-8");
  EXPECT_FALSE(std::filesystem::exists(dir / "x"));
}

TEST(SafetensorsWriter, RefusesAWrongNumberOfBytesAndLeavesNothing) {
  const TempDir dir;
  const float f[] = {1, 2, 3};
  expect_error(
      ErrorKind::size_mismatch,
      [&] { write_safetensors(dir / "x", {TensorSource::of("a", {2}, f)}, {}, false); },
      "(tensor 'a'): expected 8, got 12");
  expect_error(
      ErrorKind::size_mismatch,
      [&] { write_safetensors(dir / "x", {TensorSource::of("a", {4}, f)}, {}, false); },
      "(tensor 'a'): expected 16, got 12");
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(SafetensorsWriter, RefusesShapesThatAreNone) {
  const TempDir dir;
  const auto write = [&](Dtype dtype, std::vector<int64_t> shape) {
    write_safetensors(dir / "x", {TensorSource::raw("a", dtype, std::move(shape), {})}, {}, false);
  };
  expect_error(ErrorKind::shape_overflow, [&] { write(Dtype::f32, {-1}); });
  expect_error(ErrorKind::shape_overflow, [&] { write(Dtype::f32, {int64_t{1} << 32, int64_t{1} << 32}); });
  expect_error(ErrorKind::size_mismatch, [&] { write(Dtype::f4, {3}); });
}

TEST(SafetensorsWriter, AnErrorWhileFillingLeavesNothing) {
  const TempDir dir;
  TensorSource source{"a", Dtype::f32, {1}, [](const auto&) { throw Error(ErrorKind::bad_value, "stop"); }};
  expect_error(ErrorKind::bad_value, [&] { write_safetensors(dir / "x", {source}, {}, false); });
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(SafetensorsWriter, OverwritesOnlyWhenTold) {
  const TempDir dir;
  write_safetensors(dir / "x", {}, {{"k", "old"}}, false);
  expect_error(ErrorKind::exists, [&] { write_safetensors(dir / "x", {}, {}, false); });
  EXPECT_EQ(*Safetensors::open(dir / "x").meta("k"), "old");
  write_safetensors(dir / "x", {}, {{"k", "new"}}, true);
  EXPECT_EQ(*Safetensors::open(dir / "x").meta("k"), "new");
}

TEST(SafetensorsWriter, RoundTripOfAnyTensors) {
  const TempDir dir;
  size_t written = 0;
  const bool ok = rc::check("write, then read", [&] {
    const auto names = *rc::gen::unique<std::vector<std::string>>(
        rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127)));
    std::map<std::string, Content> expected;
    std::vector<TensorSource> sources;
    for (const std::string& name : names) {
      Content tensor;
      tensor.dtype = static_cast<Dtype>(*rc::gen::inRange(0, 22));
      const auto extents = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 4));
      tensor.shape.assign(extents.begin(), extents.end());
      if (tensor.shape.size() > 5) tensor.shape.resize(5);
      tensor.shape.push_back(4);  // sub-byte types fill whole bytes
      int64_t bits = dtype_bits(tensor.dtype);
      for (const int64_t extent : tensor.shape) bits *= extent;
      tensor.bytes =
          *rc::gen::container<std::string>(static_cast<size_t>(bits / 8), rc::gen::arbitrary<char>());
      expected[name] = tensor;
    }
    for (const auto& [name, tensor] : expected) {
      sources.push_back(TensorSource::raw(name, tensor.dtype, tensor.shape, as_bytes(tensor.bytes)));
    }
    const auto keys = *rc::gen::container<std::map<std::string, std::string>>(
        rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127)),
        rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127)));
    const std::vector<std::pair<std::string, std::string>> metadata(keys.begin(), keys.end());
    write_safetensors(dir / "x", sources, metadata, true);
    const Safetensors file = Safetensors::open(dir / "x");
    RC_ASSERT(content(file) == expected);
    RC_ASSERT(file.metadata() == metadata);
    RC_ASSERT(file.warnings().empty());
    // Every tensor lies at a multiple of its own element's size.
    for (const TensorEntry& entry : file.tensors()) {
      const int width = dtype_bits(entry.dtype) / 8;
      if (width > 1)
        RC_ASSERT(reinterpret_cast<uintptr_t>(file.bytes(entry).data()) % static_cast<size_t>(width) == 0u);
    }
    ++written;
  });
  EXPECT_TRUE(ok);
  EXPECT_GE(written, 100u);
}

TEST(SafetensorsWriter, RoundTripOfNamesBeyondAscii) {
  const TempDir dir;
  const float f[] = {1};
  const std::string names[] = {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", std::string("a\0b", 3),
                               "\"\\/\b\f\n\r\t\x7F", ""};
  std::vector<TensorSource> sources;
  for (const std::string& name : names) sources.push_back(TensorSource::of(name, {1}, f));
  write_safetensors(dir / "x", sources, {}, false);
  const Safetensors file = Safetensors::open(dir / "x");
  EXPECT_EQ(file.tensors().size(), 4u);
  for (const std::string& name : names) EXPECT_NE(file.find(name), nullptr) << name;
}

}  // namespace
}  // namespace dws::testing
