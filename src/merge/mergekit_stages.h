// Several configurations in one file, of which one may merge what another one made and is called by its name there.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "merge/mergekit.h"

namespace dws::merge {

// The order to make them in: what a stage needs before it, else as they stand; last the one without a name, if there is one. Throws
// Error{bad_schema} naming file and line for names that stand twice or are no file names, for two configurations without one, and for
// stages that need each other.
std::vector<size_t> stage_order(const std::vector<MergeConfig>& stages);

// The networks of a configuration whose numbers go into its result, those that `stages` make left out: the base first, then as they
// stand; a network that is named twice comes twice. Not among them is one that gives its tokenizer alone.
std::vector<ModelName> networks_of(const MergeConfig& config, const std::vector<MergeConfig>& stages);

// In whose basis the others are to be where networks are aligned: the base of the first of these configurations that has one, which is
// no stage, or else the first network named. All stages take the same, as one merges what another made.
ModelName reference_of(const std::vector<MergeConfig>& stages, const std::vector<size_t>& order);

// Names of stages become paths in `folder`.
void name_stages(std::vector<MergeConfig>& stages, const std::string& folder);

}  // namespace dws::merge
