// Where a merged network is written: files, shards, a graph's initialisers, stdout.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "merge/companions.h"
#include "merge/execute.h"
#include "merge/input.h"
#include "merge/partial_output.h"
#include "merge/plan.h"

namespace dws::tools {

class MergeRepair;

struct MergeOutput {
  std::string out;         // NAME.safetensors, NAME.onnx, a folder for shards, or "-"
  std::string shard_size;  // "5GB"
  std::string max_memory = "512MB";
  bool allow_nonfinite = false, resume = false, force = false;
  std::optional<merge::Companions> companions;  // of a folder; in place of the pattern's
  MergeRepair* repair = nullptr;                // set right before it gets its name

  bool is_folder() const;
  // For what cannot do with as little as merging: "" where nobody has said how much.
  std::string said_max_memory() const { return max_memory == MergeOutput{}.max_memory ? "" : max_memory; }
  // Throws Error{exists|io} at once for what could not be written at the end.
  void require() const;
};

// Makes the numbers: carries the plan out into the writer, from tensor `first` on.
using Fill = std::function<merge::ExecuteReport(merge::Writer& writer, size_t first)>;

// Writes the plan's tensors, which `fill` makes, in the files that `pattern` has: its shards, its metadata, its graph, its
// configuration and tokenizer. `identity` says what is made of what, for --resume. The plan's files are set here. A run that is killed in `output.repair` leaves the merge whole: --resume repairs it anew. Throws Error{usage} for an
// output that cannot be had.
merge::ExecuteReport write_merged(merge::Plan& plan, const merge::Input& pattern, const MergeOutput& output,
                                  const Json& recipe, const std::string& identity, const Fill& fill);

// The same with execute().
merge::ExecuteReport write_merged(merge::Plan& plan, const std::vector<merge::Input>& inputs,
                                  const merge::Input& pattern, const MergeOutput& output, const Json& recipe);

}  // namespace dws::tools
