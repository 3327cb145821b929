// The files of a merged network besides its tensors: its configuration says what became of layers and types.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "merge/companions.h"
#include "merge/mergekit_plan.h"

namespace dws::merge {

// config.json with the number of layers, what it lists a layer, the type of the numbers and whether the head is the embedding's, as
// they are in the merged network. `name` is for messages; `warnings` says what it has no place for. Throws Error as Json::parse().
std::string merged_config(std::string_view json, const std::string& name, const ConfiguredMerge& merge,
                          std::optional<Dtype> dtype, std::vector<std::string>& warnings);

// All of them, by name: those of the pattern, the tokenizer's files, the chat template, and the merge configuration itself
// (`yaml`) as mergekit_config.yml.
Companions merged_companions(const MergeConfig& config, const ConfiguredMerge& merge,
                             std::optional<Dtype> dtype, std::string_view yaml,
                             std::vector<std::string>& warnings);

}  // namespace dws::merge
