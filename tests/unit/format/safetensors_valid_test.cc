// What the format allows and a reader must take.
#include <fstream>
#include <limits>

#include "unit/format/build_safetensors.h"

namespace dws::testing {
namespace {

TEST(SafetensorsValid, EmptyObject) {
  const std::string file = safetensors_text("{}");
  EXPECT_TRUE(accept(file).tensors().empty());
}

TEST(SafetensorsValid, Rank0) {
  const std::string file = safetensors_text(object({entry("x", "F32", "[]", 0, 4)}), 4);
  const Safetensors st = accept(file);
  ASSERT_EQ(st.tensors().size(), 1u);
  EXPECT_TRUE(st.tensors()[0].shape.empty());
  EXPECT_EQ(st.tensors()[0].elements(), 1);
  EXPECT_EQ(st.tensors()[0].shape_str(), "()");
}

TEST(SafetensorsValid, ZeroDimension) {
  const std::string file = safetensors_text(object({entry("x", "F32", "[3,0,5]", 0, 0)}));
  const Safetensors st = accept(file);
  EXPECT_EQ(st.at("x").elements(), 0);
  EXPECT_TRUE(st.bytes(st.at("x")).empty());
  EXPECT_EQ(st.at("x").shape_str(), "(3, 0, 5)");
}

TEST(SafetensorsValid, ZeroBeforeLargeDimensions) {
  const std::string file =
      safetensors_text(object({entry("x", "F32", "[0,4611686018427387904,4611686018427387904]", 0, 0)}));
  EXPECT_EQ(accept(file).at("x").elements(), 0);
}

TEST(SafetensorsValid, EmptyTensorsBetweenOthers) {
  const std::string file = safetensors_text(
      object({entry("a", "U8", "[2]", 0, 2), entry("b", "U8", "[0]", 2, 2), entry("c", "U8", "[3]", 2, 5)}),
      5);
  EXPECT_EQ(accept(file).tensors().size(), 3u);
}

TEST(SafetensorsValid, Rank9) {
  const std::string file = safetensors_text(object({entry("x", "U8", "[1,1,1,1,1,1,1,1,2]", 0, 2)}), 2);
  EXPECT_EQ(accept(file).at("x").shape.size(), 9u);
}

TEST(SafetensorsValid, Rank64) {
  std::string shape = "[1";
  for (int i = 1; i < 64; ++i) shape += ",1";
  const std::string file = safetensors_text(object({entry("x", "U8", shape + "]", 0, 1)}), 1);
  EXPECT_EQ(accept(file).at("x").shape.size(), 64u);
}

TEST(SafetensorsValid, HeaderOutOfOrder) {
  const std::string file =
      safetensors_text(object({entry("late", "U8", "[2]", 1, 3), entry("early", "U8", "[1]", 0, 1)}), 3);
  const Safetensors st = accept(file);
  ASSERT_EQ(st.tensors().size(), 2u);
  EXPECT_EQ(st.tensors()[0].name, "early");  // order of offsets
  EXPECT_EQ(st.at("late").begin, 1u);
}

TEST(SafetensorsValid, WhiteSpaceInFrontAndBehind) {
  const std::string file = safetensors_text(text(" \n\t{}   ", object({entry("x", "U8", "[1]", 0, 1)})), 1);
  EXPECT_EQ(accept(file).tensors().size(), 1u);
}

TEST(SafetensorsValid, SubByteTypes) {
  const std::string file =
      safetensors_text(object({entry("a", "F4", "[4]", 0, 2), entry("b", "F6_E2M3", "[2,2]", 2, 5),
                               entry("c", "F6_E3M2", "[4]", 5, 8)}),
                       8);
  const Safetensors st = accept(file);
  EXPECT_EQ(st.bytes(st.at("a")).size(), 2u);
  EXPECT_EQ(st.bytes(st.at("b")).size(), 3u);
}

TEST(SafetensorsValid, EveryDtype) {
  const char* names[] = {"BOOL",    "F4",      "F6_E2M3", "F6_E3M2",     "U8",          "I8",
                         "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16",
                         "U16",     "F16",     "BF16",    "I32",         "U32",         "F32",
                         "C64",     "F64",     "I64",     "U64"};
  const uint64_t bytes_of_8[] = {8, 4, 6, 6, 8, 8, 8, 8, 8, 8, 8, 16, 16, 16, 16, 32, 32, 32, 64, 64, 64, 64};
  std::vector<std::string> entries;
  uint64_t at = 0;
  for (size_t i = 0; i < std::size(names); ++i) {
    entries.push_back(entry(text("t{}", names[i]), names[i], "[8]", at, at + bytes_of_8[i]));
    at += bytes_of_8[i];
  }
  const std::string file = safetensors_text(object(entries), at);
  const Safetensors st = accept(file);
  ASSERT_EQ(st.tensors().size(), 22u);
  for (size_t i = 0; i < std::size(names); ++i) {
    EXPECT_STREQ(dtype_name(st.at(text("t{}", names[i])).dtype), names[i]);
  }
}

TEST(SafetensorsValid, Metadata) {
  const std::string file = safetensors_text(R"({"__metadata__":{"format":"pt","":"\u00e9\n"}})");
  const Safetensors st = accept(file);
  ASSERT_EQ(st.metadata().size(), 2u);
  ASSERT_NE(st.meta("format"), nullptr);
  EXPECT_EQ(*st.meta("format"), "pt");
  EXPECT_EQ(*st.meta(""), "\xC3\xA9\n");
  EXPECT_EQ(st.meta("other"), nullptr);
  EXPECT_TRUE(st.tensors().empty());
}

TEST(SafetensorsValid, NamesWithEscapesAndTheEmptyName) {
  const std::string file = safetensors_text(
      object({entry(R"(a\"\\\u0000\n)", "U8", "[1]", 0, 1), entry("", "U8", "[1]", 1, 2)}), 2);
  const Safetensors st = accept(file);
  EXPECT_NE(st.find(std::string_view("a\"\\\0\n", 5)), nullptr);
  EXPECT_NE(st.find(""), nullptr);
}

TEST(SafetensorsValid, UnknownFieldIsAWarning) {
  const std::string file =
      safetensors_text(R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"extra":{"a":[1]}}})", 1);
  const Safetensors st = accept(file);
  ASSERT_EQ(st.warnings().size(), 1u);
  EXPECT_NE(st.warnings()[0].find("unknown field 'extra' (tensor 'x')"), std::string::npos);
}

TEST(SafetensorsValid, NotANumberIsAllowedInData) {
  std::string file = safetensors_text(object({entry("x", "F32", "[1]", 0, 4)}));
  file += std::string("\x00\x00\xC0\x7F", 4);
  float value = 0;
  const Safetensors st = accept(file);
  st.read(st.at("x"), std::span<float>(&value, 1));
  EXPECT_TRUE(value != value);
}

TEST(SafetensorsValid, BytesPointIntoTheFile) {
  const std::string file = safetensors_text(object({entry("x", "U8", "[3]", 0, 3)}), 3);
  const Safetensors st = accept(file);
  EXPECT_EQ(static_cast<const void*>(st.bytes(st.at("x")).data()), file.data() + file.size() - 3);
}

TEST(SafetensorsValid, HeaderOfOddLengthGivesUnalignedDataThatReadsRight) {
  // Every start from 0 to 7 beyond a multiple of eight.
  for (size_t pad = 0; pad < 8; ++pad) {
    std::string file = safetensors_text(object({entry("x", "F64", "[2]", 0, 16)}) + std::string(pad, ' '));
    const double data[2] = {1.5, -2.25e300};
    file.append(reinterpret_cast<const char*>(data), sizeof data);
    double back[2] = {};
    const Safetensors st = accept(file);
    st.read(st.at("x"), std::span<double>(back));
    EXPECT_EQ(back[0], data[0]);
    EXPECT_EQ(back[1], data[1]);
  }
}

TEST(SafetensorsValid, OpenMapsAFile) {
  const TempDir dir;
  const std::string path = dir / "x.safetensors";
  {
    std::ofstream out(path, std::ios::binary);
    out << safetensors_text(object({entry("x", "I32", "[1]", 0, 4)})) << std::string("\x2A\0\0\0", 4);
  }
  Safetensors st = Safetensors::open(path);
  const Safetensors moved = std::move(st);  // the mapping moves along
  int64_t value = 0;
  moved.read(moved.at("x"), std::span<int64_t>(&value, 1));
  EXPECT_EQ(value, 42);
  EXPECT_EQ(moved.path(), path);
}

template <class T>
std::string one(const char* dtype, T value) {
  std::string file = safetensors_text(object({entry("x", dtype, "[1]", 0, sizeof value)}));
  return file.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class Out, class T>
Out read_one(const char* dtype, T value) {
  const std::string file = one(dtype, value);
  const Safetensors st = accept(file);
  Out out{};
  st.read(st.at("x"), std::span<Out>(&out, 1));
  return out;
}

TEST(SafetensorsRead, ToFloat) {
  EXPECT_EQ(read_one<float>("F32", 1.25f), 1.25f);
  EXPECT_EQ(read_one<float>("F64", 1.25), 1.25f);
  EXPECT_EQ(read_one<float>("F16", uint16_t{0x3E00}), 1.5f);
  EXPECT_EQ(read_one<float>("BF16", uint16_t{0xBFC0}), -1.5f);
}

TEST(SafetensorsRead, ToDouble) {
  EXPECT_EQ(read_one<double>("F32", 0.1f), static_cast<double>(0.1f));
  EXPECT_EQ(read_one<double>("F64", 0.1), 0.1);
}

TEST(SafetensorsRead, ToIntegers) {
  EXPECT_EQ(read_one<int64_t>("BOOL", uint8_t{1}), 1);
  EXPECT_EQ(read_one<int64_t>("U8", uint8_t{255}), 255);
  EXPECT_EQ(read_one<int64_t>("I8", int8_t{-128}), -128);
  EXPECT_EQ(read_one<int64_t>("U16", uint16_t{65535}), 65535);
  EXPECT_EQ(read_one<int64_t>("I16", int16_t{-3}), -3);
  EXPECT_EQ(read_one<int64_t>("U32", uint32_t{4000000000u}), 4000000000);
  EXPECT_EQ(read_one<int64_t>("I32", int32_t{-5}), -5);
  EXPECT_EQ(read_one<int64_t>("U64", uint64_t{7}), 7);
  EXPECT_EQ(read_one<int64_t>("I64", std::numeric_limits<int64_t>::min()),
            std::numeric_limits<int64_t>::min());
}

TEST(SafetensorsRead, RefusesOtherTypes) {
  expect_error(
      ErrorKind::unknown_dtype, [] { read_one<float>("I64", int64_t{1}); }, "(tensor 'x')");
  expect_error(
      ErrorKind::unknown_dtype, [] { read_one<double>("F16", uint16_t{1}); }, "F16 cannot be read as double");
  expect_error(
      ErrorKind::unknown_dtype, [] { read_one<int64_t>("F32", 1.f); }, "F32 cannot be read as integers");
}

TEST(SafetensorsRead, RefusesU64BeyondInt64) {
  expect_error(
      ErrorKind::bad_value, [] { read_one<int64_t>("U64", ~uint64_t{0}); }, "does not fit int64");
}

TEST(SafetensorsRead, RefusesAnArrayOfAnotherLength) {
  const std::string file = one("F32", 1.f);
  const Safetensors st = accept(file);
  float out[2];
  expect_error(
      ErrorKind::internal, [&] { st.read(st.at("x"), std::span<float>(out)); }, "expected 1, got 2");
}

TEST(SafetensorsRead, MissingTensorIsNamed) {
  const std::string file = safetensors_text("{}");
  const Safetensors st = accept(file);
  EXPECT_EQ(st.find("no"), nullptr);
  expect_error(
      ErrorKind::missing_tensor, [&] { st.at("no\n"); }, "f.safetensors: tensor is missing (tensor 'no\\n')");
}

}  // namespace
}  // namespace dws::testing
