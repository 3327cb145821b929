// dws merge --config: a merge as a YAML file describes it.
#pragma once

#include <string>
#include <vector>

#include "command.h"
#include "data_input.h"
#include "merge_output.h"
#include "merge_settings.h"

namespace dws::tools {

struct MergeConfigOptions {
  std::string file;                // "-": stdin
  std::vector<std::string> roots;  // where to look for networks that are named by no path
  std::string stages;              // folder for what the documents of a name make
  NetworkOptions network;
  DataOptions repair;  // where its data is not empty, of the last document's result
  bool align = false;  // every network that gives numbers, to the base or to the first one
};

// What was made, for the summary.
struct ConfiguredResult {
  merge::Method method = merge::Method::linear;
  size_t networks = 0;
  merge::ExecuteReport report;
  Json recipe, repaired;  // `repaired`: as MergeRepair::done(); null without
};

// Carries the configuration out, of several documents the last into the output and those before into `stages`; of `settings` only those that it leaves open count. Throws Error{usage} for other ones.
ConfiguredResult merge_by_config(const Globals& globals, const MergeConfigOptions& options,
                                 const MergeSettings& settings, const MergeOutput& output);

}  // namespace dws::tools
