// The options of `dws merge` that say how numbers are combined.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "merge/compose.h"
#include "options.h"

namespace dws::tools {

struct MergeSettings {
  std::string method = "linear", dtype, compat, rescale, over;
  std::vector<std::string> weight, density, gamma,
      epsilon;  // numbers, with commas between or option by option
  std::optional<double> t, lambda, select_topk, scale, tolerance, ram_epsilon, ram_r, ram_alpha;
  std::optional<int> max_iterations;
  bool normalize = false, no_normalize = false, allow_missing = false, pad_vocab = false;
  uint64_t seed = 0;
};
void add_merge_settings(Options& verb, MergeSettings& settings);

// "0.3,0.7" and "0.3" "0.7" alike. Throws Error{usage} naming the option.
std::vector<double> parse_numbers(const std::vector<std::string>& given, const char* option);
merge::Rescale parse_rescale(const std::string& name);  // paper, l1, none; throws Error{usage}
Dtype parse_float_dtype(const std::string& name);       // f16, bf16, f32, f64; throws Error{usage}

// Without models and base. Throws Error{usage}, also for options that the method does not have.
merge::Choices choices(const MergeSettings& settings);

// What the recipe says of it: method, parameters that were given, seed where it counts.
Json settings_json(const merge::Choices& choices);

}  // namespace dws::tools
