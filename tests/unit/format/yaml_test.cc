#include "format/yaml.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace dws {
namespace {

std::string dump(std::string_view yaml) {
  std::string all;
  for (const YamlDocument& document : parse_yaml(yaml, "f"))
    all += (all.empty() ? "" : " --- ") + document.value.dump();
  return all;
}

std::string refusal(std::string_view yaml, const YamlLimits& limits = {}) {
  try {
    parse_yaml(yaml, "f", limits);
  } catch (const Error& e) {
    EXPECT_EQ(std::string_view(e.what()).find('\n'), std::string_view::npos);
    return std::string(to_string(e.kind())) + ": " + e.what();
  }
  return "read";
}

std::string repeated(std::string_view piece, size_t bytes) {
  std::string all;
  while (all.size() < bytes) all += piece;
  return all;
}

TEST(Yaml, ValuesAndDocuments) {
  EXPECT_EQ(dump("a: [1, 2.5, x y]\nb:\n  - c: {d: null}\n  -\n"),
            R"({"a":[1,2.5,"x y"],"b":[{"c":{"d":null}},null]})");
  EXPECT_EQ(dump("a: 1\n---\nb: 2\n...\n---\n- 3\n"), R"({"a":1} --- {"b":2} --- [3])");
  EXPECT_EQ(dump(""), "");
  EXPECT_EQ(dump("a: |\n  one\n  two\nb: >-\n  one\n  two\n"), R"({"a":"one\ntwo\n","b":"one two"})");
  EXPECT_EQ(dump("\"\\u00e9\": 'it''s' # a remark\n"), "{\"\u00e9\":\"it's\"}");
}

// As PyYAML's safe loader types them.
TEST(Yaml, PlainScalars) {
  const std::pair<const char*, const char*> cases[] = {{"true", "true"},
                                                       {"True", "true"},
                                                       {"YES", "true"},
                                                       {"on", "true"},
                                                       {"false", "false"},
                                                       {"No", "false"},
                                                       {"OFF", "false"},
                                                       {"tRUE", R"("tRUE")"},
                                                       {"y", R"("y")"},
                                                       {"~", "null"},
                                                       {"Null", "null"},
                                                       {"0", "0"},
                                                       {"-17", "-17"},
                                                       {"+17", "17"},
                                                       {"1_000", "1000"},
                                                       {"010", "8"},
                                                       {"0x1F", "31"},
                                                       {"0b101", "5"},
                                                       {"08", R"("08")"},
                                                       {"007.5", "7.5"},
                                                       {"0o17", R"("0o17")"},
                                                       {"1.", "1.0"},
                                                       {".5", "0.5"},
                                                       {"1.5e-3", "0.0015"},
                                                       {"-0.25", "-0.25"},
                                                       {"1e-5", "1e-05"},
                                                       {"1e5", "1e+05"},
                                                       {"1.5.2", R"("1.5.2")"},
                                                       {"1:30", R"("1:30")"},
                                                       {".", R"(".")"},
                                                       {"e5", R"("e5")"},
                                                       {"1e", R"("1e")"},
                                                       {"-", R"([null])"},
                                                       {"--1", R"("--1")"},
                                                       {"2001-12-14", R"("2001-12-14")"},
                                                       {"9223372036854775807", "9223372036854775807"},
                                                       {"18446744073709551615", "18446744073709551615"},
                                                       {"-9223372036854775808", "-9223372036854775808"},
                                                       {"0x", R"("0x")"},
                                                       {"_1", R"("_1")"},
                                                       {"a/b+c", R"("a/b+c")"}};
  for (const auto& [yaml, json] : cases) EXPECT_EQ(dump(yaml), json) << yaml;
  EXPECT_EQ(parse_yaml(".inf", "f").front().value.as_double(), INFINITY);
  EXPECT_EQ(parse_yaml("-.INF", "f").front().value.as_double(), -INFINITY);
  EXPECT_TRUE(std::isnan(parse_yaml(".nan", "f").front().value.as_double()));
  EXPECT_EQ(dump("['1', \"true\", !!str 1, !!float 1, !!int '7', !!bool yes, !!null '']"),
            R"(["1","true","1",1.0,7,true,null])");
}

TEST(Yaml, AliasesAndMergedMappings) {
  EXPECT_EQ(dump("a: &x {b: 1}\nc: *x\nd: [*x, *x]"), R"({"a":{"b":1},"c":{"b":1},"d":[{"b":1},{"b":1}]})");
  EXPECT_EQ(dump("- &x {a: 1, b: 2}\n- &y {b: 3, c: 4}\n- <<: [*x, *y]\n  a: 5\n"),
            R"([{"a":1,"b":2},{"b":3,"c":4},{"a":5,"b":2,"c":4}])");
  EXPECT_EQ(dump("'<<': 1"), R"({"<<":1})");
  EXPECT_EQ(dump("[&a 1, *a, &a 2, *a]"), "[1,1,2,2]");
  EXPECT_EQ(refusal("a: 1\nb: *c"), "bad_yaml: f: line 2: the referenced anchor is not defined");
  EXPECT_EQ(refusal("a: 1\nb: &c [*c]"), "bad_yaml: f: line 2: an alias inside of what it stands for");
  EXPECT_EQ(refusal("<<: 1"), "bad_yaml: f: line 1: <<: expected a mapping or a list of mappings");
}

TEST(Yaml, LinesOfKeysAndItems) {
  const auto documents = parse_yaml("# x\na: 1\nb:\n\n  - c: 2\n    d: 3\n  - e\n---\nf:\n  1\n", "f");
  const YamlNode root = documents[0].root();
  EXPECT_EQ(root.find("a")->line(), 2);
  EXPECT_EQ(root.find("b")->line(), 3);
  const YamlNode b = *root.find("b");
  ASSERT_EQ(b.items().size(), 2u);
  EXPECT_EQ(b.items()[0].line(), 5);
  EXPECT_EQ(b.items()[0].fields()[1].first, "d");
  EXPECT_EQ(b.items()[0].fields()[1].second.line(), 6);
  EXPECT_EQ(b.items()[1].line(), 7);
  EXPECT_EQ(documents[1].root().find("f")->line(), 9);
  EXPECT_FALSE(root.find("f").has_value());
}

TEST(Yaml, RefusesWhatIsNoConfiguration) {
  EXPECT_EQ(refusal("a: 1\nb: 2\na: 3"), "bad_yaml: f: line 3: the key 'a' stands twice");
  EXPECT_EQ(refusal("? [a]\n: b"), "bad_yaml: f: line 1: a key that is a list or a mapping");
  EXPECT_EQ(refusal(": b"), "bad_yaml: f: line 1: a key that is empty");
  EXPECT_EQ(refusal("a: !!python/name:os.system x"),
            "bad_yaml: f: line 1: the tag tag:yaml.org,2002:python/name:os.system is not supported");
  EXPECT_EQ(refusal("a: !x [1]"), "bad_yaml: f: line 1: the tag !x is not supported");
  EXPECT_EQ(refusal("a: !!int x"), "bad_yaml: f: line 1: 'x' is not what its tag tag:yaml.org,2002:int says");
  EXPECT_EQ(refusal("a:\n  b: c: d"), "bad_yaml: f: line 2: illegal map value");
  EXPECT_EQ(refusal("a: [1, 2"), "bad_yaml: f: line 1: end of sequence flow not found");
  EXPECT_EQ(refusal("a: 18446744073709551616"),
            "bad_yaml: f: line 1: 18446744073709551616: an integer beyond 64 bits");
  EXPECT_EQ(refusal("a: 1\nb: \xff"), "bad_utf8: f: line 2: no UTF-8 at byte 8");
  EXPECT_EQ(refusal(std::string_view("a: 1\n\0", 6)),
            "bad_yaml: f: line 2: the control character \\x00 at byte 5");
}

TEST(Yaml, RefusesWhatGrowsWithoutEnd) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = "*a" + std::to_string(i - 1), name = "a" + std::to_string(i);
    bomb += name + ": &" + name + " [" + last + ", " + last + ", " + last + ", " + last + ", " + last + ", " +
            last + ", " + last + ", " + last + ", " + last + "]\n";
  }
  EXPECT_EQ(refusal(bomb).find("resource_limit: f: line 6: more than 200000 values"), 0u) << refusal(bomb);
  const std::string long_one = "a: &a " + repeated("x", 100'000) + "\nb: [" + repeated("*a, ", 1'000) + "]";
  EXPECT_EQ(refusal(long_one).find("resource_limit: f: line 2: more than 16777216 bytes"), 0u)
      << refusal(long_one);
  EXPECT_EQ(refusal(repeated("- ", 100'000)), "resource_limit: f: line 1: nested deeper than 64");
  EXPECT_EQ(refusal(repeated("[", 65) + repeated("]", 65)),
            "resource_limit: f: line 1: nested deeper than 64");
  EXPECT_EQ(refusal(repeated("[", 64) + repeated("]", 64)), "read");
  // What never ends may be a key as well: refused one way or the other.
  for (const char* piece : {"[", "{a: ", "{a: [", "[a: ", "? ", "{[", ": "}) {
    const std::string refused = refusal(repeated(piece, 100'000));
    EXPECT_TRUE(refused.ends_with("nested deeper than 64") || refused.find("a key that is") != refused.npos)
        << refused;
  }
  EXPECT_EQ(refusal("[&a " + repeated("[", 40) + "x" + repeated("]", 40) + ", " + repeated("[", 30) + "*a" +
                    repeated("]", 30) + "]"),
            "resource_limit: f: line 1: nested deeper than 64");
  // Every level of an anchored pile is kept once more.
  std::string pile;
  for (int i = 0; i < 60; ++i) pile += "&a" + std::to_string(i) + " [";
  pile += repeated("x, ", 30'000) + std::string(60, ']');
  EXPECT_EQ(refusal(pile).find("resource_limit: f: line 1: more than 200000 values"), 0u) << refusal(pile);
  EXPECT_EQ(refusal(repeated("x", 2 << 20)).find("resource_limit: f: line 1: a scalar of 2097152 bytes"), 0u);
  EXPECT_EQ(refusal("? " + repeated("x", 2000) + "\n: 1"),
            "resource_limit: f: line 1: a key of 2000 bytes, at most 1024 are read");
  EXPECT_EQ(refusal(repeated(" ", 5 << 20)),
            "resource_limit: f: 5242880 bytes of YAML, at most 4194304 are read");
  EXPECT_EQ(refusal(repeated("---\n", 8'000)), "resource_limit: f: line 1001: more than 1000 documents");
}

}  // namespace
}  // namespace dws
