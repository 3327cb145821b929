// Networks that are stored as tensors alone: recipes give PyTorch's numbers, chains are recognised, and what does not fit is named.
#include "network/stored.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/file.h"
#include "engine_harness.h"
#include "format/safetensors.h"
#include "network/executor.h"
#include "network/expression.h"
#include "testing.h"

namespace dws::network {
namespace {

using testing::throws_error;

const std::string kFolder = std::string(DWS_TEST_DATA) + "/../models/stored/";

StoredTensors tensors_of(const std::string& path) {
  const auto file = std::make_shared<const Safetensors>(Safetensors::open(path));
  StoredTensors all{.file = "net", .tensors = {}, .owner = file};
  for (const TensorEntry& e : file->tensors())
    all.tensors.push_back(
        {.name = e.name, .type = *onnx_type(e.dtype), .dims = e.shape, .bytes = file->bytes(e)});
  return all;
}
Array stored_array(const Safetensors& file, const std::string& name) {
  const TensorEntry& e = file.at(name);
  return to_array({.name = name, .type = *onnx_type(e.dtype), .dims = e.shape, .bytes = file.bytes(e)});
}

struct Family {
  std::string file, recipe;
  std::map<std::string, int64_t> sizes{};
  std::string assumed;
  Json config{};
  std::string activation{};
};
std::ostream& operator<<(std::ostream& out, const Family& f) {
  return out << f.file;
}

class Stored : public ::testing::TestWithParam<Family> {
 protected:
  StoredSettings settings() const {
    return {.recipe = GetParam().recipe,
            .sizes = {.sizes = GetParam().sizes, .config = GetParam().config},
            .chain = {.activation = GetParam().activation}};
  }
  RecipeResult read() const {
    return from_tensors(tensors_of(kFolder + GetParam().file + ".safetensors"), settings());
  }
};

TEST_P(Stored, GivesPyTorchsNumbers) {
  const RecipeResult stored = read();
  EXPECT_EQ(stored.assumed, GetParam().assumed);
  const Safetensors io = Safetensors::open(kFolder + GetParam().file + ".io.safetensors");
  Executor executor(stored.network, Precision::f64);
  const auto got = executor.run({std::make_shared<const Array>(stored_array(io, "in.0"))});
  const Array expected = stored_array(io, "out.0");
  ASSERT_EQ(got.size(), 1u);
  ASSERT_EQ(got[0]->dims, expected.dims);
  double largest = 0, difference = 0;
  for (size_t i = 0; i < expected.reals.size(); ++i) {
    largest = std::max(largest, std::abs(expected.reals[i]));
    difference = std::max(difference, std::abs(expected.reals[i] - got[0]->reals[i]));
  }
  EXPECT_GT(largest, 0);
  EXPECT_LE(difference, 2e-5 * largest);
}

// The engine has a fast form of every operator that a recipe gives.
TEST_P(Stored, TheEngineGivesTheSame) {
  const RecipeResult stored = read();
  const Safetensors io = Safetensors::open(kFolder + GetParam().file + ".io.safetensors");
  const Array in = stored_array(io, "in.0");
  Samples s{.dims = {{in.dims.begin() + 1, in.dims.end()}}, .numbers = {}, .count = in.dims[0]};
  auto& numbers = s.numbers.emplace_back(in.reals.begin(), in.reals.end());
  if (!in.real()) numbers.assign(in.ints.begin(), in.ints.end());
  Engine engine(stored.network, {.samples = s.dims});
  EXPECT_EQ(engine.slow(), std::vector<std::string>{});
  expect_close(run(engine, stored.network, s), {stored_array(io, "out.0").reals});
}

// Each tensor in turn is left out, and given another shape: what is said names it.
TEST_P(Stored, EveryTensorCounts) {
  const StoredTensors whole = tensors_of(kFolder + GetParam().file + ".safetensors");
  const auto said = [&](const StoredTensors& tensors) -> std::string {
    try {
      (void)from_tensors(tensors, settings());
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  int64_t named = 0;
  for (size_t t = 0; t < whole.tensors.size(); ++t) {
    if (whole.tensors[t].name.ends_with("num_batches_tracked")) continue;
    StoredTensors wrong = whole;
    wrong.tensors[t].dims.push_back(1);
    EXPECT_NE(said(wrong).find("'" + whole.tensors[t].name + "'"), std::string::npos) << said(wrong);
    wrong = whole;
    wrong.tensors.erase(wrong.tensors.begin() + static_cast<std::ptrdiff_t>(t));
    // Biases and the like may be left out of some families.
    named += said(wrong).find("'" + whole.tensors[t].name + "'") != std::string::npos;
    wrong = whole;
    wrong.tensors.push_back(whole.tensors[t]);
    wrong.tensors.back().name = "one_more.thing";
    EXPECT_NE(said(wrong).find("'one_more.thing'"), std::string::npos) << said(wrong);
  }
  EXPECT_TRUE(named > 0 || GetParam().file == "chain");  // whose layers need no biases
}

const Family kFamilies[] = {
    {"llama", "", {{"heads", 6}, {"kv_heads", 2}}, "recipe 'llama' (heads 6, kv_heads 2)"},
    {"llama_tied",
     "",
     {},
     "recipe 'llama' (heads 6, kv_heads 2)",
     Json::object({{"num_attention_heads", 6}, {"num_key_value_heads", 2}, {"rms_norm_eps", 1e-6}})},
    {"gpt2", "", {{"heads", 3}}, "recipe 'gpt2' (heads 3)"},
    {"bert_words", "", {{"heads", 3}}, "recipe 'bert' (heads 3)"},
    {"bert_classes", "", {{"heads", 3}}, "recipe 'bert' (heads 3)"},
    {"vit", "", {{"heads", 3}}, "recipe 'vit' (heads 3)"},
    {"vit_timm", "", {{"heads", 3}}, "recipe 'vit-timm' (heads 3)"},
    {"vit_hf", "", {}, "recipe 'vit-hf' (heads 3)", Json::object({{"num_attention_heads", 3}})},
    {"resnet18", "", {}, "recipe 'resnet'"},
    {"resnet34", "", {}, "recipe 'resnet'"},
    {"resnet50", "", {}, "recipe 'resnet'"},
    {"cnn", "cnn", {}, "recipe 'cnn'"},
    {"mlp", "mlp", {}, "recipe 'mlp'", Json::object({{"activation", "tanh"}})},
    {"chain",
     "",
     {},
     "a chain of linear layers 7-16-12-5, 1 batch norms before the activation, 1 layer norms before the "
     "activation, "
     "activation relu",
     {},
     "relu"}};
INSTANTIATE_TEST_SUITE_P(Families, Stored, ::testing::ValuesIn(kFamilies),
                         [](const auto& test) { return test.param.file; });

TEST(StoredNetworks, SizesThatNoTensorSays) {
  const auto read = [](std::map<std::string, int64_t> sizes) {
    return [sizes] {
      (void)from_tensors(tensors_of(kFolder + "gpt2.safetensors"),
                         {.recipe = "", .sizes = {.sizes = sizes, .config = {}}});
    };
  };
  EXPECT_TRUE(throws_error(ErrorKind::mismatch, read({}), "needs the size 'heads', which no tensor says"));
  EXPECT_TRUE(throws_error(ErrorKind::mismatch, read({{"heads", 5}}), "24 query channels cannot be 5 heads"));
  EXPECT_TRUE(throws_error(ErrorKind::usage, read({{"heads", 3}, {"head", 3}}),
                           "has no size 'head'; its sizes are heads"));
}

TEST(StoredNetworks, RecipesByName) {
  const auto read = [](const std::string& file, const std::string& recipe) {
    return [=] { (void)from_tensors(tensors_of(kFolder + file), {.recipe = recipe}); };
  };
  EXPECT_TRUE(throws_error(ErrorKind::usage, read("mlp.safetensors", "lama"), "no recipe 'lama': there are"));
  EXPECT_TRUE(throws_error(ErrorKind::missing_tensor, read("mlp.safetensors", "resnet"),
                           "net: recipe 'resnet': tensor 'layer1.0.conv1.weight' is missing"));
  EXPECT_TRUE(throws_error(ErrorKind::io, read("mlp.safetensors", "none.json"), "none.json"));
  for (const auto& [name, json] : builtin_recipes()) {
    const Json recipe = Json::parse(json, name);
    EXPECT_EQ(recipe.at("name").as_string(), name);
    EXPECT_FALSE(recipe.at("about").as_string().empty());
  }
}

// A recipe of a few tensors, with `graph` in place of its statements.
std::string small_recipe(const std::string& graph, const std::string& more = "") {
  return R"({"schema":"dws.recipe/1","name":"mine","anchor":"fc1.weight",)" + more + R"("graph":[)" + graph +
         "]}";
}
RecipeResult read_mlp(const std::string& recipe) {
  return from_recipe(Json::parse(recipe, "mine.json"), "mine.json", tensors_of(kFolder + "mlp.safetensors"),
                     {});
}
constexpr const char* kSmallInput = R"({"op":"input","out":"x","dims":["batch",7],"channels":1},)";

TEST(Recipes, OperatorsOfOnnxAndExpressions) {
  const RecipeResult made = read_mlp(small_recipe(
      std::string(kSmallInput) +
          R"({"repeat":"i","from":1,"while":"fc{i}.weight","graph":[
               {"onnx":"Gemm","in":["x",{"tensor":"fc{i}.weight"},{"tensor":"fc{i}.bias"}],"attributes":{"transB":1},"out":"x"},
               {"if":"fc{i}.weight","graph":[{"onnx":"Clip","in":["x",{"number":-1},{"number":1}],"out":"x"}]}]},
             {"onnx":"Split","in":["x",{"ints":[2,3]}],"attributes":{"axis":-1},"out":["a","b"]},
             {"op":"output","in":"a","out":"first"},{"op":"output","in":"b","out":"second"})",
      R"j("sizes":{"width":{"tensor":"fc1.weight","axis":0},"half":"width / (1 + 1)","side":"sqrt(half * 2)"},)j"));
  EXPECT_EQ(made.network.graph.nodes.size(), 7u);
  EXPECT_EQ(made.network.graph.outputs.size(), 2u);
}

TEST(Recipes, WhatIsWrongWithThem) {
  const auto recipe = [](const std::string& graph, const std::string& more = "") {
    return [=] { (void)read_mlp(small_recipe(kSmallInput + graph, more)); };
  };
  const auto bad = [&](const std::string& graph, const std::string& words, const std::string& more = "") {
    EXPECT_TRUE(throws_error(ErrorKind::bad_schema, recipe(graph, more), words)) << graph;
  };
  bad(R"({"op":"lineer","in":"x","out":"y"})", "no block 'lineer', did you mean linear");
  bad(R"({"in":"x"})", "a statement without op");
  bad(R"(3)", "a statement is no object");
  bad(R"({"op":"linear","in":"y","weight":"fc1.weight","out":"y"})", "the value 'y' is used and never made");
  bad(R"({"op":"linear","in":"x","out":"y"})", "lacks 'weight'");
  bad(R"({"op":"linear","in":"x","weight":"fc{j}.weight","out":"y"})", "names {j}, which stands for nothing");
  bad(R"({"op":"activation","in":"x","kind":"wave","out":"y"})", "the activation 'wave' is none of");
  bad(R"({"repeat":"i","while":"fc1.weight","graph":[]})", "names the same tensor each time");
  bad(R"({"use":"b"})", "which it does not have");
  bad(R"({"use":"b"})", "deeper than", R"("blocks":{"b":[{"use":"b"}]},)");
  bad(R"({"op":"split","in":"x","out":"y"})", "a split into 0 parts");
  bad(R"({"op":"input","out":"z","dims":[0]})", "a shape that no tensor has");
  bad(R"({"op":"output","in":"x","out":"y"})", "divides by 0", R"("sizes":{"a":"1 / 0"},)");
  bad(R"({"op":"output","in":"x","out":"y"})", "names 'b', which is no size", R"("sizes":{"a":"b"},)");
  EXPECT_TRUE(throws_error(ErrorKind::mismatch,
                           recipe(R"({"op":"linear","in":"x","weight":"fc2.weight","out":"y"})"),
                           "net: recipe 'mine': tensor 'fc2.weight' has shape (12, 16), expected (?, 7)"));
  EXPECT_TRUE(throws_error(ErrorKind::mismatch, recipe(R"({"op":"output","in":"x","out":"y"})"),
                           "tensor 'fc1.weight' (16, 7) has no place in it"));
  EXPECT_TRUE(throws_error(
      ErrorKind::bad_schema, [] { (void)read_mlp(R"({"schema":"dws.recipe/2"})"); },
      "mine.json: is no recipe"));
}

TEST(Expression, ArithmeticAndNothingElse) {
  const auto size = [](std::string_view name) -> std::optional<double> {
    if (name == "n") return 12;
    return {};
  };
  const auto value = [&](const char* words) { return evaluate(words, size, "r"); };
  EXPECT_EQ(value("1 + 2 * n - 6 / (1 + 2)"), 23);
  EXPECT_EQ(value("sqrt(n * 3)"), 6);
  EXPECT_EQ(value("10 - 4 - 3"), 3);
  const std::string deep(100, '(');
  for (const char* words :
       {"", "n n", "2 +", "(1", "m", "1 / 0", "sqrt 4", "sqrt(1 - 2)", "1.2.3", "1;", "-1", deep.c_str()})
    EXPECT_TRUE(throws_error(
        ErrorKind::bad_schema, [&] { (void)value(words); }, "r: the expression"))
        << words;
}

// --- chains ---

Constant tensor(const std::string& name, std::vector<int64_t> dims) {
  static const std::vector<std::byte> zeros(1 << 16);
  Constant c{.name = name, .type = OnnxType::f32, .dims = std::move(dims), .bytes = {}};
  c.bytes = Bytes(zeros).first(static_cast<size_t>(c.elements()) * 4);
  return c;
}
std::string assumed(std::vector<Constant> tensors, const ChainSettings& settings = {}) {
  try {
    return from_chain({.file = "net", .tensors = std::move(tensors), .owner = nullptr}, settings).assumed;
  } catch (const Error& e) {
    return e.what();
  }
}

TEST(Chain, OrderByNumbersElseByShapes) {
  // Ten layers: 10 comes after 9.
  std::vector<Constant> ten;
  for (int i = 0; i <= 10; ++i) ten.push_back(tensor("net." + std::to_string(i) + ".weight", {i + 3, i + 2}));
  EXPECT_EQ(assumed(ten).substr(0, 55), "a chain of linear layers 2-3-4-5-6-7-8-9-10-11-12-13, a");
  EXPECT_EQ(assumed({tensor("decoder.weight", {4, 2}), tensor("encoder.weight", {2, 3}),
                     tensor("a.weight", {3, 7})}),
            "a chain of linear layers 7-3-2-4, an activation that is not known");
  EXPECT_EQ(assumed({tensor("weight", {3, 7})}), "a chain of linear layers 7-3");
  EXPECT_EQ(assumed({tensor("fc1.weight", {3, 7}), tensor("bn1.weight", {3}), tensor("bn1.bias", {3}),
                     tensor("fc2.weight", {3, 3}), tensor("bn2.weight", {3}), tensor("bn2.running_mean", {3}),
                     tensor("bn2.running_var", {3})},
                    {.activation = "tanh"}),
            "a chain of linear layers 7-3-3, 1 batch norms before the activation, 1 layer norms before the "
            "activation, "
            "activation tanh");
}

TEST(Chain, WhatIsNone) {
  EXPECT_NE(assumed({tensor("a.weight", {3, 3}), tensor("b.weight", {3, 3})})
                .find("'a.weight' fits in more than one place"),
            std::string::npos);
  EXPECT_NE(
      assumed({tensor("a.weight", {3, 2}), tensor("b.weight", {5, 4})}).find("no order of the layers fits"),
      std::string::npos);
  EXPECT_NE(assumed({tensor("0.weight", {3, 2}), tensor("1.weight", {5, 4})})
                .find("tensor '1.weight' (5, 4) does not follow '0.weight' (3, 2)"),
            std::string::npos);
  EXPECT_NE(assumed({tensor("0.weight", {3, 2}), tensor("1.weight", {4})}).find("'1.weight' (4,) is a norm"),
            std::string::npos);
  EXPECT_NE(assumed({tensor("0.weight", {3, 2}), tensor("0.bias", {4})})
                .find("'0.bias' has shape (4,), expected (3)"),
            std::string::npos);
  EXPECT_NE(assumed({tensor("conv.weight", {3, 2, 3, 3})}).find("'conv.weight' (3, 2, 3, 3) has no place"),
            std::string::npos);
  EXPECT_NE(assumed({tensor("0.bias", {3})}).find("'0.bias' has no weight beside it"), std::string::npos);
  EXPECT_NE(assumed({}).find("no tensor NAME.weight"), std::string::npos);
  EXPECT_NE(assumed({tensor("0.weight", {3, 2}), tensor("1.weight", {2, 3})}, {.activation = "wave"})
                .find("'wave'"),
            std::string::npos);
}

}  // namespace
}  // namespace dws::network
