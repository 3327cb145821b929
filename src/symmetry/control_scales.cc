// What graphs within graphs do to scales: a value that goes in or out is the same inside and outside.
#include <algorithm>

#include "symmetry/scale_rules.h"

namespace dws::symmetry {

using network::kNone;
using network::Node;

namespace {

// The only place of the leaf in a value; where there are several, all are held.
int only(LeafScales& s, int value) {
  const auto& places = s.places(value);
  if (places.size() == 1) return places.front().unknown;
  for (const LeafScales::Place& p : places) s.one(p.unknown);
  return kNone;
}
void tie(LeafScales& s, int a, int b) {
  const int x = only(s, a), y = only(s, b);
  if (x != kNone || y != kNone) s.same(x, y);
}
int at(const std::vector<int>& values, size_t i) {
  return i < values.size() ? values[i] : kNone;
}

}  // namespace

void branch_scale(LeafScales& s, const Node& node) {
  for (const network::Body& body : node.bodies)
    for (size_t i = 0; i < std::max(node.outputs.size(), body.graph.outputs.size()); ++i)
      tie(s, at(node.outputs, i), at(body.graph.outputs, i));
}
// States: before, at the beginning of a round, at its end, after. Scanned values are slices.
void round_scale(LeafScales& s, const Node& node) {
  const network::Graph* body = node.body("body");
  if (!body) return s.one_all(node);
  const bool scan = node.op == "Scan";
  // A Loop has its number of rounds and a condition in front.
  const size_t in = scan ? 0 : 2, out = scan ? 0 : 1;
  const auto scanned =
      static_cast<size_t>(scan ? std::max<int64_t>(node.attr_int("num_scan_inputs", 0), 0) : 0);
  if (node.inputs.size() < in + scanned) return s.one_all(node);
  const size_t states = node.inputs.size() - in - scanned;
  for (size_t i = 0; i < std::max(node.inputs.size(), body->inputs.size()); ++i)
    tie(s, at(node.inputs, i), at(body->inputs, i));
  for (size_t i = 0; i < states; ++i) tie(s, at(body->inputs, in + i), at(body->outputs, out + i));
  for (size_t i = 0; i < out; ++i) tie(s, at(body->outputs, i), kNone);
  for (size_t i = 0; i < std::max(node.outputs.size(), body->outputs.size()); ++i)
    tie(s, at(body->outputs, out + i), at(node.outputs, i));
}

}  // namespace dws::symmetry
