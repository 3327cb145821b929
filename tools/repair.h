// Statistics of merged networks set right on data: what merge and lmc share.
#pragma once

#include <string>
#include <vector>

#include "data_input.h"
#include "network/repair.h"
#include "network_input.h"

namespace dws::tools {

// What repair reads; refers to `data`.
network::RepairData repair_data(const LabelledData& data);
// Says once on stderr what was done and which layers were left.
void say_repair(const network::Repair& repair, const std::string& file, int64_t samples);

// Reads the network `merged`, made of `from` by these weights, and writes it to `out` with its statistics set right. Returns what was done,
// for the recipe. Throws Error.
Json repair_merged(const std::string& merged, const std::vector<std::string>& from,
                   const std::vector<double>& weights, const NetworkOptions& options, const DataOptions& data,
                   const std::string& out, bool force);

}  // namespace dws::tools
