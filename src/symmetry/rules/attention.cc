// Attention in one operator: heads, and what is within a head, as the operators it stands for would give them.
#include "symmetry/rules/attention.h"

#include <algorithm>

#include "symmetry/rules/families.h"

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;
using Side = AttentionParts::Side;

// (B, L, heads size)
std::optional<Side> within(Discovery& d, FactorId batch, FactorId length, FactorId width, int64_t heads) {
  const auto halves = d.factors.divide(width, heads);
  if (!halves) return {};
  return Side{batch, length, halves->first, halves->second};
}
std::optional<Side> flat_side(Discovery& d, int value, int64_t heads) {
  const Axes x = d.axes(value);
  if (x.size() != 3) return {};
  return within(d, x[0], x[1], x[2], heads);
}
std::optional<Side> side_of(Discovery& d, int value, int64_t heads) {
  const Axes x = d.axes(value);
  if (x.size() == 4) return Side{x[0], x[2], x[1], x[3]};
  return flat_side(d, value, heads);
}
std::optional<AttentionParts> parts_if(const std::optional<Side>& q, const std::optional<Side>& k,
                                       const std::optional<Side>& v, bool flat = true) {
  if (!q || !k || !v) return {};
  return AttentionParts{*q, *k, *v, flat};
}
// An axis of three parts one behind the other.
std::optional<std::array<FactorId, 3>> thirds(Discovery& d, FactorId f, int64_t first, int64_t second) {
  const auto front = d.factors.split(f, first);
  if (!front) return {};
  const auto rest = d.factors.split(front->second, second);
  if (!rest) return {};
  return std::array<FactorId, 3>{front->first, rest->first, rest->second};
}

std::optional<AttentionParts> standard_parts(Discovery& d, const Node& node) {
  const int64_t heads = node.attr_int("q_num_heads", 0), kv = node.attr_int("kv_num_heads", 0);
  const int q = d.input(node, 0), k = d.input(node, 1), v = d.input(node, 2);
  if (k == kNone || v == kNone) return {};
  const bool flat = d.rank(q) == 3;
  if (flat && (heads <= 0 || kv <= 0)) return {};
  return parts_if(side_of(d, q, heads), side_of(d, k, kv), side_of(d, v, kv), flat);
}
std::optional<AttentionParts> multi_head_parts(Discovery& d, const Node& node) {
  const int64_t heads = node.attr_int("num_heads", 0);
  const int q = d.input(node, 0), k = d.input(node, 1), v = d.input(node, 2);
  if (heads <= 0) return {};
  // (B, L, heads, 2 or 3, size): the parts are no axis of the network's.
  const auto packed = [&](int value) {
    const Axes x = d.axes(value);
    d.pin(node, x[3]);
    return Side{x[0], x[1], x[2], x[4]};
  };
  if (d.rank(q) == 5) return AttentionParts{packed(q), packed(q), packed(q)};
  if (k == kNone) return {};
  if (d.rank(k) == 5) return parts_if(flat_side(d, q, heads), packed(k), packed(k));
  if (v == kNone) return {};
  return parts_if(flat_side(d, q, heads), side_of(d, k, heads), side_of(d, v, heads));
}
std::optional<AttentionParts> packed_parts(Discovery& d, const Node& node) {
  const int64_t heads = node.attr_int("num_heads", 0);
  const int w = d.input(node, 1);
  if (w == kNone || d.rank(w) != 2 || d.rank(node.inputs[0]) != 3 || heads <= 0) return {};
  const Axes x = d.axes(node.inputs[0]);
  const int64_t third = d.dims(w)[1] / 3;
  const std::vector<int64_t> widths =
      node.attr_ints("qkv_hidden_sizes").value_or(std::vector<int64_t>{third, third, third});
  if (widths.size() != 3) return {};
  const auto columns = thirds(d, d.axis(w, 1), widths[0], widths[1]);
  if (!columns) return {};
  const auto& [q, k, v] = *columns;
  return parts_if(within(d, x[0], x[1], q, heads), within(d, x[0], x[1], k, heads),
                  within(d, x[0], x[1], v, heads));
}
std::optional<AttentionParts> grouped_parts(Discovery& d, const Node& node) {
  const int64_t heads = node.attr_int("num_heads", 0), kv = node.attr_int("kv_num_heads", 0);
  const int q = node.inputs[0], k = d.input(node, 1), v = d.input(node, 2);
  if (heads <= 0 || kv <= 0 || d.rank(q) != 3) return {};
  if (k != kNone && v != kNone)
    return parts_if(flat_side(d, q, heads), flat_side(d, k, kv), flat_side(d, v, kv));
  const Axes x = d.axes(q);
  const int64_t size = d.dims(q)[2] / (heads + 2 * kv);
  const auto columns = thirds(d, x[2], heads * size, kv * size);
  if (!columns) return {};
  return parts_if(within(d, x[0], x[1], (*columns)[0], heads), within(d, x[0], x[1], (*columns)[1], kv),
                  within(d, x[0], x[1], (*columns)[2], kv));
}

// What must hold of every attention: sums over the numbers of a head and over the keys are the same whatever their order, and
// that order is one for all that the others run over.
void join(Discovery& d, const Node& node, const AttentionParts& p) {
  const auto& [q, k, v, flat] = p;
  d.unify(node, q.batch, k.batch);
  d.unify(node, k.batch, v.batch);
  d.unify(node, k.length, v.length);
  d.unify(node, k.heads, v.heads);
  d.unify(node, q.size, k.size);
  // Several heads in a row share one of the keys'.
  const auto groups = d.factors.divide(q.heads, std::max<int64_t>(d.factors.size(k.heads), 1));
  d.unify(node, groups ? groups->first : q.heads, k.heads);
  for (const FactorId summed : {q.size, k.length, v.size})
    d.contract(summed, {q.batch, q.length, q.heads, q.size, k.length, k.heads, v.size}, {q.length, k.length});
  d.contract(k.length, {}, {v.size});
}
// A mask or bias is stretched to the scores.
void along_scores(Discovery& d, const Node& node, int value, const Axes& scores) {
  if (value == kNone) return;
  const Axes own = d.axes(value);
  if (own.size() > scores.size()) return d.pin_value(value, d.why(node));
  for (size_t i = 0; i < own.size(); ++i)
    d.unify_stretched(node, scores[scores.size() - 1 - i], own[own.size() - 1 - i]);
}
// Keys or values of earlier steps, (B, heads, P, size), stand before the new ones: the keys in all.
FactorId after_past(Discovery& d, const Node& node, const AttentionParts& p, int key, int value) {
  if (key == kNone || value == kNone) return p.key.length;
  const Axes k = d.axes(key), v = d.axes(value);
  if (k.size() != 4 || v.size() != 4) {
    d.pin_value(key, d.why(node));
    d.pin_value(value, d.why(node));
    return d.factors.sum({d.pinned(node, 0), p.key.length});
  }
  for (const auto& [own, side] : {std::pair(&k, &p.key), std::pair(&v, &p.value)}) {
    d.unify(node, (*own)[0], side->batch);
    d.unify(node, (*own)[1], side->heads);
    d.unify(node, (*own)[3], side->size);
    for (const FactorId other : {p.query.batch, p.query.length, p.query.heads, side->size})
      d.forbid(other, (*own)[2]);
  }
  d.unify(node, k[2], v[2]);
  return d.factors.sum({k[2], p.key.length});
}
void outputs(Discovery& d, const Node& node, const AttentionParts& p, FactorId keys) {
  const auto& [q, k, v, flat] = p;
  d.make(node, d.output(node, 0),
         flat ? Axes{q.batch, q.length, d.factors.product({q.heads, v.size})}
              : Axes{q.batch, q.heads, q.length, v.size});
  d.make(node, d.output(node, 1), {k.batch, k.heads, keys, k.size});
  d.make(node, d.output(node, 2), {v.batch, v.heads, keys, v.size});
}
// Inputs of which nothing is known here.
bool given_after(const Node& node, size_t known) {
  return node.inputs.size() > known &&
         std::any_of(node.inputs.begin() + static_cast<std::ptrdiff_t>(known), node.inputs.end(),
                     [](int value) { return value != kNone; });
}
void pin_given(Discovery& d, const Node& node, size_t first, size_t last) {
  for (size_t i = first; i < last; ++i)
    if (const int value = d.input(node, i); value != kNone) d.pin_value(value, d.why(node));
}
// The first numbers of a head are turned in pairs by angles: a pair cannot be torn, and each has its own angle.
void turned(Discovery& d, const Node& node, FactorId size, int cosines) {
  const int64_t n =
      cosines == kNone || d.rank(cosines) < 1 ? d.factors.size(size) : 2 * d.dims(cosines).back();
  const auto halves = d.factors.split(size, std::min(n, d.factors.size(size)));
  d.pin(node, halves ? halves->first : size);
}

void attention(Discovery& d, const Node& node) {
  const auto p = attention_parts(d, node);
  if (!p) return d.pin_all(node);
  join(d, node, *p);
  const FactorId keys = after_past(d, node, *p, d.input(node, 4), d.input(node, 5));
  if (node.attr_int("is_causal", 0) || d.input(node, 6) != kNone) {
    d.pin(node, p->query.length);
    d.pin(node, keys);
    pin_given(d, node, 6, 7);
  }
  const Axes scores = {p->query.batch, p->query.heads, p->query.length, keys};
  along_scores(d, node, d.input(node, 3), scores);
  outputs(d, node, *p, keys);
  d.make(node, d.output(node, 3), scores);
}

// Masks of keys count them, or say yes or no to each: nothing is said of their order.
void masked(Discovery& d, const Node& node, const AttentionParts& p, FactorId keys, size_t mask) {
  const bool causal = node.attr_int("unidirectional", 0) != 0;
  if (d.input(node, mask) == kNone && !causal) return;
  pin_given(d, node, mask, mask + 1);
  d.pin(node, keys);
  d.pin(node, p.query.length);
  if (d.input(node, mask) != kNone) d.pin(node, p.query.batch);
}
void multi_head(Discovery& d, const Node& node) {
  const auto p = attention_parts(d, node);
  if (!p || given_after(node, 8)) return d.pin_all(node);
  join(d, node, *p);
  if (const int bias = d.input(node, 3); bias != kNone) {
    const auto& [q, k, v, flat] = *p;
    const FactorId rows =
        d.factors.sum({d.factors.product({q.heads, q.size}), d.factors.product({k.heads, k.size}),
                       d.factors.product({v.heads, v.size})});
    if (d.rank(bias) != 1) return d.pin_all(node);
    d.unify(node, d.axis(bias, 0), rows);
  }
  const FactorId keys = after_past(d, node, *p, d.input(node, 6), d.input(node, 7));
  masked(d, node, *p, keys, 4);
  along_scores(d, node, d.input(node, 5), {p->query.batch, p->query.heads, p->query.length, keys});
  outputs(d, node, *p, keys);
}
void packed_attention(Discovery& d, const Node& node) {
  const auto p = attention_parts(d, node);
  if (!p || node.attr_int("do_rotary", 0) || given_after(node, 6)) return d.pin_all(node);
  const int w = node.inputs[1];
  d.unify(node, d.axis(node.inputs[0], 2), d.axis(w, 0));
  const Axes apart = {p->query.batch, p->query.length, d.axis(w, 1)};
  d.contract(d.axis(w, 0), apart, apart);
  join(d, node, *p);
  if (const int bias = d.input(node, 2); bias != kNone) {
    if (d.rank(bias) != 1) return d.pin_all(node);
    d.unify(node, d.axis(bias, 0), d.axis(w, 1));
  }
  // Keys and values kept in one array (2, B, heads, P, size).
  if (d.input(node, 4) != kNone || d.output(node, 1) != kNone) {
    pin_given(d, node, 4, 5);
    for (const FactorId f : {p->key.length, p->key.heads, p->key.size, p->value.size, p->key.batch})
      d.pin(node, f);
    if (d.output(node, 1) != kNone) d.pin_value(node.outputs[1], d.why(node));
    d.pin(node, p->query.heads);
  }
  masked(d, node, *p, p->key.length, 3);
  if (d.input(node, 4) == kNone)
    along_scores(d, node, d.input(node, 5), {p->query.batch, p->query.heads, p->query.length, p->key.length});
  else
    pin_given(d, node, 5, 6);
  d.make(node, d.output(node, 0),
         {p->query.batch, p->query.length, d.factors.product({p->query.heads, p->value.size})});
}
void grouped(Discovery& d, const Node& node) {
  const auto p = attention_parts(d, node);
  if (!p || given_after(node, 10)) return d.pin_all(node);
  join(d, node, *p);
  d.pin(node, p->query.length);
  d.pin(node, p->key.length);
  after_past(d, node, *p, d.input(node, 3), d.input(node, 4));
  for (const size_t i : {3, 4})
    if (const int past = d.input(node, i); past != kNone && d.rank(past) == 4) d.pin(node, d.axis(past, 2));
  pin_given(d, node, 5, 10);
  if (node.attr_int("do_rotary", 0)) turned(d, node, p->query.size, d.input(node, 7));
  const int present = d.output(node, 1);
  outputs(d, node, *p,
          d.known(present) && d.rank(present) == 4 ? d.pinned(node, d.dims(present)[2]) : p->key.length);
}

// Positions last in the standard, second in com.microsoft.
void rotary(Discovery& d, const Node& node) {
  const bool standard = node.domain.empty();
  const Axes x = d.axes(node.inputs[0]);
  const int cosines = d.input(node, standard ? 1 : 2);
  if ((x.size() != 3 && x.size() != 4) || cosines == kNone || d.rank(cosines) < 1) return d.pin_all(node);
  pin_given(d, node, 1, node.inputs.size());
  d.pin(node, x[x.size() == 3 ? 1 : 2]);
  if (standard || d.input(node, 1) == kNone || d.dims(node.inputs[1]).size() > 1) d.pin(node, x[0]);
  FactorId size = x.back();
  std::optional<FactorId> heads;
  if (x.size() == 3) {
    const int64_t named = node.attr_int("num_heads", 0), angles = 2 * d.dims(cosines).back();
    const int64_t count = named > 0 ? named : angles > 0 ? d.factors.size(x[2]) / angles : 0;
    const auto halves = d.factors.divide(x[2], count);
    if (!halves) return d.pin_all(node);
    heads = halves->first;
    size = halves->second;
  }
  turned(d, node, size, cosines);
  for (size_t k = 0; k + 1 < x.size(); ++k) d.forbid(x[k], size);
  if (heads) d.forbid(*heads, size);
  d.make(node, d.output(node, 0), x);
}

constexpr RuleRow kRows[] = {
    {"Attention", attention},
    {"Attention", packed_attention, "com.microsoft"},
    {"MultiHeadAttention", multi_head, "com.microsoft"},
    {"GroupQueryAttention", grouped, "com.microsoft"},
    {"RotaryEmbedding", rotary},
    {"RotaryEmbedding", rotary, "com.microsoft"},
};

}  // namespace

std::optional<AttentionParts> attention_parts(Discovery& d, const Node& node) {
  if (node.domain.empty()) return standard_parts(d, node);
  if (node.op == "Attention") return packed_parts(d, node);
  return node.op == "GroupQueryAttention" ? grouped_parts(d, node) : multi_head_parts(d, node);
}

std::span<const RuleRow> attention_rules() {
  return kRows;
}

}  // namespace dws::symmetry
