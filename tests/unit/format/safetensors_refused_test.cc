// What a reader must refuse, one test a rule.
#include <filesystem>

#include "unit/format/build_safetensors.h"

namespace dws::testing {
namespace {

std::string length_bytes(uint64_t length) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(length >> (8 * i));
  return out;
}

// A tensor "x" of one byte whose entry has `field` in place of the field of that name.
std::string with(const std::string& name, const std::string& value) {
  const auto pick = [&](const char* key, const char* usual) {
    return name == key ? value : std::string(usual);
  };
  return text(R"({{"x":{{"dtype":{},"shape":{},"data_offsets":{}}}}})", pick("dtype", R"("U8")"),
              pick("shape", "[1]"), pick("data_offsets", "[0,1]"));
}

// The helper itself makes a good file, so that what the tests refuse is what they changed.
TEST(SafetensorsRefused, NotTheUnchangedFile) {
  const std::string file = safetensors_text(with("", ""), 1);
  EXPECT_EQ(accept(file).tensors().size(), 1u);
}

TEST(SafetensorsRefused, EmptyFile) {
  refuse(ErrorKind::truncated, "", "expected at least 8 bytes, got 0");
}

TEST(SafetensorsRefused, SevenBytes) {
  refuse(ErrorKind::truncated, std::string(7, '\0'), "at byte 0: expected at least 8 bytes, got 7");
}

TEST(SafetensorsRefused, HeaderOver100MillionBytes) {
  refuse(ErrorKind::too_large, length_bytes(100'000'001), "expected at most 100000000 bytes, got 100000001");
}

TEST(SafetensorsRefused, HeaderOf100MillionBytesIsOnlyTruncated) {
  refuse(ErrorKind::truncated, length_bytes(100'000'000) + "{}");
}

TEST(SafetensorsRefused, HeaderLengthAllOnes) {
  refuse(ErrorKind::too_large, length_bytes(~uint64_t{0}));
}

TEST(SafetensorsRefused, HeaderLengthThatWrapsWithEight) {
  refuse(ErrorKind::too_large, length_bytes(~uint64_t{0} - 7) + "{}");
}

TEST(SafetensorsRefused, HeaderPastTheEnd) {
  refuse(ErrorKind::truncated, length_bytes(3) + "{}",
         "ends inside the header at byte 10: expected at least 11");
}

TEST(SafetensorsRefused, InvalidUtf8) {
  refuse_header(ErrorKind::bad_utf8, "{\"\xFF\":1}");
}
TEST(SafetensorsRefused, OverlongUtf8) {
  refuse_header(ErrorKind::bad_utf8, "{\"\xC0\x80\":1}");
}
TEST(SafetensorsRefused, HeaderOfLength0) {
  refuse_header(ErrorKind::bad_json, "");
}
TEST(SafetensorsRefused, WhiteSpaceOnly) {
  refuse_header(ErrorKind::bad_json, "   ");
}
TEST(SafetensorsRefused, NotJson) {
  refuse_header(ErrorKind::bad_json, "hello");
}
TEST(SafetensorsRefused, UnclosedObject) {
  refuse_header(ErrorKind::bad_json, "{");
}
TEST(SafetensorsRefused, TrailingComma) {
  refuse_header(ErrorKind::bad_json, "{\"__metadata__\":{},}");
}
TEST(SafetensorsRefused, ByteOrderMark) {
  refuse_header(ErrorKind::bad_json, "\xEF\xBB\xBF{}");
}
TEST(SafetensorsRefused, Comment) {
  refuse_header(ErrorKind::bad_json, "{/* */}");
}
TEST(SafetensorsRefused, TrailingJunk) {
  refuse_header(ErrorKind::bad_json, "{} x");
}
TEST(SafetensorsRefused, SecondObject) {
  refuse_header(ErrorKind::bad_json, "{}{}");
}
TEST(SafetensorsRefused, TrailingNul) {
  refuse_header(ErrorKind::bad_json, std::string_view("{}\0", 3));
}
TEST(SafetensorsRefused, LoneSurrogate) {
  refuse_header(ErrorKind::bad_json, R"({"__metadata__":{"a":"\ud800"}})");
}

TEST(SafetensorsRefused, DeepNesting) {
  const std::string header = text(R"({{"x":{}}})", std::string(1'000'000, '['));
  refuse_header(ErrorKind::resource_limit, header, 0, "nested deeper than 4");
}

TEST(SafetensorsRefused, NestingFive) {
  refuse_header(ErrorKind::resource_limit,
                R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"e":[[[1]]]}})", 1);
}

TEST(SafetensorsRefused, RootArray) {
  refuse_header(ErrorKind::bad_schema, "[]", 0, "not a JSON object");
}
TEST(SafetensorsRefused, RootNumber) {
  refuse_header(ErrorKind::bad_schema, "1");
}
TEST(SafetensorsRefused, RootNull) {
  refuse_header(ErrorKind::bad_schema, "null");
}

TEST(SafetensorsRefused, EntryNotAnObject) {
  refuse_header(ErrorKind::bad_schema, R"({"x":[]})", 0, "at byte 9 (tensor 'x')");
}

TEST(SafetensorsRefused, MissingDtype) {
  refuse_header(ErrorKind::bad_schema, R"({"x":{"shape":[1],"data_offsets":[0,1]}})", 1,
                "missing field 'dtype'");
}

TEST(SafetensorsRefused, MissingShape) {
  refuse_header(ErrorKind::bad_schema, R"({"x":{"dtype":"U8","data_offsets":[0,1]}})", 1,
                "missing field 'shape'");
}

TEST(SafetensorsRefused, MissingOffsets) {
  refuse_header(ErrorKind::bad_schema, R"({"x":{"dtype":"U8","shape":[1]}})", 1,
                "missing field 'data_offsets'");
}

TEST(SafetensorsRefused, DuplicateField) {
  refuse_header(ErrorKind::duplicate_name,
                R"({"x":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1);
}

TEST(SafetensorsRefused, DuplicateTensorOfOneSpan) {
  const std::string x = entry("x", "U8", "[1]", 0, 1);
  refuse_header(ErrorKind::duplicate_name, object({x, x}), 1, "'x'");
}

TEST(SafetensorsRefused, DuplicateTensorSpelledAnotherWay) {
  const std::string x = entry("x", "U8", "[1]", 0, 1), y = entry(R"(\u0078)", "U8", "[1]", 1, 2);
  refuse_header(ErrorKind::duplicate_name, object({x, y}), 2);
}

TEST(SafetensorsRefused, DuplicateMetadataKey) {
  refuse_header(ErrorKind::duplicate_name, R"({"__metadata__":{"a":"1","a":"2"}})");
}

TEST(SafetensorsRefused, DuplicateMetadata) {
  refuse_header(ErrorKind::duplicate_name, R"({"__metadata__":{},"__metadata__":{}})");
}

TEST(SafetensorsRefused, ThreeOffsets) {
  refuse_header(ErrorKind::bad_schema, with("data_offsets", "[0,1,2]"), 1, "expected 2, got 3");
}

TEST(SafetensorsRefused, OneOffset) {
  refuse_header(ErrorKind::bad_schema, with("data_offsets", "[0]"), 1);
}
TEST(SafetensorsRefused, OffsetsNotAnArray) {
  refuse_header(ErrorKind::bad_schema, with("data_offsets", "1"), 1);
}
TEST(SafetensorsRefused, OffsetAsText) {
  refuse_header(ErrorKind::bad_schema, with("data_offsets", R"(["0","1"])"), 1);
}
TEST(SafetensorsRefused, NegativeOffset) {
  refuse_header(ErrorKind::bad_schema, with("data_offsets", "[-1,0]"), 1);
}

TEST(SafetensorsRefused, OffsetBeyond64Bits) {
  refuse_header(ErrorKind::bad_json, with("data_offsets", "[0,18446744073709551616]"), 1);
}

TEST(SafetensorsRefused, UnknownDtype) {
  refuse_header(ErrorKind::unknown_dtype, with("dtype", R"("F128")"), 1,
                "unknown dtype 'F128' at byte 9 (tensor 'x')");
}

TEST(SafetensorsRefused, DtypeInLowerCase) {
  refuse_header(ErrorKind::unknown_dtype, with("dtype", R"("u8")"), 1);
}
TEST(SafetensorsRefused, DtypeNotAString) {
  refuse_header(ErrorKind::bad_schema, with("dtype", "8"), 1);
}
TEST(SafetensorsRefused, ShapeNotAnArray) {
  refuse_header(ErrorKind::bad_schema, with("shape", "1"), 1);
}
TEST(SafetensorsRefused, ShapeNull) {
  refuse_header(ErrorKind::bad_schema, with("shape", "null"), 1);
}
TEST(SafetensorsRefused, NegativeDimension) {
  refuse_header(ErrorKind::bad_schema, with("shape", "[-1]"), 1);
}
TEST(SafetensorsRefused, FloatDimension) {
  refuse_header(ErrorKind::bad_schema, with("shape", "[1.0]"), 1);
}
TEST(SafetensorsRefused, ExponentDimension) {
  refuse_header(ErrorKind::bad_schema, with("shape", "[1e0]"), 1);
}
TEST(SafetensorsRefused, LeadingZeroDimension) {
  refuse_header(ErrorKind::bad_json, with("shape", "[01]"), 1);
}
TEST(SafetensorsRefused, PlusSignDimension) {
  refuse_header(ErrorKind::bad_json, with("shape", "[+1]"), 1);
}
TEST(SafetensorsRefused, BooleanDimension) {
  refuse_header(ErrorKind::bad_schema, with("shape", "[true]"), 1);
}

TEST(SafetensorsRefused, DimensionBeyondInt64) {
  refuse_header(ErrorKind::shape_overflow, with("shape", "[9223372036854775808]"), 1, "less than 2^63");
}

TEST(SafetensorsRefused, MetadataNumber) {
  refuse_header(ErrorKind::bad_schema, R"({"__metadata__":{"a":1}})");
}
TEST(SafetensorsRefused, MetadataNull) {
  refuse_header(ErrorKind::bad_schema, R"({"__metadata__":{"a":null}})");
}
TEST(SafetensorsRefused, MetadataNested) {
  refuse_header(ErrorKind::bad_schema, R"({"__metadata__":{"a":{}}})");
}
TEST(SafetensorsRefused, MetadataArray) {
  refuse_header(ErrorKind::bad_schema, R"({"__metadata__":[]})");
}

TEST(SafetensorsRefused, Overlap) {
  refuse_header(ErrorKind::offset_overlap,
                object({entry("a", "U8", "[2]", 0, 2), entry("b", "U8", "[2]", 1, 3)}), 3,
                "(tensor 'b'): expected data_offsets to begin at 2, got 1");
}

TEST(SafetensorsRefused, Alias) {
  refuse_header(ErrorKind::offset_overlap,
                object({entry("a", "U8", "[2]", 0, 2), entry("b", "U8", "[2]", 0, 2)}), 2);
}

TEST(SafetensorsRefused, Hole) {
  refuse_header(ErrorKind::offset_gap, object({entry("a", "U8", "[2]", 0, 2), entry("b", "U8", "[2]", 3, 5)}),
                5, "(tensor 'b'): expected data_offsets to begin at 2, got 3");
}

TEST(SafetensorsRefused, FirstHole) {
  refuse_header(ErrorKind::offset_gap, object({entry("a", "U8", "[2]", 1, 3)}), 3,
                "expected data_offsets to begin at 0");
}

TEST(SafetensorsRefused, EmptyTensorBeyondTheOthers) {
  refuse_header(ErrorKind::offset_gap, object({entry("a", "U8", "[2]", 0, 2), entry("b", "U8", "[0]", 9, 9)}),
                2);
}

TEST(SafetensorsRefused, EndBeforeBegin) {
  refuse_header(ErrorKind::offset_range, with("data_offsets", "[1,0]"), 1,
                "expected an end of at least 1, got 0");
}

TEST(SafetensorsRefused, SpanShorterThanShape) {
  refuse_header(ErrorKind::size_mismatch, with("shape", "[2]"), 1, "shape (2,) of U8");
}

TEST(SafetensorsRefused, SpanLongerThanShape) {
  refuse_header(ErrorKind::size_mismatch, object({entry("x", "F32", "[1]", 0, 8)}), 8,
                "expected 4 bytes, got 8");
}

TEST(SafetensorsRefused, SpanOfZeroDimension) {
  refuse_header(ErrorKind::size_mismatch, with("shape", "[0]"), 1);
}

TEST(SafetensorsRefused, ProductOverflow) {
  refuse_header(ErrorKind::shape_overflow, object({entry("x", "U8", "[4294967296,4294967296]", 0, 0)}));
}

TEST(SafetensorsRefused, ProductTimesBitsOverflow) {
  refuse_header(ErrorKind::shape_overflow, object({entry("x", "F64", "[2305843009213693952]", 0, 0)}));
}

TEST(SafetensorsRefused, ProductOverflowBeforeAZero) {
  refuse_header(ErrorKind::shape_overflow, object({entry("x", "U8", "[4294967296,4294967296,0]", 0, 0)}));
}

TEST(SafetensorsRefused, HugeRank8WithHugeOffsets) {
  refuse_header(ErrorKind::truncated,
                object({entry("x", "U8", "[1,1,1,1,1,1,1,1099511627776]", 0, 1099511627776)}), 4);
}

TEST(SafetensorsRefused, OddCountOfF4) {
  refuse_header(ErrorKind::size_mismatch, object({entry("x", "F4", "[3]", 0, 2)}), 2,
                "does not fill whole bytes");
}

TEST(SafetensorsRefused, ThreeOfF6) {
  refuse_header(ErrorKind::size_mismatch, object({entry("x", "F6_E2M3", "[3]", 0, 3)}), 3);
}

TEST(SafetensorsRefused, DataMissing) {
  refuse_header(ErrorKind::truncated, object({entry("x", "U8", "[4]", 0, 4)}), 3,
                "(tensor 'x'): expected at least 4 bytes of data, got 3");
}

TEST(SafetensorsRefused, DataAfterTheEnd) {
  refuse_header(ErrorKind::trailing_data, object({entry("x", "U8", "[4]", 0, 4)}), 5,
                "expected 4 bytes of data, got 5");
}

TEST(SafetensorsRefused, DataWithoutTensors) {
  refuse_header(ErrorKind::trailing_data, "{}", 1);
}

TEST(SafetensorsRefused, Rank65) {
  std::string shape = "[1";
  for (int i = 1; i < 65; ++i) shape += ",1";
  refuse_header(ErrorKind::resource_limit, object({entry("x", "U8", shape + "]", 0, 1)}), 1,
                "at most 64, got 65");
}

TEST(SafetensorsRefused, NameOver64KiB) {
  const std::string name(65'537, 'n');
  refuse_header(ErrorKind::resource_limit, object({entry(name, "U8", "[1]", 0, 1)}), 1,
                "at most 65536 bytes, got 65537");
  const std::string file = safetensors_text(object({entry(name.substr(1), "U8", "[1]", 0, 1)}), 1);
  EXPECT_EQ(accept(file).tensors().size(), 1u);
}

TEST(SafetensorsRefused, TooManyTensors) {
  const std::string file = safetensors_text(
      object({entry("a", "U8", "[0]", 0, 0), entry("b", "U8", "[0]", 0, 0), entry("c", "U8", "[0]", 0, 0)}));
  SafetensorsLimits limits;
  limits.tensors = 2;
  expect_error(
      ErrorKind::resource_limit, [&] { Safetensors::parse(as_bytes(file), "f", limits); },
      "at most 2, got 3");
  limits.tensors = 3;
  EXPECT_EQ(Safetensors::parse(as_bytes(file), "f", limits).tensors().size(), 3u);
}

TEST(SafetensorsRefused, EveryTruncationOfAGoodFile) {
  const std::string file =
      safetensors_text(object({entry("a", "F32", "[2,3]", 0, 24), entry("b", "I64", "[1]", 24, 32)}), 32);
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_TRUE(throws_error(ErrorKind::truncated, [&] {
      Safetensors::parse(as_bytes(std::string_view(file).substr(0, size)), "f");
    })) << size;
  }
  EXPECT_EQ(accept(file).tensors().size(), 2u);
}

TEST(SafetensorsRefused, NamesInMessagesAreEscaped) {
  refuse_header(ErrorKind::bad_schema, R"({"\u001b[31m\n":1})", 0, R"((tensor '\x1b[31m\n'))");
}

TEST(SafetensorsRefused, FolderAndMissingFile) {
  const TempDir dir;
  expect_error(
      ErrorKind::not_regular_file, [&] { Safetensors::open(dir.path()); }, dir.path());
  expect_error(
      ErrorKind::io, [&] { Safetensors::open(dir / "no"); }, dir / "no");
}

}  // namespace
}  // namespace dws::testing
