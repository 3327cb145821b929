// Statistics of merged networks set right on data: what merge and lmc share.
#pragma once

#include <string>

#include "data_input.h"
#include "network/repair.h"

namespace dws::tools {

// What repair reads; refers to `data`.
network::RepairData repair_data(const LabelledData& data);
// Says once on stderr what was done and which layers were left.
void say_repair(const network::Repair& repair, const std::string& file, int64_t samples);

}  // namespace dws::tools
