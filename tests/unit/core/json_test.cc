#include "core/json.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "testing.h"

namespace dws {
namespace {

using testing::expect_error;

Json parse(std::string_view bytes) {
  return Json::parse(bytes, "f.json");
}
void refused(ErrorKind kind, std::string_view bytes, const std::string& substring = "f.json: ") {
  SCOPED_TRACE(std::string(bytes));
  expect_error(
      kind, [&] { parse(bytes); }, substring);
}

TEST(Json, ReadsEveryType) {
  const Json json =
      parse(" \n{\"a\": [1, -2, 2.5, 1e3, true, false, null, \"x\\u00e9\\n\"], \"b\": {\"c\": []}} ");
  const auto& a = json.at("a").as_array();
  ASSERT_EQ(a.size(), 8u);
  EXPECT_EQ(a[0].as_int(), 1);
  EXPECT_EQ(a[1].as_int(), -2);
  EXPECT_EQ(a[2].as_double(), 2.5);
  EXPECT_EQ(a[3].as_double(), 1000);
  EXPECT_FALSE(a[3].is_integer());
  EXPECT_TRUE(a[4].as_bool());
  EXPECT_FALSE(a[5].as_bool());
  EXPECT_TRUE(a[6].is_null());
  EXPECT_EQ(a[7].as_string(), "x\xC3\xA9\n");
  EXPECT_TRUE(json.at("b").at("c").as_array().empty());
  EXPECT_EQ(json.as_object()[1].first, "b");
}

TEST(Json, RootMayBeAnyValue) {
  EXPECT_EQ(parse("7").as_int(), 7);
  EXPECT_EQ(parse("\"s\"").as_string(), "s");
  EXPECT_TRUE(parse("null").is_null());
  EXPECT_TRUE(parse("[]").is_array());
}

TEST(Json, IntegersOf64Bits) {
  EXPECT_EQ(parse("-9223372036854775808").as_int(), INT64_MIN);
  EXPECT_EQ(parse("18446744073709551615").as_u64(), UINT64_MAX);
  refused(ErrorKind::bad_json, "[18446744073709551616]", "number");
  expect_error(
      ErrorKind::bad_schema, [] { parse("18446744073709551615").as_int("size"); }, "size: expected");
  expect_error(
      ErrorKind::bad_schema, [] { parse("-1").as_u64("size"); }, "size: expected");
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* bytes : {"",           " ",         "{",          "}",        "[",
                            "[1",         "[1,",       "[1,]",       "[,1]",     "[1 2]",
                            "{\"a\"}",    "{\"a\":}",  "{\"a\":1,}", "{a:1}",    "{'a':1}",
                            "{1:2}",      "01",        "-01",        "[00]",     "+1",
                            ".5",         "1.",        "1e",         "0x10",     "NaN",
                            "[Infinity]", "nul",       "truee",      "\"open",   "\"tab\there\"",
                            "\"\\x41\"",  "\"\\u12\"", "// c\n1",    "[1] // c", "/**/1",
                            "{\"a\":1}}", "1 2",       "[1]x",       "{}{}",     "[\"a\" \"b\"]",
                            "{\"a\" 1}",  "[1:2]"}) {
    refused(ErrorKind::bad_json, bytes);
  }
  refused(ErrorKind::bad_json, std::string_view("{}\0", 3));
  refused(ErrorKind::bad_json, std::string_view("\0{}", 3));
}

TEST(Json, RefusesLoneSurrogates) {
  for (const char* bytes : {"\"\\ud800\"", "\"\\udc00\"", "\"\\ud800x\"", "\"\\ud800\\u0041\"",
                            "\"\\udc00\\ud800\"", "{\"\\ud800\":1}"}) {
    refused(ErrorKind::bad_json, bytes);
  }
  EXPECT_EQ(parse("\"\\ud83d\\ude00\"").as_string(), "\xF0\x9F\x98\x80");
}

TEST(Json, RefusesBadUtf8NamingTheByte) {
  refused(ErrorKind::bad_utf8, "\"ab\xFF\"", "f.json: not UTF-8 at byte 3");
  refused(ErrorKind::bad_utf8, "\"\xC0\x80\"", "byte 1");          // overlong
  refused(ErrorKind::bad_utf8, "\"\xE0\x80\x80\"", "byte 1");      // overlong
  refused(ErrorKind::bad_utf8, "\"a\xED\xA0\x80\"", "byte 2");     // a surrogate
  refused(ErrorKind::bad_utf8, "\"\xF4\x90\x80\x80\"", "byte 1");  // beyond U+10FFFF
  refused(ErrorKind::bad_utf8, "\"\xC3\"", "byte 1");              // cut short
}

TEST(Json, RefusesAByteOrderMark) {
  refused(ErrorKind::bad_json, "\xEF\xBB\xBF{}", "byte order mark");
}

TEST(Json, RefusesDuplicateKeysAtAnyDepth) {
  refused(ErrorKind::bad_json, "{\"a\":1,\"b\":2,\"a\":1}", "f.json: duplicate key 'a'");
  refused(ErrorKind::bad_json, "[{\"x\":{\"k\\n\":1,\"k\\u000a\":2}}]", "duplicate key 'k\\n'");
  EXPECT_TRUE(parse("{\"a\":{\"a\":1},\"b\":{\"a\":2}}").is_object());
}

TEST(Json, SaysWhereItStops) {
  refused(ErrorKind::bad_json, "{\"a\": 1, \"b\": tru}", "near byte 14");
  refused(ErrorKind::bad_json, "[1, 2, 03]", "near byte 7");
}

TEST(Json, DepthLimit) {
  const auto nested = [](int depth) {
    const auto n = static_cast<size_t>(depth);
    return std::string(n, '[') + std::string(n, ']');
  };
  for (int limit : {1, 3, 64}) {
    EXPECT_TRUE(Json::parse(nested(limit), "f", limit).is_array()) << limit;
    expect_error(
        ErrorKind::resource_limit, [&] { Json::parse(nested(limit + 1), "f", limit); }, "nested deeper than");
  }
  expect_error(ErrorKind::resource_limit, [] { Json::parse("[[{\"a\":[]}]]", "f", 3); });
  const std::string objects = "{\"a\":{\"a\":{\"a\":1}}}";
  EXPECT_TRUE(Json::parse(objects, "f", 3).is_object());
  expect_error(ErrorKind::resource_limit, [&] { Json::parse(objects, "f", 2); });
  expect_error(ErrorKind::resource_limit, [&] { parse(nested(2'000'000)); });
  expect_error(ErrorKind::bad_json, [] { parse(std::string(5'000'000, '[')); });  // and no stack overflow
}

TEST(Json, WrongTypesNameTheField) {
  const Json json = parse("{\"n\": \"x\", \"d\": 1.0}");
  expect_error(
      ErrorKind::bad_schema, [&] { json.at("n").as_int("steps"); },
      "steps: expected an integer, got a string");
  expect_error(
      ErrorKind::bad_schema, [&] { json.at("d").as_int("d"); }, "d: expected an integer, got a number");
  expect_error(
      ErrorKind::bad_schema, [&] { json.as_array("root"); }, "root: expected an array, got an object");
  expect_error(
      ErrorKind::bad_schema, [&] { json.at("n").as_bool(); }, "true or false");
  expect_error(
      ErrorKind::bad_schema, [&] { json.at("n").as_double(); }, "a number");
  expect_error(
      ErrorKind::bad_schema, [&] { json.as_string(); }, "a string");
  expect_error(
      ErrorKind::bad_schema, [&] { json.at("n").as_object(); }, "an object");
  expect_error(
      ErrorKind::bad_schema, [&] { json.at("zz"); }, "missing field 'zz'");
  EXPECT_EQ(json.find("zz"), nullptr);
  EXPECT_EQ(json.at("n").find("x"), nullptr);
}

TEST(Json, WritesInOrder) {
  Json json;
  json.set("z", 1).set("a", Json::array({Json(true), Json(), Json("q\"\\\n\x01")})).set("e", Json::object());
  json.set("z", 2.0);
  EXPECT_EQ(json.dump(), R"({"z":2.0,"a":[true,null,"q\"\\\n\u0001"],"e":{}})");
  EXPECT_EQ(Json::array({Json(1), Json::object({{"k", Json("v")}})}).dump(2),
            "[\n  1,\n  {\n    \"k\": \"v\"\n  }\n]");
  Json list;
  list.push_back(7u);
  EXPECT_EQ(list.dump(), "[7]");
}

TEST(Json, NumbersThatJsonCannotHoldBecomeNull) {
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(Json::array({Json(inf), Json(-inf), Json(std::nan(""))}).dump(), "[null,null,null]");
}

TEST(Json, BytesThatAreNoUtf8AreReplaced) {
  const std::string out = Json(std::string("a\xFF\xC3z\xC3\xA9")).dump();
  EXPECT_EQ(out, "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\xC3\xA9\"");
  EXPECT_TRUE(parse(out).is_string());
}

TEST(Json, ExtremeNumbersRoundTrip) {
  for (int64_t value : {INT64_MIN, int64_t{-1}, int64_t{0}, INT64_MAX}) {
    EXPECT_EQ(parse(Json(value).dump()).as_int(), value);
  }
  EXPECT_EQ(parse(Json(UINT64_MAX).dump()).as_u64(), UINT64_MAX);
  for (double value : {0.1, -0.0, 5e-324, 1.7976931348623157e308, 1e22, 123456789012345680.0}) {
    const Json back = parse(Json(value).dump());
    EXPECT_FALSE(back.is_integer());
    EXPECT_EQ(std::bit_cast<uint64_t>(back.as_double()), std::bit_cast<uint64_t>(value)) << value;
  }
}

RC_GTEST_PROP(JsonProperty, DoublesRoundTrip, (uint64_t bits)) {
  const double value = std::bit_cast<double>(bits);
  RC_PRE(std::isfinite(value));
  RC_ASSERT(std::bit_cast<uint64_t>(parse(Json(value).dump()).as_double()) == bits);
}

RC_GTEST_PROP(JsonProperty, AnyBytesInAStringMakeGoodJson, (const std::string& raw)) {
  const std::string once = parse(Json(raw).dump()).as_string();
  RC_ASSERT(parse(Json(once).dump()).as_string() == once);
}

RC_GTEST_PROP(JsonProperty, NoInputDoesAnythingButParseOrThrow, (const std::string& raw)) {
  try {
    parse("[" + raw + "]");
  } catch (const Error& error) {
    RC_ASSERT(error.kind() == ErrorKind::bad_json || error.kind() == ErrorKind::bad_utf8);
  }
}

}  // namespace
}  // namespace dws
