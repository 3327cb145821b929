// The rules by family of operators, one file each; rules.cc joins their tables.
#pragma once

#include <span>
#include <string_view>

#include "symmetry/discovery.h"

namespace dws::symmetry {

struct RuleRow {
  std::string_view op;
  Rule rule;
  std::string_view domain = {};  // "" is ONNX's own
};

std::span<const RuleRow> elementwise_rules();
std::span<const RuleRow> product_rules();
std::span<const RuleRow> convolution_rules();
std::span<const RuleRow> norm_rules();
std::span<const RuleRow> movement_rules();
std::span<const RuleRow> cut_rules();
std::span<const RuleRow> reduction_rules();
std::span<const RuleRow> recurrent_rules();
std::span<const RuleRow> quantise_rules();
std::span<const RuleRow> control_rules();
std::span<const RuleRow> attention_rules();

// Shared by rules.
// The axes of all inputs stretched to one shape and joined (numpy's broadcasting), from input `first` on.
Axes stretched(Discovery& d, const network::Node& node, size_t first = 0);
// An attribute's axis, negative ones from the end; nullopt outside.
std::optional<int> axis_of(int64_t axis, int rank) noexcept;
// The axes that a reducing operator names, by attribute or by input `at`; nullopt where they are not known. None named: all.
std::optional<std::vector<int>> named_axes(const Discovery& d, const network::Node& node, size_t at,
                                           int rank);

}  // namespace dws::symmetry
