#include <gtest/gtest.h>

#include "mergekit_fixture.h"

namespace dws::merge {
namespace {

std::string refused(const std::string& yaml) {
  try {
    read_merge_configs(yaml, "f.yml");
  } catch (const Error& e) {
    return std::string(to_string(e.kind())) + ": " + e.what() +
           (e.advice().empty() ? "" : " | " + e.advice());
  }
  return "read";
}

TEST(MergekitRead, TheWholeFormat) {
  const auto configs = read_merge_configs(R"(name: first
merge_method: slerp
base_model: {model: {path: a/b, revision: main}, lora: null}
slices:
  - sources:
      - model: a/b
        layer_range: [0, 8]
        parameters: {weight: 2}
      - {model: c, layer_range: [4, 12]}
    base_model: {path: d}
    parameters: {t: true}
parameters:
  t:
    - filter: self_attn
      value: [0, 0.5, 1e-1]
    - value: 0.25
dtype: bfloat16
out_dtype: torch.float32
tokenizer_source: "model:./tok"
chat_template: "{{ messages }}"
---
merge_method: linear
models:
  - model: first
tokenizer: {source: base}
)",
                                          "f.yml");
  ASSERT_EQ(configs.size(), 2u);
  const MergeConfig& c = configs[0];
  EXPECT_EQ(c.name, "first");
  EXPECT_EQ(c.method, Method::slerp);
  EXPECT_EQ(c.base->path, "a/b");
  EXPECT_EQ(c.base->revision, "main");
  EXPECT_EQ(c.base->line, 3);
  ASSERT_EQ(c.modules.size(), 1u);
  EXPECT_FALSE(c.modules[0].whole);
  const ConfigSlice& slice = c.modules[0].slices.at(0);
  EXPECT_EQ(slice.base->path, "d");
  EXPECT_EQ(slice.sources.at(1).layers, std::pair(int64_t{4}, int64_t{12}));
  EXPECT_EQ(slice.sources.at(1).line, 9);
  EXPECT_EQ(find(slice.parameters, "t")->at("x", 0), 1.0);
  const Setting& t = *find(c.parameters, "t");
  EXPECT_EQ(t.line(), 13);
  EXPECT_EQ(t.at("layers.1.self_attn.q", 0.25), 0.25);
  EXPECT_DOUBLE_EQ(*t.at("layers.1.self_attn.q", 0.75), 0.3);
  EXPECT_EQ(t.at("layers.1.self_attn.q", 1), 0.1);
  EXPECT_EQ(t.at("layers.1.mlp", 0.5), 0.25);
  EXPECT_EQ(c.dtype, Dtype::bf16);
  EXPECT_EQ(c.out_dtype, Dtype::f32);
  EXPECT_EQ(c.tokenizer, Tokenizer::model);
  EXPECT_EQ(c.tokenizer_model.path, "./tok");
  EXPECT_EQ(c.chat_template, "{{ messages }}");
  EXPECT_EQ(c.remarks, std::vector<std::string>{
                           "f.yml: line 8: the parameter 'weight' has no effect: slerp does not use it"});
  EXPECT_TRUE(configs[1].modules[0].whole);
  EXPECT_EQ(configs[1].tokenizer, Tokenizer::base);
}

TEST(MergekitRead, Filters) {
  const auto cases = [](const char* yaml) {
    return *find(
        read_merge_configs(
            std::string("merge_method: linear\nmodels: [{model: a, parameters: {weight: ") + yaml + "}}]",
            "f")
            .front()
            .modules[0]
            .slices[0]
            .sources[0]
            .parameters,
        "weight");
  };
  EXPECT_EQ(cases("[{filter: mlp, value: 1}, {filter: '*', value: 2}, {value: 3}]").at("x.mlp.y", 0), 1.0);
  EXPECT_EQ(cases("[{filter: mlp, value: 1}, {filter: '*', value: 2}, {value: 3}]").at("x", 0), 2.0);
  EXPECT_EQ(cases("[{filter: mlp, value: 1}]").at("x", 0), std::nullopt);
  EXPECT_EQ(cases("{filter: mlp, value: [1, 3]}").at("mlp", 0.5), 2.0);
  EXPECT_EQ(cases("[7]").at("x", 0.5), 7.0);
  EXPECT_EQ(cases("[0, 1, 4]").at("x", 0.75), 2.5);
}

// Whatever is not done is named, with its line.
TEST(MergekitRead, NamesWhatIsNotSupported) {
  const std::string head = "merge_method: linear\nmodels:\n  - model: a\n";
  EXPECT_EQ(refused(head + "dtyp: float16"),
            "bad_schema: f.yml: line 4: unknown key 'dtyp' | did you mean 'dtype'?");
  EXPECT_EQ(refused(head + "out_path: x")
                .find("unsupported: f.yml: line 4: the key 'out_path' is not supported | "),
            0u);
  EXPECT_EQ(refused(head + "tokenizer_source: union"),
            "unsupported: f.yml: line 4: a tokenizer of all networks ('union') is not supported | 'base', or "
            "the path of the "
            "network whose tokenizer is kept");
  EXPECT_EQ(refused(head + "tokenizer:\n  source: base\n  tokens: {x: y}")
                .find("unsupported: f.yml: line 6: the key 'tokens'"),
            0u);
  EXPECT_EQ(refused(head + "tokenizer:\n  pad_to_multiple_of: 8")
                .find("unsupported: f.yml: line 5: the key 'pad_to"),
            0u);
  EXPECT_EQ(
      refused(head + "chat_template: chatml").find("unsupported: f.yml: line 4: chat_template: 'chatml'"),
      0u);
  EXPECT_EQ(refused(head + "dtype: int8").find("unsupported: f.yml: line 4: dtype: 'int8'"), 0u);
  EXPECT_EQ(refused(head + "    parameters:\n      wieght: 1"),
            "bad_schema: f.yml: line 5: unknown key 'wieght' | did you mean 'weight'?");
  EXPECT_EQ(refused(head + "parameters: {embed_slerp: true}")
                .find("unsupported: f.yml: line 4: the key 'embed_slerp'"),
            0u);
  EXPECT_EQ(refused(head + "parameters: {embed_slerp: false, int8_mask: true}"), "read");
  EXPECT_EQ(refused("merge_method: linar\nmodels: [{model: a}]")
                .find("unsupported: f.yml: line 1: merge_method: unknown method 'linar'"),
            0u);
  EXPECT_EQ(refused("merge_method: linear\nmodels:\n  - model: {model: {path: a}, lora: {path: b}}")
                .find("unsupported: f.yml: line 3: the key 'lora' is not supported"),
            0u);
  EXPECT_EQ(refused("merge_method: linear\nslices:\n- sources:\n  - {model: a, layer_range: [0, 1]}\n  "
                    "residual_weight: 1")
                .find("unsupported: f.yml: line 5: the key 'residual_weight'"),
            0u);
}

TEST(MergekitRead, RefusesWhatIsNoConfiguration) {
  EXPECT_EQ(refused(""), "empty: f.yml: no merge configuration in it");
  EXPECT_EQ(refused("- 1"), "bad_schema: f.yml: line 1: expected keys and values");
  EXPECT_EQ(refused("models: [{model: a}]"), "bad_schema: f.yml: line 1: the key 'merge_method' is missing");
  EXPECT_EQ(refused("merge_method: linear"),
            "bad_schema: f.yml: line 1: expected one of the keys 'models', 'slices' and 'modules', got none");
  EXPECT_EQ(refused("merge_method: linear\nmodels: [{model: a}]\nslices: [{sources: [{model: a, layer_range: "
                    "[0, 1]}]}]"),
            "bad_schema: f.yml: line 1: expected one of the keys 'models', 'slices' and 'modules', got more");
  EXPECT_EQ(refused("merge_method: linear\nmodels: []"),
            "bad_schema: f.yml: line 2: models: expected a list of at least one");
  EXPECT_EQ(refused("merge_method: linear\nmodels:\n - 1"),
            "bad_schema: f.yml: line 3: expected keys and values");
  EXPECT_EQ(refused("merge_method: linear\nmodels:\n - model: 7"),
            "bad_schema: f.yml: line 3: model: expected a string | put quotes around it");
  EXPECT_EQ(refused("merge_method: linear\nmodels: [{model: ''}]"),
            "bad_schema: f.yml: line 2: model: an empty name");
  const std::string slices = "merge_method: linear\nslices:\n - sources:\n   - model: a\n     layer_range: ";
  EXPECT_EQ(refused(slices + "[0]"),
            "bad_schema: f.yml: line 5: layer_range: expected [first, last], two integers");
  EXPECT_EQ(refused(slices + "[0, 1.5]"),
            "bad_schema: f.yml: line 5: layer_range: expected [first, last], two integers");
  EXPECT_EQ(refused(slices + "[4, 4]").find("bad_schema: f.yml: line 5: layer_range: [4, 4] are no layers"),
            0u);
  EXPECT_EQ(refused(slices + "[-1, 4]").find("bad_schema: f.yml: line 5: layer_range: [-1, 4] are no layers"),
            0u);
  EXPECT_EQ(refused("merge_method: linear\nslices:\n - sources:\n   - model: a"),
            "bad_schema: f.yml: line 4: the key 'layer_range' is missing");
  const std::string weight = "merge_method: linear\nmodels: [{model: a}]\nparameters:\n  weight: ";
  const std::string expected =
      "bad_schema: f.yml: line 4: weight: expected a number, a list of numbers, or a list of {filter, value}";
  for (const char* bad : {"x", ".inf", "[1, x]", "[1, {value: 2}]", "null"})
    EXPECT_EQ(refused(weight + bad), expected) << bad;
  EXPECT_EQ(refused(weight + "[]"), "bad_schema: f.yml: line 4: weight: an empty list");
  EXPECT_EQ(refused(weight + "[{filter: mlp}]"),
            "bad_schema: f.yml: line 4: weight: the key 'value' is missing");
  EXPECT_EQ(refused(weight + "[{filter: 1, value: 1}]")
                .find("bad_schema: f.yml: line 4: filter: expected a string"),
            0u);
}

}  // namespace
}  // namespace dws::merge
