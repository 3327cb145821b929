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
    return s.inverse(s.all_at(node.inputs[0], 2), s.all_at(node.inputs[1], 0));
  }
  if (mixed || (!of_scores && !of_values)) return s.one_all(node);
  const bool both = of_scores && of_values;  // keys and values in one array
  if (both && packed) return s.one_all(node);
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
  // What is kept of earlier steps, and handed on, is as the new ones.
  const auto keep = [&](int own, size_t past, size_t present) {
    for (const int other : {d.input(node, past), d.output(node, present)})
      if (other != kNone) s.same(own, at(other));
  };
  const int bias = multi ? d.input(node, 3) : kNone;
  const std::vector<int> biases = bias == kNone ? std::vector<int>{} : all(bias, 0);
  if (bias != kNone && (both || biases.size() != (of_scores ? 2u : 1u))) return s.one_all(node);
  if (of_scores && !both && query == key) {  // behind one another on one axis
    const auto parts = all(query, d.rank(query) - 1);
    if (parts.size() != 2) return s.one_all(node);
    s.inverse(parts[0], parts[1]);
    keep(parts[1], past_key, 1);
  } else if (of_scores) {
    s.inverse(at(query), at(key));
    keep(at(key), past_key, 1);
    if (bias != kNone) s.same({at(query), at(key)}, biases);
  }
  if (of_values) {
    s.same(at(value), at(node.outputs[0]));
    keep(at(value), past_key + 1, 2);
    if (bias != kNone) s.same(at(value), biases[0]);
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
