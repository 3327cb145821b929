// Graphs within graphs: each is swept like any other, and what goes in and out is joined.
#include <algorithm>

#include "symmetry/rules/families.h"

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;

// One axis after the other; pinned where shapes differ or are not known (a shape that changes from round to round).
void same(Discovery& d, const Node& node, int a, int b) {
  if (a == kNone || b == kNone) return;
  if (!d.known(a) || !d.known(b) || d.dims(a) != d.dims(b)) {
    d.pin_value(a, d.why(node));
    d.pin_value(b, d.why(node));
    return;
  }
  const Axes x = d.axes(a), y = d.axes(b);
  for (size_t k = 0; k < x.size(); ++k) d.unify(node, x[k], y[k]);
}
// Axes of more than one item, in order, where both values have the same: squeezed and not squeezed.
bool same_but_ones(Discovery& d, const Node& node, int a, int b) {
  if (!d.known(a) || !d.known(b)) return false;
  const auto long_axes = [&](int value) {
    Axes found = d.axes(value);
    std::erase_if(found, [&](FactorId f) { return d.factors.size(f) == 1; });
    return found;
  };
  const Axes x = long_axes(a), y = long_axes(b);
  if (!std::ranges::equal(
          x, y, {}, [&](FactorId f) { return d.factors.size(f); },
          [&](FactorId f) { return d.factors.size(f); }))
    return false;
  for (size_t k = 0; k < x.size(); ++k) d.unify(node, x[k], y[k]);
  return true;
}
// Either branch makes the outputs. Where shapes say which, the other makes the same for other shapes, but for axes of one item.
void branch(Discovery& d, const Node& node) {
  const bool decided = d.numbers(d.input(node, 0)) != nullptr;
  for (const auto& [name, body] : node.bodies) {
    d.sweep(body);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const int inner = i < body.outputs.size() ? body.outputs[i] : kNone, outer = node.outputs[i];
      if (decided && inner != kNone && outer != kNone && same_but_ones(d, node, inner, outer)) continue;
      same(d, node, inner, outer);
    }
  }
}
// `whole` is what `slice` is of each round, along `axis`: its order is that of the rounds.
void sliced(Discovery& d, const Node& node, int whole, int slice, int64_t axis) {
  const auto pin = [&] {
    for (const int value : {whole, slice})
      if (value != kNone) d.pin_value(value, d.why(node));
  };
  if (whole == kNone || slice == kNone || !d.known(whole) || !d.known(slice)) return pin();
  const auto at = axis_of(axis, d.rank(whole));
  Axes rest = d.axes(whole);
  if (!at) return pin();
  d.pin(node, rest[static_cast<size_t>(*at)]);
  rest.erase(rest.begin() + *at);
  const Axes own = d.axes(slice);
  if (own.size() != rest.size()) return pin();
  for (size_t k = 0; k < own.size(); ++k) {
    if (d.factors.size(own[k]) != d.factors.size(rest[k])) return pin();
    d.unify(node, own[k], rest[k]);
  }
}
// A state that goes round has one layout in all rounds, before and after. The weights of the body are those of every round.
void states(Discovery& d, const Node& node, const network::Graph& body, size_t count, size_t in,
            size_t body_in, size_t body_out) {
  for (size_t i = 0; i < count; ++i) {
    same(d, node, d.input(node, in + i), body.inputs[body_in + i]);
    same(d, node, body.inputs[body_in + i], body.outputs[body_out + i]);
    same(d, node, body.outputs[body_out + i], d.output(node, i));
  }
}
const network::Graph* swept_body(Discovery& d, const Node& node, size_t inputs, size_t outputs) {
  const network::Graph* body = node.body("body");
  if (!body || body->inputs.size() != inputs || body->outputs.size() < outputs ||
      node.outputs.size() > body->outputs.size())
    return nullptr;
  for (const int input : body->inputs) d.note_data(input);
  d.sweep(*body);
  return body;
}
// Inputs M, condition, states; the body's: round, condition, states; its outputs: condition, states, scanned.
void loop(Discovery& d, const Node& node) {
  if (node.inputs.size() < 2) return d.pin_all(node);
  const size_t count = node.inputs.size() - 2;
  const network::Graph* body = swept_body(d, node, count + 2, count + 1);
  if (!body) return d.pin_all(node);
  for (const size_t i : {0, 1}) {
    if (const int given = d.input(node, i); given != kNone) d.pin_value(given, d.why(node));
    d.pin_value(body->inputs[i], d.why(node));
  }
  d.pin_value(body->outputs[0], d.why(node));
  states(d, node, *body, count, 2, 2, 1);
  for (size_t i = count + 1; i < body->outputs.size(); ++i)
    sliced(d, node, d.output(node, i - 1), body->outputs[i], 0);
}
// Inputs states, scanned; outputs alike.
void scan(Discovery& d, const Node& node) {
  const auto scanned = static_cast<size_t>(std::max<int64_t>(node.attr_int("num_scan_inputs", 0), 0));
  if (scanned < 1 || scanned > node.inputs.size() || node.version < 9) return d.pin_all(node);
  const size_t count = node.inputs.size() - scanned;
  const network::Graph* body = swept_body(d, node, node.inputs.size(), count);
  if (!body) return d.pin_all(node);
  const auto axis = [&](const char* name, size_t i) {
    const auto axes = node.attr_ints(name);
    return axes && i < axes->size() ? (*axes)[i] : 0;
  };
  states(d, node, *body, count, 0, 0, 0);
  for (size_t i = 0; i < scanned; ++i)
    sliced(d, node, node.inputs[count + i], body->inputs[count + i], axis("scan_input_axes", i));
  for (size_t i = count; i < body->outputs.size(); ++i)
    sliced(d, node, d.output(node, i), body->outputs[i], axis("scan_output_axes", i - count));
}

constexpr RuleRow kRows[] = {{"If", branch}, {"Loop", loop}, {"Scan", scan}};

}  // namespace

std::span<const RuleRow> control_rules() {
  return kRows;
}

}  // namespace dws::symmetry
