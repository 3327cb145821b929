#include "core/text.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/utf8.h"
#include "testing.h"

namespace dws {
namespace {

using testing::expect_error;
using Strings = std::vector<std::string>;

TEST(Text, WholeIntegersOrNothing) {
  EXPECT_EQ(to_int("0"), 0);
  EXPECT_EQ(to_int("-9223372036854775808"), INT64_MIN);
  for (const char* bad : {"", " 1", "1 ", "+1", "1.0", "0x1", "-", "9223372036854775808"})
    EXPECT_FALSE(to_int(bad).has_value()) << bad;
}

TEST(Text, Escaped) {
  EXPECT_EQ(escaped("plain text~"), "plain text~");
  EXPECT_EQ(escaped("a\nb\x01\xFF\\"), "a\\nb\\x01\\xff\\\\");
  EXPECT_EQ(escaped(std::string(200, 'x'), 10), "xxxxxxxxxx...");
  EXPECT_EQ(escaped("abc\n", 4), "abc...");  // an escape is not cut in two
  EXPECT_EQ(escaped(std::string_view("\0", 1)), "\\x00");
}

TEST(Text, OneLineKeepsUtf8) {
  EXPECT_EQ(one_line("\xC3\xA9t\xC3\xA9\n\x1B[m\x7F"), "\xC3\xA9t\xC3\xA9\\n\\x1b[m\\x7f");
}

TEST(Text, SplitAndJoin) {
  EXPECT_EQ(split("a,,b", ','), (Strings{"a", "", "b"}));
  EXPECT_EQ(split("", ','), Strings{""});
  EXPECT_EQ(split("a,", ','), (Strings{"a", ""}));
  EXPECT_EQ(join({"a", "b", "c"}, ", "), "a, b, c");
  EXPECT_EQ(join({}, ", "), "");
}

TEST(Text, NearestFindsTyposOnly) {
  const Strings verbs{"classify", "fit", "render", "train", "inspect"};
  EXPECT_EQ(nearest("clasify", verbs), "classify");
  EXPECT_EQ(nearest("tarin", verbs), "train");
  EXPECT_EQ(nearest("rendr", verbs), "render");
  EXPECT_EQ(nearest("ift", verbs), "fit");
  EXPECT_EQ(nearest("xyzzy", verbs), "");
  EXPECT_EQ(nearest("", verbs), "");
  EXPECT_EQ(nearest("fit", {}), "");
  EXPECT_EQ(nearest("zz", {"a"}), "");
  // A swap of neighbours is one edit: nearer than two substitutions.
  EXPECT_EQ(nearest("abdc", {"abxy", "abcd"}), "abcd");
}

TEST(Text, ParseInt) {
  EXPECT_EQ(parse_int("-42", "n"), -42);
  EXPECT_EQ(parse_int("9223372036854775807", "n"), INT64_MAX);
  for (const char* bad : {"", " 1", "1 ", "1.5", "x", "0x1", "--1", "+1"}) {
    expect_error(
        ErrorKind::usage, [&] { parse_int(bad, "steps"); }, "steps: expected a whole number");
  }
  expect_error(
      ErrorKind::usage, [] { parse_int("9223372036854775808", "n"); }, "out of range");
}

TEST(Text, ParseDouble) {
  EXPECT_EQ(parse_double("1e-3", "lr"), 1e-3);
  EXPECT_EQ(parse_double("-2", "lr"), -2);
  for (const char* bad : {"", "1x", "e", " 1"}) {
    expect_error(
        ErrorKind::usage, [&] { parse_double(bad, "lr"); }, "lr: expected a number");
  }
  expect_error(
      ErrorKind::usage, [] { parse_double("1e999", "lr"); }, "out of range");
}

TEST(Text, NumberIsTheShortestThatReadsBack) {
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(0.1f), "0.1");
  EXPECT_EQ(number(1.0 / 3), "0.3333333333333333");
  EXPECT_EQ(number(5.0), "5");
  EXPECT_EQ(number(1e300), "1e+300");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "inf");
}

TEST(Utf8, LengthOfEachForm) {
  EXPECT_EQ(utf8_length("a"), 1u);
  EXPECT_EQ(utf8_length("\xC3\xA9x"), 2u);
  EXPECT_EQ(utf8_length("\xE2\x82\xAC"), 3u);
  EXPECT_EQ(utf8_length("\xF4\x8F\xBF\xBF"), 4u);
  for (const char* bad : {"", "\x80", "\xC3", "\xC3z", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xBF\xBF",
                          "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xFF"}) {
    EXPECT_EQ(utf8_length(bad), 0u);
  }
  EXPECT_EQ(first_bad_utf8("ab\xC3\xA9"), std::string_view::npos);
  EXPECT_EQ(first_bad_utf8("ab\xC3\xA9\xA9"), 4u);
}

TEST(Text, Bytes) {
  EXPECT_EQ(parse_bytes("0", "x"), 0u);
  EXPECT_EQ(parse_bytes("123", "x"), 123u);
  EXPECT_EQ(parse_bytes("5GB", "x"), 5'000'000'000u);
  EXPECT_EQ(parse_bytes("1.5GiB", "x"), 1'610'612'736u);
  EXPECT_EQ(parse_bytes("2K", "x"), 2000u);
  for (const char* bad : {"", "GB", "-1", "1XB", "1 GB", "1.2.3MB", "1e3", "99999999TB", "1kB"})
    EXPECT_TRUE(testing::throws_error(
        ErrorKind::usage, [&] { parse_bytes(bad, "--size"); }, "--size"))
        << bad;
}

}  // namespace
}  // namespace dws
