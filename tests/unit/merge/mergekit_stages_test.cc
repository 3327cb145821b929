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
