#include <algorithm>
#include <map>

#include "symmetry/rules/families.h"

namespace dws::symmetry {

using network::kNone;
using network::Node;

Rule find_rule(std::string_view domain, std::string_view op) noexcept {
  using Table = std::map<std::pair<std::string_view, std::string_view>, Rule>;
  static const Table table = [] {
    Table t;
    for (const auto family : {elementwise_rules(), product_rules(), convolution_rules(), norm_rules(),
                              movement_rules(), cut_rules(), reduction_rules(), recurrent_rules(),
                              quantise_rules(), control_rules(), attention_rules()})
      for (const RuleRow& row : family) t.emplace(std::pair{row.domain, row.op}, row.rule);
    return t;
  }();
  const auto at = table.find({domain, op});
  return at == table.end() ? nullptr : at->second;
}

Axes stretched(Discovery& d, const Node& node, size_t first) {
  Axes common;  // from the last axis
  for (size_t i = first; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNone) continue;
    const Axes axes = d.axes(node.inputs[i]);
    for (size_t k = 0; k < axes.size(); ++k) {
      const FactorId f = axes[axes.size() - 1 - k];
      if (k == common.size())
        common.push_back(f);
      else if (d.factors.size(common[k]) == 1)
        common[k] = f;
      else
        d.unify_stretched(node, common[k], f);
    }
  }
  std::ranges::reverse(common);
  return common;
}

std::optional<int> axis_of(int64_t axis, int rank) noexcept {
  if (axis < -rank || axis >= rank) return {};
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

std::optional<std::vector<int>> named_axes(const Discovery& d, const Node& node, size_t at, int rank) {
  std::optional<std::vector<int64_t>> named = node.attr_ints("axes");
  if (!named && d.input(node, at) != kNone) {
    if (!d.numbers(node.inputs[at])) return {};
    named = d.integers(node.inputs[at]);
  }
  std::vector<int> axes;
  if (!named || named->empty()) {
    for (int a = 0; a < rank; ++a) axes.push_back(a);
    return axes;
  }
  for (const int64_t n : *named) {
    const auto a = axis_of(n, rank);
    if (!a) return {};
    axes.push_back(*a);
  }
  return axes;
}

}  // namespace dws::symmetry
