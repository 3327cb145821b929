// The weighted mean of very many networks (FedAvg; McMahan et al., "Communication-efficient learning of deep networks from
// decentralized data", AISTATS 2017): running sums in float64, one network mapped at a time, so that neither memory nor open
// files grow with their number.
#pragma once

#include <string>
#include <vector>

#include "merge/execute.h"

namespace dws::merge {

struct AverageOptions {
  uint64_t max_memory = 512'000'000;
  bool allow_nonfinite = false;
  size_t first = 0;  // tensors before it are made already
};

// Every network has the tensors of the first, of the same types and shapes; throws Error{mismatch|missing_tensor} for the first
// that has not. Returns one hash of all fingerprints, in their order.
std::string check_alike(const std::vector<InputFile>& files);

// Whether the tensors that the plan copies have the same bytes in all of them.
bool all_equal(const Plan& plan, const std::vector<InputFile>& files);

// `plan` has the tensors to write, each with its name in sources.front() (or `copy`, from the first network); the weights, one a
// file, are used as they are. The same bits for any memory and number of threads. Throws as execute() does.
ExecuteReport average(const Plan& plan, const std::vector<InputFile>& files,
                      const std::vector<double>& weights, const AverageOptions& options, Writer& writer);

}  // namespace dws::merge
