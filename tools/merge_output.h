// Where a merged network is written: files, shards, a graph's initialisers, stdout.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "merge/execute.h"
#include "merge/input.h"
#include "merge/partial_output.h"
#include "merge/plan.h"

namespace dws::tools {

struct MergeOutput {
  std::string out;         // NAME.safetensors, NAME.onnx, a folder for shards, or "-"
  std::string shard_size;  // "5GB"
  std::string max_memory = "512MB";
  bool allow_nonfinite = false, resume = false, force = false;
};

// Makes the numbers: carries the plan out into the writer, from tensor `first` on.
using Fill = std::function<merge::ExecuteReport(merge::Writer& writer, size_t first)>;

// Writes the plan's tensors, which `fill` makes, in the files that `pattern` has: its shards, its metadata, its graph, its
// configuration and tokenizer. `identity` says what is made of what, for --resume. The plan's files are set here. Throws
// Error{usage} for an output that cannot be had.
merge::ExecuteReport write_merged(merge::Plan& plan, const merge::Input& pattern, const MergeOutput& output,
                                  const Json& recipe, const std::string& identity, const Fill& fill);

// The same with execute().
merge::ExecuteReport write_merged(merge::Plan& plan, const std::vector<merge::Input>& inputs,
                                  const merge::Input& pattern, const MergeOutput& output, const Json& recipe);

}  // namespace dws::tools
