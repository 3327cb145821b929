#include "merge/mergekit_stages.h"

#include <gtest/gtest.h>

#include "testing.h"

namespace dws::merge {
namespace {

std::string stage(const std::string& name, const std::string& models) {
  return (name.empty() ? "" : "name: " + name + "\n") + "merge_method: linear\nbase_model: x\nmodels: [" +
         models + "]\n---\n";
}
std::vector<size_t> order(const std::string& yaml) {
  return stage_order(read_merge_configs(yaml, "f.yml"));
}

TEST(MergekitStages, WhatAStageNeedsIsMadeBefore) {
  EXPECT_EQ(order(stage("", "{model: b}") + stage("b", "{model: a}") + stage("a", "{model: p}")),
            (std::vector<size_t>{2, 1, 0}));
  EXPECT_EQ(order(stage("", "{model: b}") + stage("b", "{model: p}") + stage("unused", "{model: p}")),
            (std::vector<size_t>{1, 2, 0}));
  std::vector<MergeConfig> stages =
      read_merge_configs(stage("", "{model: b}, {model: q}") + stage("b", "{model: p}"), "f.yml");
  name_stages(stages, "folder");
  EXPECT_EQ(stages[0].modules[0].slices[0].sources[0].model.path, "folder/b");
  EXPECT_EQ(stages[0].modules[0].slices[0].sources[1].model.path, "q");
}

TEST(MergekitStages, NetworksThatGiveNumbersAndWhoseBasisTheyComeInto) {
  const std::string yaml =
      "merge_method: slerp\nbase_model: s\nparameters: {t: 0.5}\nmodels: [{model: s}, {model: q}]\n"
      "tokenizer_source: talker\n---\n"
      "name: s\nmerge_method: linear\nmodels: [{model: p}, {model: q}]\n---\n"
      "name: u\nmerge_method: ties\nbase_model: b\nmodels: [{model: s}, {model: p}]\n";
  std::vector<MergeConfig> stages = read_merge_configs(yaml, "f.yml");
  const auto names = [&](size_t stage) {
    std::vector<std::string> all;
    for (const ModelName& model : networks_of(stages[stage], stages)) all.push_back(model.path);
    return all;
  };
  EXPECT_EQ(names(0), (std::vector<std::string>{"q"}));
  EXPECT_EQ(names(1), (std::vector<std::string>{"p", "q"}));
  EXPECT_EQ(names(2), (std::vector<std::string>{"b", "p"}));
  const std::vector<size_t> order = stage_order(stages);
  EXPECT_EQ(order, (std::vector<size_t>{1, 2, 0}));
  EXPECT_EQ(reference_of(stages, order).path, "b");  // the first base that no stage makes
  stages.pop_back();
  EXPECT_EQ(reference_of(stages, {1, 0}).path, "p");  // no base: the first network named
}

TEST(MergekitStages, Refused) {
  const auto refused = [](const std::string& yaml, const char* words) {
    testing::expect_error(
        ErrorKind::bad_schema, [&] { order(yaml); }, words);
  };
  refused(stage("a", "{model: b}") + stage("b", "{model: a}"),
          "f.yml: the document 'a' needs what is made of it");
  refused(stage("a", "{model: a}") + stage("", "{model: a}"),
          "f.yml: the document 'a' needs what is made of it");
  refused(stage("a", "{model: p}") + stage("a", "{model: p}"), "two documents of the name 'a'");
  refused(stage("", "{model: p}") + stage("", "{model: p}"), "two documents without a name");
  refused(stage("../a", "{model: p}") + stage("", "{model: p}"), "expected the name of a folder");
}

}  // namespace
}  // namespace dws::merge
