#include "merge/mergekit_files.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/file.h"
#include "core/json.h"
#include "core/text.h"
#include "mergekit_fixture.h"

namespace dws::merge {
namespace {

std::string config(const std::string& json, std::vector<int64_t> origin, const std::string& module = "",
                   bool untied = false, std::optional<Dtype> dtype = {}) {
  ConfiguredMerge merge;
  merge.layers.push_back({module, 2, std::move(origin)});
  merge.restacked = true;
  merge.untied = untied;
  std::vector<std::string> warnings;
  const std::string merged = Json::parse(merged_config(json, "c", merge, dtype, warnings), "c").dump();
  return warnings.empty() ? merged : merged + " " + warnings.front();
}

TEST(MergekitFiles, ConfigurationFollowsTheLayers) {
  EXPECT_EQ(config(R"({"n_layer":2,"x":2})", {0, 1, 1}), R"({"n_layer":3,"x":2})");
  EXPECT_EQ(config(R"({"num_hidden_layers":2,"layer_types":["a","b"],"sizes":[1,2]})", {1, 0, 1}),
            R"({"num_hidden_layers":3,"layer_types":["b","a","b"],"sizes":[1,2]})");
  EXPECT_EQ(config(R"({"depth":7,"text_config":{"num_hidden_layers":2}})", {0}),
            R"({"depth":7,"text_config":{"num_hidden_layers":1}})");
  EXPECT_EQ(config(R"({"num_layers":2,"num_decoder_layers":2})", {0, 0, 1}, "decoder"),
            R"({"num_layers":2,"num_decoder_layers":3})");
  EXPECT_EQ(config(R"({"x":1})", {0, 1, 1}),
            R"({"x":1} c: no key says that there are 2 layers: 3 of them are there now)");
  EXPECT_EQ(
      config(R"({"n_layer":2,"tie_word_embeddings":true,"dtype":"float32"})", {0, 1}, "", true, Dtype::bf16),
      R"({"n_layer":2,"tie_word_embeddings":false,"dtype":"bfloat16"})");
  EXPECT_EQ(config(R"({"n_layer":2})", {0, 1}, "", false, Dtype::f16),
            R"({"n_layer":2,"torch_dtype":"float16"})");
  testing::expect_error(
      ErrorKind::bad_schema, [] { config("[]", {}); }, "c: expected an object");
}

TEST_F(MergekitTest, TokenizerAndChatTemplate) {
  for (const char* name : {"a", "b"}) {
    std::filesystem::create_directory(dir_.file(name));
    write_network(dir_.file(std::string(name) + "/model.safetensors"), decoder(2, 1));
    const auto put = [&](const std::string& file, const std::string& content) {
      write_text(dir_.file(std::string(name) + "/" + file), content, false);
    };
    put("config.json", text("{{\"of\":\"{}\"}}", name));
    put("tokenizer.json", name);
    put("tokenizer_config.json", R"({"chat_template":"old","x":1})");
    put(std::string("vocab") + (name[0] == 'a' ? ".txt" : ".json"), name);
  }
  const auto files = [&](const std::string& more, std::string& warnings) {
    const MergeConfig c = config("merge_method: linear\nmodels: [{model: a}, {model: b}]\n" + more);
    const ConfiguredMerge made = plan_config(c, ModelFinder({dir_.path()}, ""), {});
    std::vector<std::string> all;
    std::string names;
    const Companions found = merged_companions(c, made, {}, "yaml", all);
    for (const auto& [name, content] : found) names += name + "=" + std::string(content.substr(0, 12)) + ";";
    warnings = all.empty() ? "" : all.front();
    std::erase(names, '\n');
    return names;
  };
  std::string warnings;
  EXPECT_EQ(files("", warnings),
            "config.json={  \"of\": "
            "\"a;mergekit_config.yml=yaml;tokenizer.json=a;tokenizer_config.json={\"chat_templ;vocab.txt=a;");
  EXPECT_EQ(warnings, "");
  EXPECT_EQ(
      files("tokenizer_source: b", warnings),
      "config.json={  \"of\": "
      "\"a;mergekit_config.yml=yaml;tokenizer.json=b;tokenizer_config.json={\"chat_templ;vocab.json=b;");
  EXPECT_NE(warnings.find("/a: its tokenizer.json is not the one that is kept"), std::string::npos)
      << warnings;
  EXPECT_EQ(
      files("chat_template: '{{ x }}'", warnings),
      "chat_template.jinja={{ x }};config.json={  \"of\": \"a;mergekit_config.yml=yaml;tokenizer.json=a;"
      "tokenizer_config.json={  \"x\": 1};vocab.txt=a;");
}

}  // namespace
}  // namespace dws::merge
