// Graphs within graphs: each is swept like any other; what goes round a loop is pinned.
#include "symmetry/rules/families.h"

namespace dws::symmetry {
namespace {

using network::Node;

// Either branch makes the outputs.
void branch(Discovery& d, const Node& node) {
  for (const auto& [name, body] : node.bodies) {
    d.sweep(body);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const int inner = i < body.outputs.size() ? body.outputs[i] : network::kNone, outer = node.outputs[i];
      if (outer == network::kNone || inner == network::kNone) continue;
      if (!d.known(inner) || !d.known(outer) || d.dims(inner) != d.dims(outer)) {
        d.pin_value(inner, d.why(node));
        d.pin_value(outer, d.why(node));
        continue;
      }
      const Axes a = d.axes(inner), b = d.axes(outer);
      for (size_t k = 0; k < a.size(); ++k) d.unify(node, a[k], b[k]);
    }
  }
}
// What goes in, round and out stays; what is made and used within one round is as free as anywhere. (A value whose shape
// changes from round to round is not known, and pinned.)
void loop(Discovery& d, const Node& node) {
  const std::string why = d.why(node) + ": goes round a loop";
  for (const auto* list : {&node.inputs, &node.outputs})
    for (const int value : *list)
      if (value != network::kNone) d.pin_value(value, why);
  for (const auto& [name, body] : node.bodies) {
    for (const int input : body.inputs) {
      d.pin_value(input, why);
      d.note_data(input);
    }
    d.sweep(body);
    for (const int output : body.outputs) d.pin_value(output, why);
  }
}

constexpr RuleRow kRows[] = {{"If", branch}, {"Loop", loop}, {"Scan", loop}};

}  // namespace

std::span<const RuleRow> control_rules() {
  return kRows;
}

}  // namespace dws::symmetry
