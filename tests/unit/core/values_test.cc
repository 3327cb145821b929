// The small value types: error, shape, dtype, buffer, hash, version.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <set>

#include "core/buffer.h"
#include "core/dtype.h"
#include "core/hash.h"
#include "core/sha1.h"
#include "core/shape.h"
#include "core/version.h"
#include "testing.h"

namespace dws {
namespace {

using testing::expect_error;

TEST(Error, CarriesKindMessageAdvice) {
  const Error error(ErrorKind::offset_gap, "f: gap", "write it again");
  EXPECT_EQ(error.kind(), ErrorKind::offset_gap);
  EXPECT_STREQ(error.what(), "f: gap");
  EXPECT_EQ(error.advice(), "write it again");
}

TEST(Error, EveryKindHasItsOwnName) {
  std::set<std::string> names;
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::internal); ++kind) {
    names.insert(to_string(static_cast<ErrorKind>(kind)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(ErrorKind::internal) + 1);
  EXPECT_EQ(names.count("unknown"), 0u);
  EXPECT_STREQ(to_string(ErrorKind::offset_gap), "offset_gap");
}

TEST(Shape, Basics) {
  Shape shape{2, 3, 4};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape.size(), 24);
  EXPECT_EQ(shape.rows(), 6);
  EXPECT_EQ(shape.last(), 4);
  EXPECT_EQ(shape.dim(-1), 4);
  EXPECT_EQ(shape.dim(0), 2);
  EXPECT_EQ(shape.str(), "(2, 3, 4)");
  EXPECT_EQ(Shape{5}.str(), "(5,)");
  EXPECT_EQ(Shape{}.str(), "()");
  EXPECT_EQ(Shape{}.size(), 1);
  EXPECT_EQ(Shape{}.rows(), 1);
  EXPECT_EQ((Shape{3, 0}).rows(), 3);
  EXPECT_EQ((Shape{3, 0}).size(), 0);
}

TEST(Shape, Equality) {
  EXPECT_EQ((Shape{1, 2}), (Shape{1, 2}));
  EXPECT_FALSE((Shape{1, 2}) == (Shape{2, 1}));
  EXPECT_FALSE((Shape{1, 2}) == (Shape{1, 2, 1}));
}

TEST(Shape, RankIsLimited) {
  Shape shape{1, 2, 3, 4, 5, 6, 7, 8};
  expect_error(
      ErrorKind::resource_limit, [&] { shape.push_back(9); }, "8 dimensions");
  EXPECT_EQ(shape.rank(), 8);
  expect_error(ErrorKind::resource_limit, [] { Shape{1, 2, 3, 4, 5, 6, 7, 8, 9}; });
}

TEST(Dtype, NamesReadBack) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(Dtype::u64); ++i) {
    const Dtype dtype = static_cast<Dtype>(i);
    names.insert(dtype_name(dtype));
    EXPECT_EQ(parse_dtype(dtype_name(dtype)), dtype);
  }
  EXPECT_EQ(names.size(), 22u);
  EXPECT_STREQ(dtype_name(Dtype::f32), "F32");
  EXPECT_STREQ(dtype_name(Dtype::bf16), "BF16");
  EXPECT_STREQ(dtype_name(Dtype::f8_e4m3fnuz), "F8_E4M3FNUZ");
  EXPECT_STREQ(dtype_name(Dtype::boolean), "BOOL");
  for (const char* bad : {"", "f32", "F", "F128", "F32 "}) EXPECT_EQ(parse_dtype(bad), std::nullopt);
}

TEST(Dtype, Bits) {
  EXPECT_EQ(dtype_bits(Dtype::boolean), 8);
  EXPECT_EQ(dtype_bits(Dtype::f4), 4);
  EXPECT_EQ(dtype_bits(Dtype::f6_e3m2), 6);
  EXPECT_EQ(dtype_bits(Dtype::f8_e8m0), 8);
  EXPECT_EQ(dtype_bits(Dtype::bf16), 16);
  EXPECT_EQ(dtype_bits(Dtype::f32), 32);
  EXPECT_EQ(dtype_bits(Dtype::c64), 64);
  EXPECT_EQ(dtype_bits(Dtype::u64), 64);
}

// The value of a half by its definition.
double half_value(uint16_t bits) {
  const double sign = bits & 0x8000 ? -1 : 1;
  const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  if (exponent == 31) return mantissa ? std::nan("") : sign * HUGE_VAL;
  return sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24));
}

TEST(Half, EveryPatternReadsByDefinitionAndWritesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float value = f16_to_float(half);
    if (std::isnan(half_value(half))) {
      ASSERT_TRUE(std::isnan(value));
      ASSERT_TRUE(std::isnan(f16_to_float(float_to_f16(value))));
    } else {
      ASSERT_EQ(static_cast<double>(value), half_value(half)) << bits;
      ASSERT_EQ(std::signbit(value), (half & 0x8000) != 0);
      ASSERT_EQ(float_to_f16(value), half);
    }
  }
}

TEST(Half, RoundsToNearestTiesToEven) {
  // Between each pair of neighbours: the middle goes to the even one, a hair beside it to the nearer one.
  for (uint16_t low = 0; low < 0x7BFF; ++low) {
    const uint16_t high = static_cast<uint16_t>(low + 1);
    const float middle = (f16_to_float(low) + f16_to_float(high)) / 2;  // exact in float
    ASSERT_EQ(float_to_f16(middle), low % 2 ? high : low) << low;
    ASSERT_EQ(float_to_f16(std::nextafter(middle, 0.0f)), low) << low;
    ASSERT_EQ(float_to_f16(std::nextafter(middle, 1e9f)), high) << low;
    ASSERT_EQ(float_to_f16(-middle), 0x8000 | (low % 2 ? high : low)) << low;
  }
  EXPECT_EQ(float_to_f16(65519.996f), 0x7BFF);
  EXPECT_EQ(float_to_f16(65520.0f), 0x7C00);
  EXPECT_EQ(float_to_f16(1e30f), 0x7C00);
  EXPECT_EQ(float_to_f16(1e-30f), 0);
}

TEST(Bfloat16, EveryPatternWritesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const uint16_t brain = static_cast<uint16_t>(bits);
    const float value = bf16_to_float(brain);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(bf16_to_float(float_to_bf16(value))));
    } else {
      ASSERT_EQ(float_to_bf16(value), brain);
    }
  }
}

TEST(Bfloat16, RoundsToNearestTiesToEven) {
  const auto from = [](uint32_t bits) { return float_to_bf16(std::bit_cast<float>(bits)); };
  EXPECT_EQ(from(0x3F808000), 0x3F80);
  EXPECT_EQ(from(0x3F808001), 0x3F81);
  EXPECT_EQ(from(0x3F818000), 0x3F82);
  EXPECT_EQ(from(0x3F817FFF), 0x3F81);
  EXPECT_EQ(from(0x7F7FFFFF), 0x7F80);                       // rounds up to infinity
  EXPECT_TRUE(std::isnan(bf16_to_float(from(0x7F800001))));  // a payload in the lost bits
  EXPECT_TRUE(std::isnan(bf16_to_float(from(0xFFFFFFFF))));
}

TEST(Buffer, AlignedZeroedAndOwning) {
  Buffer<float> a(17);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data()) % kAlignment, 0u);
  for (float x : a) EXPECT_EQ(x, 0);
  a[3] = 5;
  Buffer<float> copy = a;
  Buffer<float> moved = std::move(a);
  copy[3] = 6;
  EXPECT_EQ(moved[3], 5);
  EXPECT_EQ(moved.size(), 17u);
  copy = moved;
  EXPECT_EQ(copy[3], 5);
  EXPECT_TRUE(Buffer<int>().empty());
  EXPECT_EQ(Buffer<int>(0).data(), nullptr);
  EXPECT_THROW(Buffer<double>(SIZE_MAX / 4), std::bad_alloc);
}

TEST(Hash, KnownAnswers) {
  // What xxhsum -H2 prints.
  EXPECT_EQ(hash_bytes({}), "99aa06d3014798d86001c324468d497f");
  const std::string abc = "abc";
  EXPECT_EQ(hash_bytes(std::as_bytes(std::span(abc))), "06b05ab6733a618578af5f94892f3950");
}

TEST(Sha1, OfTheStandardsExamples) {  // FIPS 180, appendix A, and its examples page
  const auto of = [](const std::string& s) { return sha1(std::as_bytes(std::span(s))); };
  EXPECT_EQ(of(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(of("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(of(std::string(1'000'000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST(Sha1, OfAFileIsThatOfItsBytes) {
  const testing::TempDir dir;
  // Around the borders of blocks, of the padding, and of the pieces that a file is read in.
  for (const size_t size : {size_t{0}, size_t{55}, size_t{56}, size_t{63}, size_t{64}, size_t{65},
                            size_t{4} << 20, (size_t{4} << 20) + 1}) {
    const std::string content(size, 'x');
    write_text(dir / "x", content, true);
    EXPECT_EQ(sha1(MappedFile(dir / "x")), sha1(std::as_bytes(std::span(content)))) << size;
  }
}

TEST(Hash, OfAFileIsThatOfItsBytes) {
  const testing::TempDir dir;
  std::string content(100'000, 'q');
  write_text(dir / "x", content, false);
  const std::string before = hash_file(dir / "x");
  EXPECT_EQ(before, hash_bytes(std::as_bytes(std::span(content))));
  EXPECT_EQ(before.size(), 32u);
  content[50'000] = 'r';
  write_text(dir / "x", content, true);
  EXPECT_NE(before, hash_file(dir / "x"));
  for (const size_t size :
       {size_t{0}, size_t{8} << 20, (size_t{9} << 20) + 7}) {  // several pieces, a part of one
    content.resize(size, 's');
    write_text(dir / "x", content, true);
    EXPECT_EQ(hash_file(dir / "x"), hash_bytes(std::as_bytes(std::span(content))));
  }
}

TEST(Version, ThreeNumbers) {
  EXPECT_EQ(std::string(version()).find_first_not_of("0123456789."), std::string::npos);
}

}  // namespace
}  // namespace dws
