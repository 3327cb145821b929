// Recipes and configurations that ask for too much, or say it in a way that no line of an error should repeat.
#include <gtest/gtest.h>

#include <filesystem>

#include "core/file.h"
#include "fuzz/recipe_tensors.h"
#include "network/executor.h"
#include "network/expression.h"
#include "network/recipe.h"
#include "testing.h"

namespace dws::network {
namespace {

using testing::throws_error;

// fc1.weight (6, 4) and whatever `name` is.
StoredTensors tensors(const std::string& name = "fc1.bias") {
  static const std::vector<std::byte> zeros(24 * 4);
  StoredTensors all{.file = "net", .tensors = {}, .owner = nullptr};
  all.tensors.push_back({.name = "fc1.weight", .type = OnnxType::f32, .dims = {6, 4}, .bytes = zeros});
  all.tensors.push_back({.name = name, .type = OnnxType::f32, .dims = {6}, .bytes = Bytes(zeros).first(24)});
  return all;
}
constexpr const char* kInput = R"({"op":"input","out":"x","dims":["batch",4],"channels":1})";
constexpr const char* kLayer = R"({"op":"linear","in":"x","weight":"fc1.weight","out":"x"})";
constexpr const char* kOutput = R"({"op":"output","in":"x","out":"y"})";

// `more` stands before the graph, `graph` between its input and its output.
RecipeResult read(const std::string& more, const std::string& graph, Json config = {},
                  StoredTensors stored = tensors()) {
  const std::string recipe = std::string(R"({"schema":"dws.recipe/1","name":"mine","anchor":"fc1.weight",)") +
                             more + R"("graph":[)" + kInput + "," + graph + "," + kOutput + "]}";
  return from_recipe(Json::parse(recipe, "mine.json"), "mine.json", std::move(stored),
                     {.sizes = {}, .config = std::move(config)});
}
std::string times(int n, const std::string& one) {
  std::string all;
  for (int i = 0; i < n; ++i) all += (i == 0 ? "" : ",") + one;
  return all;
}
const std::string kIgnoreAll = R"("ignore":["*"],)";

// Each block names its own name a thousand times: 1000^16 letters.
TEST(HostileRecipe, NamesOfNamesDoNotGrowWithoutEnd) {
  std::string longer;
  for (int i = 0; i < 1000; ++i) longer += "{a}";
  const std::string blocks = R"("blocks":{"b":[{"use":"b","with":{"a":")" + longer + R"("}}]},)";
  EXPECT_TRUE(throws_error(
      ErrorKind::bad_schema, [&] { (void)read(blocks, R"({"use":"b","with":{"a":"fc1"}})"); },
      "a name of more than 65536 letters"));
}

// Blocks of blocks of statements of many values: each part is small.
TEST(HostileRecipe, BlocksOfBlocksEnd) {
  const std::string many = times(10'000, R"("x")");
  const std::string blocks = R"("blocks":{"a":[)" + times(300, R"({"use":"b"})") + R"(],"b":[)" +
                             times(300, R"({"op":"concat","in":[)" + many + R"(],"out":"z"})") + "]},";
  EXPECT_TRUE(throws_error(
      ErrorKind::bad_schema, [&] { (void)read(kIgnoreAll + blocks, R"({"use":"a"})"); },
      "more than 1000000 statements, fields and values"));
}

TEST(HostileRecipe, PatternsOfManyStars) {
  const std::string stars(1'000'000, '*');
  const auto ignored = [&](const std::string& pattern, const std::string& name) {
    try {
      (void)read(R"("ignore":[")" + pattern + R"("],)", kLayer, {}, tensors(name));
      return true;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::mismatch) << e.what();
      return false;
    }
  };
  EXPECT_TRUE(ignored(stars, "fc1.bias"));
  EXPECT_TRUE(ignored(stars + "s", "fc1.bias"));
  EXPECT_FALSE(ignored(stars + "w", "fc1.bias"));
  EXPECT_TRUE(ignored("a*a*ab", "aaab"));
  EXPECT_TRUE(ignored("*b*d", "abcd"));
  EXPECT_TRUE(ignored("*", ""));
  EXPECT_TRUE(ignored("a*", "a"));
  EXPECT_FALSE(ignored("a*a", "a"));
  EXPECT_FALSE(ignored("*ab*ab", "ab"));
  EXPECT_FALSE(ignored("b*", "ab"));
}

TEST(HostileRecipe, SizesWithNamesThatNoLineHolds) {
  try {
    (void)read(R"("sizes":{"a\nb":{"config":"none"}},)", kLayer);
    FAIL() << "a size that nothing says";
  } catch (const Error& e) {
    EXPECT_EQ(e.advice().find('\n'), std::string::npos) << e.advice();
  }
  const auto none = [](std::string_view) { return std::optional<double>(); };
  for (const std::string& words : {std::string(1'000'000, 'b'), std::string(1'000'000, '1')}) {
    try {
      (void)evaluate(words, none, "r");
      FAIL() << "no such size, no such number";
    } catch (const Error& e) {
      EXPECT_LT(std::string(e.what()).size(), 400u);
    }
  }
  EXPECT_TRUE(throws_error(
      ErrorKind::bad_schema,
      [] { (void)read(R"("sizes":{"a":{"tensor":"fc1.weight","axis":1e300}},)", kLayer); },
      "mine.json: axis"));
}

// Another number would be taken in place of what the configuration means.
TEST(HostileRecipe, WordsForNumbersInTheConfiguration) {
  const std::string sizes =
      R"("sizes":{"heads":{"config":["n_head","heads"],"default":2}},"ignore":["fc1.bias"],)";
  const auto heads = [&](Json said) {
    return read(sizes, kLayer, Json::object({{"heads", std::move(said)}}));
  };
  EXPECT_EQ(heads(3).assumed, "recipe 'mine' (heads 3)");
  EXPECT_EQ(heads(nullptr).assumed, "recipe 'mine' (heads 2)");
  EXPECT_TRUE(throws_error(
      ErrorKind::mismatch, [&] { (void)heads("12"); },
      R"(config.json says "12" for 'heads': expected a number)"));
  for (const double wrong : {0.0, -1.0, 2.5, 1e300})
    EXPECT_TRUE(throws_error(
        ErrorKind::mismatch, [&] { (void)heads(wrong); }, "net: recipe 'mine': the size 'heads' is"));
  const std::string act =
      R"({"op":"activation","in":"x","kind":{"config":"act","default":"relu"},"out":"x"})";
  const auto activation = [&](Json said) {
    return read(R"("ignore":["fc1.bias"],)", std::string(kLayer) + "," + act,
                Json::object({{"act", std::move(said)}}));
  };
  EXPECT_EQ(activation("tanh").network.graph.nodes.back().op, "Tanh");
  EXPECT_EQ(activation(nullptr).network.graph.nodes.back().op, "Relu");
  EXPECT_TRUE(throws_error(
      ErrorKind::mismatch, [&] { (void)activation(5); }, "config.json says 5 for 'act': expected a word"));
}

TEST(HostileRecipe, InputsBeyond64Bits) {
  const std::string graph =
      R"({"op":"input","out":"z","dims":[1099511627776,1099511627776]},{"onnx":"Relu","in":"z","out":"z"})";
  const RecipeResult made = read(R"("ignore":["*"],)", graph);
  EXPECT_TRUE(throws_error(
      ErrorKind::mismatch, [&] { (void)input_shapes(made.network, {}); },
      "net: input 'z' has a shape beyond 64 bits"));
}

// What the fuzz target starts from must get past the reader, or it tries nothing behind it.
TEST(HostileRecipe, EverySeedOfTheFuzzTargetIsARecipe) {
  size_t seeds = 0;
  for (const auto& seed :
       std::filesystem::directory_iterator(std::string(DWS_TEST_DATA) + "/../fuzz/corpus/recipe")) {
    const std::string name = seed.path().filename().string();
    SCOPED_TRACE(name);
    const Json recipe = Json::parse(read_text(seed.path().string()), name);
    const RecipeResult made = from_recipe(recipe, name, fuzz::recipe_tensors(), fuzz::recipe_settings());
    (void)infer(made.network, input_shapes(made.network, {}));
    ++seeds;
  }
  EXPECT_GE(seeds, 5u);
}

}  // namespace
}  // namespace dws::network
