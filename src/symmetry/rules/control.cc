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
void loop(Discovery& d, const Node& node) {
  d.pin_all(node, "goes round a loop");
  for (const auto& [name, body] : node.bodies) {
    for (const int input : body.inputs) d.pin_value(input, d.why(node));
    d.sweep(body);
    for (const int output : body.outputs) d.pin_value(output, d.why(node));
  }
}

constexpr RuleRow kRows[] = {{"If", branch}, {"Loop", loop}, {"Scan", loop}};

}  // namespace

std::span<const RuleRow> control_rules() {
  return kRows;
}

}  // namespace dws::symmetry
