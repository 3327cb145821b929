// From a merge configuration to the plan that is carried out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "merge/input.h"
#include "merge/mergekit.h"
#include "merge/model_path.h"
#include "merge/plan.h"

namespace dws::merge {

// What a configuration leaves open.
struct ConfigOptions {
  bool follow_links = false;   // of shards; those in a cache may always be links
  bool allow_missing = false;  // tensors that not all sources have are made of those that have them
  bool pad_vocab = false;      // rows that a source lacks come from those that have them
  bool compat = false;
  uint64_t seed = 0;
  std::optional<Rescale> rescale;  // where the configuration says that there is one
  std::optional<Dtype> dtype;      // in place of the configuration's
  // Files that are read in place of those that the finder finds, by their paths.
  std::map<std::string, std::string> stand_ins;
};

// The layers of a part of the output.
struct StackedLayers {
  std::string module;           // "" for the whole
  int64_t before = 0;           // of the pattern's
  std::vector<int64_t> origin;  // of each of the output's: its number in its slice's first source
};

struct ConfiguredMerge {
  std::vector<Input> inputs;
  std::vector<std::string> names;  // of the inputs, as the configuration has them
  std::vector<ModelPath> found;    // where they lie; not what stands in for them
  int pattern = 0;    // the input whose configuration and files the output gets: the base, or the first
  int tokenizer = 0;  // and whose tokenizer
  Plan plan;          // its files are not set
  std::vector<StackedLayers> layers;
  bool restacked = false;  // the output's layers are not those of the pattern
  bool untied =
      false;  // the output has a head of its own, made of one that some source shares with its embedding
  std::vector<std::string> warnings;
};

// Throws Error naming the configuration's line, or tensor and file: as Input::open() does; Error{usage} for sources that the
// method does not take or parameters out of range; Error{mismatch|missing_tensor} for sources that do not fit together, and
// layers that are not there.
ConfiguredMerge plan_config(const MergeConfig& config, const ModelFinder& finder,
                            const ConfigOptions& options);

}  // namespace dws::merge
