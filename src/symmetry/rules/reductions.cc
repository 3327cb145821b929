// Operators that make one number of an axis, or look at its order.
#include "symmetry/rules/families.h"

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;

void reduce(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  auto axes = named_axes(d, node, 1, static_cast<int>(x.size()));
  if (!axes) return d.pin_all(node);
  const bool nothing_named = node.attr_ints("axes").value_or(std::vector<int64_t>{}).empty() &&
                             (d.input(node, 1) == kNone || d.integers(node.inputs[1]).empty());
  if (nothing_named && node.attr_int("noop_with_empty_axes", 0)) return d.make(node, d.output(node, 0), x);
  std::vector<bool> gone(x.size());
  for (const int a : *axes) gone[static_cast<size_t>(a)] = true;
  Axes out;
  for (size_t a = 0; a < x.size(); ++a)
    if (!gone[a])
      out.push_back(x[a]);
    else if (node.attr_int("keepdims", 1))
      out.push_back(d.factors.leaf(1));
  for (size_t a = 0; a < x.size(); ++a)
    if (gone[a]) d.contract(x[a], out);
  d.make(node, d.output(node, 0), out);
}

// The axis' order is looked at: pinned, and what comes out has an order of its own.
void ordered(Discovery& d, const Node& node, int64_t axis, bool keeps_axis, bool dropped) {
  const Axes x = d.axes(node.inputs[0]);
  const auto at = axis_of(axis, static_cast<int>(x.size()));
  if (!at) return d.pin_all(node);
  const auto a = static_cast<size_t>(*at);
  d.pin(node, x[a]);
  d.mix(node.inputs[0], {*at});
  for (const int output : node.outputs) {
    if (!d.known(output)) continue;
    Axes out = x;
    if (dropped)
      out.erase(out.begin() + *at);
    else
      out[a] = d.pinned(node, keeps_axis ? d.factors.size(x[a]) : d.dims(output)[a]);
    d.make(node, output, out);
  }
}
void arg(Discovery& d, const Node& node) {
  ordered(d, node, node.attr_int("axis", 0), false, node.attr_int("keepdims", 1) == 0);
}
void top_k(Discovery& d, const Node& node) {
  ordered(d, node, node.attr_int("axis", -1), false, false);
}
void cumulated(Discovery& d, const Node& node) {
  const std::vector<int64_t> axis = d.integers(d.input(node, 1));
  if (axis.size() != 1) return d.pin_all(node);
  ordered(d, node, axis[0], true, false);
}
void trilu(Discovery& d, const Node& node) {
  Axes x = d.axes(node.inputs[0]);
  if (x.size() < 2) return d.pin_all(node);
  for (size_t a = x.size() - 2; a < x.size(); ++a) {
    d.pin(node, x[a]);
    x[a] = d.pinned(node, d.factors.size(x[a]));
  }
  d.make(node, d.output(node, 0), x);
}

constexpr RuleRow kRows[] = {
    {"ReduceSum", reduce},    {"ReduceMean", reduce},      {"ReduceMax", reduce}, {"ReduceMin", reduce},
    {"ReduceProd", reduce},   {"ReduceL1", reduce},        {"ReduceL2", reduce},  {"ReduceSumSquare", reduce},
    {"ReduceLogSum", reduce}, {"ReduceLogSumExp", reduce}, {"ArgMax", arg},       {"ArgMin", arg},
    {"TopK", top_k},          {"CumSum", cumulated},       {"Trilu", trilu},
};

}  // namespace

std::span<const RuleRow> reduction_rules() {
  return kRows;
}

}  // namespace dws::symmetry
