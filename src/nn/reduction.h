// Names of reductions and how they change the size of what they pool.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "autograd/ops.h"

namespace dws::nn {

std::vector<std::string> reduction_names();             // "max", "mean", "sum"
ops::Reduction parse_reduction(std::string_view name);  // throws Error{usage}
const char* reduction_name(ops::Reduction kind) noexcept;

// Root mean square of `count` pooled numbers over that of one of them, for rectified standard normal numbers:
// what an initialisation has to divide by. Exact for mean and sum; for max sqrt(1 + 2 ln n), within 25 % for
// n up to 4096.
double pooled_gain(ops::Reduction kind, int64_t count) noexcept;

}  // namespace dws::nn
