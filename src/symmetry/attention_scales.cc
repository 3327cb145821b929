// What attention in one operator, and products with a weight in blocks, do to scales.
#include <algorithm>

#include "symmetry/rules/attention.h"
#include "symmetry/scale_rules.h"

namespace dws::symmetry {

using network::kNone;
using network::Node;

// Queries times s and keys divided by it give the same scores; values go through, times whatever they are. Of com.microsoft's
// packed operator the weight and bias are the projections themselves.
void attention_scale(LeafScales& s, const Node& node) {
  Discovery& d = s.discovery();
  const auto p = attention_parts(d, node);
  if (!p) return s.one_all(node);
  const auto in = [&](FactorId f) { return std::ranges::count(d.factors.leaves(f), s.leaf()); };
  const auto& [q, k, v, flat] = *p;
  const bool of_scores = in(q.size) + in(k.size) > 0, of_values = in(v.size) > 0;
  const auto elsewhere = [&](FactorId f) { return in(f) > 0; };
  const bool mixed = std::ranges::any_of(std::vector<FactorId>{q.batch, q.length, q.heads, k.batch, k.length,
                                                               k.heads, v.batch, v.length, v.heads},
                                         elsewhere);
  const bool packed = node.op == "Attention" && !node.domain.empty();
  // The leaf as the packed operator's input: as the summed axis of a product.
  if (packed && !of_scores && !of_values && !mixed) {
    const int x = s.at(node.inputs[0], 2), w = s.at(node.inputs[1], 0);
    return s.inverse(x, w);
  }
  if (mixed || (!of_scores && !of_values)) return s.one_all(node);
  // Of queries, keys and values that lie in one array: signs go through both sums.
  const bool both = of_scores && of_values;
  if (both) {
    for (const auto* list : {&node.inputs, &node.outputs})
      for (const int value : *list)
        for (const LeafScales::Place& place : s.places(value)) s.positive.one(place.unknown);
    if (packed || d.input(node, 3) != kNone) return s.one_all(node);
  }
  const auto all = [&](int value, int axis) { return s.all_at(value, axis); };
  if (packed) {
    const int w = node.inputs[1], bias = d.input(node, 2);
    if (!all(node.inputs[0], 2).empty() || d.input(node, 4) != kNone || d.output(node, 1) != kNone)
      return s.one_all(node);
    const std::vector<int> columns = all(w, 1), out = all(node.outputs[0], 2);
    if (bias != kNone) s.same(columns, all(bias, 0));
    if (of_values) return s.same(columns, out);
    return columns.size() == 2 && out.empty() ? s.inverse(columns[0], columns[1]) : s.one_all(node);
  }
  // All the places of the leaf in a value; one each.
  const auto at = [&](int value) {
    if (value == kNone) return kNone;
    const auto& places = s.places(value);
    if (places.size() > 1) s.one_all(node);
    return places.empty() ? kNone : places.front().unknown;
  };
  const bool standard = node.domain.empty(), multi = node.op == "MultiHeadAttention";
  const int query = node.inputs[0], key = d.input(node, 1) == kNone ? query : node.inputs[1],
            value = d.input(node, 2) == kNone ? key : node.inputs[2];
  const size_t past_key = standard ? 4 : multi ? 6 : 3;
  const int past = d.input(node, of_scores ? past_key : past_key + 1),
            kept = d.output(node, of_scores ? 1 : 2);
  const int inside = query == key && of_scores && !both ? kNone : of_scores ? at(key) : at(value);
  // Queries and keys behind one another on one axis.
  const bool one_array = query == key && of_scores && !both;
  if (one_array) {
    const auto parts = all(query, d.rank(query) - 1);
    if (parts.size() != 2) return s.one_all(node);
    for (const int before : {past, kept})
      if (before != kNone) s.same(parts[1], at(before));
    return s.inverse(parts[0], parts[1]);
  }
  if (of_scores) s.inverse(at(query), inside);
  if (both) s.same(inside, at(value));
  if (of_values) s.same(at(value), at(node.outputs[0]));
  if (both && (past != kNone || d.output(node, 1) != kNone)) return s.one_all(node);
  if (past != kNone) s.same(inside, at(past));
  if (kept != kNone) s.same(inside, at(kept));
  if (multi && d.input(node, 3) != kNone) {
    const auto parts = all(node.inputs[3], 0);
    if (of_scores && parts.size() == 2)
      s.same({at(query), inside}, parts);
    else if (of_values && parts.size() == 1)
      s.same(inside, parts[0]);
    else
      s.one_all(node);
  }
  const size_t mask = standard ? 3 : 5;
  if (!(node.op == "GroupQueryAttention") && at(d.input(node, mask)) != kNone) s.one_all(node);
}

// y (.., N) = x (.., K) W^T with W = scales (bytes - zero): what a row or a block is multiplied by is its scales'.
void matmul_nbits_scale(LeafScales& s, const Node& node) {
  Discovery& d = s.discovery();
  const int x = node.inputs[0], scales = d.input(node, 2), y = node.outputs[0];
  if (s.places(x).size() > 1 || s.places(y).size() > 1 || s.places(scales).size() > 1) return s.one_all(node);
  const int in = s.at(x, d.rank(x) - 1), out = d.known(y) ? s.at(y, d.rank(y) - 1) : kNone;
  const int own = s.places(scales).empty() ? kNone : s.places(scales).front().unknown;
  if (in != kNone && out != kNone) return s.one_all(node);
  if (in == kNone && out == kNone) {  // along the batch
    const int bx = s.places(x).empty() ? kNone : s.places(x).front().unknown;
    const int by = s.places(y).empty() ? kNone : s.places(y).front().unknown;
    return d.input(node, 5) == kNone ? s.same(bx, by) : s.one_all(node);
  }
  if (in != kNone) return s.inverse(in, own);
  s.same(out, own);
  if (const int bias = d.input(node, 5); bias != kNone) s.same(out, s.at(bias, 0));
}

}  // namespace dws::symmetry
