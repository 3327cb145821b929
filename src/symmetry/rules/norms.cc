// Norms and softmax: the layout goes through, and what is normalised together is mixed.
#include "symmetry/rules/families.h"

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;

std::vector<int> range(int first, int last) {
  std::vector<int> axes;
  for (int a = first; a < last; ++a) axes.push_back(a);
  return axes;
}
// Inputs of one axis each that belong to an axis of the first: scales, biases, statistics.
void per_channel(Discovery& d, const Node& node, FactorId channels, size_t first, size_t last) {
  for (size_t i = first; i < last; ++i)
    if (const int value = d.input(node, i); value != kNone) {
      if (d.rank(value) == 1)
        d.unify(node, channels, d.axis(value, 0));
      else
        d.pin_value(value, d.why(node));
    }
}

void batch_norm(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  if (x.size() < 2 || node.attr_int("training_mode", 0)) return d.pin_all(node);
  per_channel(d, node, x[1], 1, 5);
  d.make(node, d.output(node, 0), x);
}
void instance_norm(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  if (x.size() < 2) return d.pin_all(node);
  per_channel(d, node, x[1], 1, 3);
  d.mix(node.inputs[0], range(2, static_cast<int>(x.size())));
  d.make(node, d.output(node, 0), x);
}

// Scale and bias are stretched to the input's last axes; other outputs are statistics of which nothing is said.
void normalised(Discovery& d, const Node& node, const Axes& x, int64_t axis, size_t first, size_t last) {
  const auto from = axis_of(axis, static_cast<int>(x.size()));
  if (!from) return d.pin_all(node);
  for (size_t i = first; i < last; ++i)
    if (const int value = d.input(node, i); value != kNone) {
      const Axes own = d.axes(value);
      for (size_t k = 0; k < own.size() && k < x.size(); ++k)
        d.unify_stretched(node, x[x.size() - 1 - k], own[own.size() - 1 - k]);
    }
  d.mix(node.inputs[0], range(*from, static_cast<int>(x.size())));
  d.make(node, d.output(node, 0), x);
}
void layer_norm(Discovery& d, const Node& node) {
  normalised(d, node, d.axes(node.inputs[0]), node.attr_int("axis", -1), 1, 3);
}
// Input and skip are added, then normalised; the last output is their sum.
void skip_norm(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  const Axes skip = d.axes(node.inputs[1]);
  for (size_t k = 0; k < skip.size() && k < x.size(); ++k)
    d.unify_stretched(node, x[x.size() - 1 - k], skip[skip.size() - 1 - k]);
  normalised(d, node, x, -1, 2, node.inputs.size());
  d.make(node, d.output(node, 3), x);
}

// Groups of channels one after another.
void group_norm(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  const int64_t groups = node.attr_int("num_groups", 0);
  if (x.size() < 2 || groups <= 0) return d.pin_all(node);
  const auto halves = d.factors.divide(x[1], groups);
  if (!halves) return d.pin_all(node);
  const int scale = d.input(node, 1);
  const bool per_group =
      scale != kNone && d.rank(scale) == 1 && d.dims(scale)[0] == groups && groups != d.factors.size(x[1]);
  per_channel(d, node, per_group ? halves->first : x[1], 1, 3);
  // Within a group all channels and places are one set; a channel's order may differ from group to group.
  d.mix(node.inputs[0], range(2, static_cast<int>(x.size())));
  for (const FactorId other : {x[0], halves->first}) d.forbid(other, halves->second);
  d.make(node, d.output(node, 0), x);
}

void softmax(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  const auto rank = static_cast<int>(x.size());
  const auto axis = axis_of(node.attr_int("axis", node.version < 13 ? 1 : -1), rank);
  if (!axis) return d.pin_all(node);
  d.mix(node.inputs[0], node.version < 13 ? range(*axis, rank) : std::vector<int>{*axis});
  d.make(node, d.output(node, 0), x);
}
// The first of the largest: an order is looked at where some are equal.
void hardmax(Discovery& d, const Node& node) {
  Axes x = d.axes(node.inputs[0]);
  const auto rank = static_cast<int>(x.size());
  const auto axis = axis_of(node.attr_int("axis", node.version < 13 ? 1 : -1), rank);
  if (!axis) return d.pin_all(node);
  for (const int a : node.version < 13 ? range(*axis, rank) : std::vector<int>{*axis}) {
    FactorId& f = x[static_cast<size_t>(a)];
    d.mix(node.inputs[0], {a});
    d.pin(node, f);
    f = d.pinned(node, d.factors.size(f));
  }
  d.make(node, d.output(node, 0), x);
}
void lp_norm(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  const auto axis = axis_of(node.attr_int("axis", -1), static_cast<int>(x.size()));
  if (!axis) return d.pin_all(node);
  d.mix(node.inputs[0], {*axis});
  d.make(node, d.output(node, 0), x);
}
void mean_variance(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  std::vector<int> axes;
  for (const int64_t a : node.attr_ints("axes").value_or(std::vector<int64_t>{0, 2, 3})) {
    const auto axis = axis_of(a, static_cast<int>(x.size()));
    if (!axis) return d.pin_all(node);
    axes.push_back(*axis);
  }
  d.mix(node.inputs[0], axes);
  d.make(node, d.output(node, 0), x);
}
// Neighbouring channels are compared.
void lrn(Discovery& d, const Node& node) {
  Axes x = d.axes(node.inputs[0]);
  if (x.size() < 2) return d.pin_all(node);
  d.pin(node, x[1]);
  d.mix(node.inputs[0], {1});
  x[1] = d.pinned(node, d.factors.size(x[1]));
  d.make(node, d.output(node, 0), x);
}

constexpr RuleRow kRows[] = {
    {"BatchNormalization", batch_norm},
    {"InstanceNormalization", instance_norm},
    {"LayerNormalization", layer_norm},
    {"RMSNormalization", layer_norm},
    {"SimplifiedLayerNormalization", layer_norm},
    {"SimplifiedLayerNormalization", layer_norm, "com.microsoft"},
    {"SkipLayerNormalization", skip_norm, "com.microsoft"},
    {"SkipSimplifiedLayerNormalization", skip_norm, "com.microsoft"},
    {"GroupNormalization", group_norm},
    {"Softmax", softmax},
    {"LogSoftmax", softmax},
    {"Hardmax", hardmax},
    {"LpNormalization", lp_norm},
    {"MeanVarianceNormalization", mean_variance},
    {"LRN", lrn},
};

}  // namespace

std::span<const RuleRow> norm_rules() {
  return kRows;
}

}  // namespace dws::symmetry
