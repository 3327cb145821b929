// Each element alone: the layout goes through; several inputs are stretched to one layout.
#include <algorithm>

#include "symmetry/rules/families.h"

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;

void unary(Discovery& d, const Node& node) {
  for (const int output : node.outputs) d.make(node, output, d.axes(node.inputs[0]));
}
void broadcast(Discovery& d, const Node& node) {
  d.make(node, d.output(node, 0), stretched(d, node));
}

// A constant of two axes and more that scales element by element is a table (cosines of positions, a mask), no parameter:
// to reorder it would be to change the network's constants.
void pin_tables(Discovery& d, const Node& node) {
  const auto data = [&](int value) { return value != kNone && d.from_data(value); };
  if (std::ranges::none_of(node.inputs, data)) return;  // a weight made of weights
  for (const int value : node.inputs) {
    if (value == kNone || d.from_data(value)) continue;
    int long_axes = 0;
    for (const int64_t extent : d.dims(value)) long_axes += extent > 1;
    if (long_axes >= 2) d.pin_value(value, d.why(node) + ": a table of constants");
  }
}
void scaling(Discovery& d, const Node& node) {
  pin_tables(d, node);
  broadcast(d, node);
}

// Angles that do not come from data are positions: their order is part of what the network means.
void angles(Discovery& d, const Node& node) {
  if (!d.from_data(node.inputs[0])) d.pin_value(node.inputs[0], d.why(node) + ": a table of angles");
  unary(d, node);
}

// The slope is stretched to the input, not the other way round.
void prelu(Discovery& d, const Node& node) {
  stretched(d, node);
  unary(d, node);
}
void first_input(Discovery& d, const Node& node) {
  for (size_t i = 0; i < node.outputs.size(); ++i) d.make(node, node.outputs[i], d.axes(node.inputs[0]));
}

constexpr RuleRow kRows[] = {
    {"Abs", unary},
    {"Acos", unary},
    {"Acosh", unary},
    {"Asin", unary},
    {"Asinh", unary},
    {"Atan", unary},
    {"Atanh", unary},
    {"BitwiseNot", unary},
    {"Cast", first_input},
    {"Ceil", unary},
    {"Celu", unary},
    {"Clip", first_input},
    {"Cosh", unary},
    {"Dropout", first_input},
    {"Elu", unary},
    {"Erf", unary},
    {"Exp", unary},
    {"Floor", unary},
    {"Gelu", unary},
    {"HardSigmoid", unary},
    {"HardSwish", unary},
    {"Identity", unary},
    {"IsInf", unary},
    {"IsNaN", unary},
    {"LeakyRelu", unary},
    {"Log", unary},
    {"Mish", unary},
    {"Neg", unary},
    {"Not", unary},
    {"Reciprocal", unary},
    {"Relu", unary},
    {"Round", unary},
    {"Selu", unary},
    {"Shrink", unary},
    {"Sigmoid", unary},
    {"Sign", unary},
    {"Sinh", unary},
    {"Softplus", unary},
    {"Softsign", unary},
    {"Sqrt", unary},
    {"Swish", unary},
    {"Tan", unary},
    {"Tanh", unary},
    {"ThresholdedRelu", unary},
    {"CastLike", first_input},
    {"Sin", angles},
    {"Cos", angles},
    {"PRelu", prelu},
    {"Add", broadcast},
    {"Sub", broadcast},
    {"Max", broadcast},
    {"Min", broadcast},
    {"Mean", broadcast},
    {"Sum", broadcast},
    {"Pow", broadcast},
    {"Mod", broadcast},
    {"And", broadcast},
    {"Or", broadcast},
    {"Xor", broadcast},
    {"Equal", broadcast},
    {"Less", broadcast},
    {"LessOrEqual", broadcast},
    {"Greater", broadcast},
    {"GreaterOrEqual", broadcast},
    {"BitShift", broadcast},
    {"BitwiseAnd", broadcast},
    {"BitwiseOr", broadcast},
    {"BitwiseXor", broadcast},
    {"Mul", scaling},
    {"Div", scaling},
    {"Where", scaling},
    {"Gelu", unary, "com.microsoft"},
    {"QuickGelu", unary, "com.microsoft"},
    {"FastGelu", broadcast, "com.microsoft"},
    {"BiasGelu", broadcast, "com.microsoft"},
};

}  // namespace

std::span<const RuleRow> elementwise_rules() {
  return kRows;
}

}  // namespace dws::symmetry
