// Quantised numbers: scales and zero points belong to the axis they are given for.
#include "symmetry/rules/families.h"

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;

void per_axis(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  const auto axis = axis_of(node.attr_int("axis", 1), static_cast<int>(x.size()));
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    const int value = node.inputs[i];
    if (value == kNone || d.rank(value) == 0 ||
        d.network().values[static_cast<size_t>(value)].dims == std::vector<int64_t>{1})
      continue;
    if (!axis || d.rank(value) != 1 || node.attr_int("block_size", 0)) return d.pin_all(node);
    d.unify(node, x[static_cast<size_t>(*axis)], d.axis(value, 0));
  }
  d.make(node, d.output(node, 0), x);
}

// Inputs a, its scale and zero point, b and its, the output's: one for all each.
void quantised_binary(Discovery& d, const Node& node) {
  if (node.inputs.size() < 7 || node.inputs[3] == kNone) return d.pin_all(node);
  for (const size_t i : {1, 2, 4, 5, 6, 7})
    if (const int value = d.input(node, i); value != kNone) d.pin_value(value, d.why(node));
  const Axes a = d.axes(node.inputs[0]), b = d.axes(node.inputs[3]);
  const bool longer = a.size() >= b.size();
  Axes out = longer ? a : b;
  const Axes& other = longer ? b : a;
  for (size_t k = 0; k < other.size(); ++k) {
    FactorId& f = out[out.size() - 1 - k];
    const FactorId g = other[other.size() - 1 - k];
    if (d.factors.size(f) == 1)
      f = g;
    else
      d.unify_stretched(node, f, g);
  }
  d.make(node, d.output(node, 0), out);
}

// One scale for all, worked out from all numbers whatever their order.
void dynamic(Discovery& d, const Node& node) {
  d.make(node, d.output(node, 0), d.axes(node.inputs[0]));
  for (size_t i = 1; i < node.outputs.size(); ++i)
    if (d.known(d.output(node, i))) d.axes(node.outputs[i]);
}

constexpr RuleRow kRows[] = {{"QuantizeLinear", per_axis},
                             {"DequantizeLinear", per_axis},
                             {"DynamicQuantizeLinear", dynamic},
                             {"QLinearAdd", quantised_binary, "com.microsoft"},
                             {"QLinearMul", quantised_binary, "com.microsoft"}};

}  // namespace

std::span<const RuleRow> quantise_rules() {
  return kRows;
}

}  // namespace dws::symmetry
