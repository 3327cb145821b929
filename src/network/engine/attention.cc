// Attention in one operator: the standard's and com.microsoft's (network/ops/attention.cc says what each means).
#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/matmul.h"
#include "network/engine/attend.h"
#include "network/engine/plan.h"

namespace dws::network::engine {
namespace {

constexpr float kHidden = -std::numeric_limits<float>::infinity();

// A mask of every sample, stretched to (B, H, S, T).
struct MaskOf {
  int value = kNone;
  std::array<int64_t, 4> strides{};
  bool truth = false;
  float refused = kHidden;
};
MaskOf stretched(const Builder& b, int value) {
  MaskOf m{.value = value, .truth = !b.real(value)};
  const std::vector<int64_t>& dims = b.shape(value).dims;
  int64_t stride = 1;
  for (size_t k = dims.size(); k-- > 0;) {
    if (dims[k] != 1) m.strides[k + 4 - dims.size()] = stride;
    stride *= dims[k];
  }
  return m;
}

struct Attention {
  AttentionSizes sizes{};  // T: of all keys, the past ones too
  int64_t B = 0, P = 0;    // samples; keys of the past
  Operand q{}, k{}, v{}, y{};
  bool past = false;
  Operand past_k{}, past_v{};
  Operand joined_k{}, joined_v{};  // past, then new, by heads: what is handed on, or in scratch
  int bias = kNone;                // (H d, H d, H dv) on new queries, keys and values
  std::vector<MaskOf> masks{};
  bool causal = false;
  int there = kNone, listed = kNone;  // how many keys each sample has
  float unlisted = 0;
  int products = kNone, weights = kNone;
  int64_t scratch = 0;                        // floats in use by operands
  std::function<void(const Frame&)> first{};  // puts operands there

  int64_t fresh() const { return sizes.T - P; }
};

// Rows of all heads, joined: a sample's own in scratch where they are not handed on.
void room(Attention& a, bool joins, bool present, Operand& joined, int value, int64_t size, int64_t offset) {
  if (!joins) return;
  joined = by_heads(value, a.sizes.KV, a.sizes.T, size, offset);
  if (present) return;
  joined = by_heads(kNone, a.sizes.KV, a.sizes.T, size, a.scratch);
  joined.batch = 0;
  a.scratch += a.sizes.KV * a.sizes.T * size;
}

void run_sample(const Attention& a, const Frame& f, int64_t b, const Operand& biased, int64_t scratch) {
  const AttentionSizes& s = a.sizes;
  Rows<float> q = a.q.of(f, b), k = a.k.of(f, b), v = a.v.of(f, b);
  const float* bias = a.bias == kNone ? nullptr : f.in(a.bias);
  if (bias) {
    const Rows<float> to = biased.of(f, b);
    copy_rows(s.H, s.S, s.d, q, bias, to);
    q = to;
  }
  const auto join = [&](const Operand& joined, const Operand& past, Rows<float>& rows, int64_t size,
                        const float* add) {
    if (joined.row == 0) return;
    Rows<float> to = joined.of(f, b);
    if (a.past) copy_rows(s.KV, a.P, size, past.of(f, b), nullptr, to);
    copy_rows(s.KV, a.fresh(), size, rows, add, {to.of(0, a.P), to.head, to.row});
    rows = to;
  };
  join(a.joined_k, a.past_k, k, s.d, bias ? bias + s.H * s.d : nullptr);
  join(a.joined_v, a.past_v, v, s.dv, bias ? bias + 2 * s.H * s.d : nullptr);
  Sight sight;
  if (a.causal) sight.last = a.P;
  if (a.there != kNone) sight.there = static_cast<int64_t>(f.in(a.there)[b]);
  if (a.listed != kNone) sight.listed = static_cast<int64_t>(f.in(a.listed)[b]);
  sight.unlisted = a.unlisted;
  for (const MaskOf& m : a.masks)
    sight.masks.push_back({.at = f.in(m.value) + b * m.strides[0],
                           .head = m.strides[1],
                           .query = m.strides[2],
                           .key = m.strides[3],
                           .truth = m.truth,
                           .refused = m.refused});
  const auto scores = [&](int value) {
    return value == kNone ? nullptr : f.out(value) + b * s.H * s.S * s.T;
  };
  attend(s, q, k, v, sight, a.y.of(f, b), scores(a.products), scores(a.weights), f.scratch + scratch);
}

// `reads`: beside those of masks and lengths.
bool add_step(Builder& b, Attention a, std::vector<int> reads, std::vector<int> writes) {
  const AttentionSizes& s = a.sizes;
  Operand biased;
  if (a.bias != kNone) {
    biased = by_heads(kNone, s.H, s.S, s.d, a.scratch);
    biased.batch = 0;
    a.scratch += s.H * s.S * s.d;
    reads.push_back(a.bias);
  }
  for (const int v : {a.there, a.listed})
    if (v != kNone) reads.push_back(v);
  for (const MaskOf& m : a.masks) reads.push_back(m.value);
  for (const int v : {a.products, a.weights})
    if (v != kNone) writes.push_back(v);
  b.add_flops(2.0 * static_cast<double>(a.B * s.H * s.S) * static_cast<double>(s.T) *
              static_cast<double>(s.d + s.dv));
  const int64_t scratch = a.scratch;
  b.step({.reads = std::move(reads),
          .writes = std::move(writes),
          .scratch = scratch + attend_scratch(s),
          .work = [a, biased, scratch](const Frame& f) {
            if (a.first) a.first(f);
            for (int64_t sample = 0; sample < a.B; ++sample) run_sample(a, f, sample, biased, scratch);
          }});
  return true;
}

float scale_of(const Node& node, int64_t d) {
  const double given = node.attr_float("scale", 0);
  return static_cast<float>(given != 0 ? given : 1 / std::sqrt(static_cast<double>(d)));
}
void add_if(std::vector<int>& list, int value) {
  if (value != kNone) list.push_back(value);
}
// Past keys and values at `key` and behind it, those handed on at outputs 1 and 2.
void keep(const Builder& b, const Node& node, size_t key, Attention& a, std::vector<int>& reads,
          std::vector<int>& writes) {
  const int k = input_of(node, key), v = input_of(node, key + 1);
  AttentionSizes& s = a.sizes;
  a.past = k != kNone;
  if (a.past) {
    a.P = b.shape(k).dims[2];
    a.past_k = by_heads(k, s.KV, a.P, s.d);
    a.past_v = by_heads(v, s.KV, a.P, s.dv);
    reads.insert(reads.end(), {k, v});
  }
  s.T += a.P;
  const int present_k = output_of(node, 1), present_v = output_of(node, 2);
  const bool joins = a.past || a.bias != kNone;
  room(a, joins || present_k != kNone, present_k != kNone, a.joined_k, present_k, s.d, 0);
  room(a, joins || present_v != kNone, present_v != kNone, a.joined_v, present_v, s.dv, 0);
  add_if(writes, present_k);
  add_if(writes, present_v);
}

bool standard(Builder& b, const Node& node) {
  const int q = node.inputs.at(0), k = node.inputs.at(1), v = node.inputs.at(2), y = node.outputs.at(0);
  if (y == kNone) return false;
  const std::vector<int64_t>&queries = b.shape(q).dims, &keys = b.shape(k).dims, &values = b.shape(v).dims;
  const bool flat = queries.size() == 3;
  Attention a{.B = queries[0]};
  AttentionSizes& s = a.sizes;
  s.S = queries[flat ? 1 : 2], s.T = keys[flat ? 1 : 2];
  s.H = flat ? node.attr_int("q_num_heads", 1) : queries[1];
  s.KV = flat ? node.attr_int("kv_num_heads", 1) : keys[1];
  s.d = flat ? queries[2] / s.H : queries[3];
  s.dv = flat ? values[2] / s.KV : values[3];
  s.scale = scale_of(node, s.d);
  s.softcap = static_cast<float>(node.attr_float("softcap", 0));
  const auto operand = [&](int value, int64_t length, int64_t heads, int64_t size) {
    return flat ? within_rows(value, length, size, heads * size) : by_heads(value, heads, length, size);
  };
  a.q = operand(q, s.S, s.H, s.d);
  a.k = operand(k, s.T, s.KV, s.d);
  a.v = operand(v, s.T, s.KV, s.dv);
  a.y = operand(y, s.S, s.H, s.dv);
  a.causal = node.attr_int("is_causal", 0) != 0;
  a.there = input_of(node, 6);
  std::vector<int> reads = {q, k, v}, writes = {y};
  keep(b, node, 4, a, reads, writes);
  if (const int mask = input_of(node, 3); mask != kNone) a.masks.push_back(stretched(b, mask));
  (node.attr_int("qk_matmul_output_mode", 0) == 3 ? a.weights : a.products) = output_of(node, 3);
  return add_step(b, std::move(a), std::move(reads), std::move(writes));
}

// com.microsoft's masks of keys: (B) how many there are, (B, T), (B, S, T) or (B, 1, S, T) 0 where none is.
void mask_keys(const Builder& b, const Node& node, int value, Attention& a) {
  if (value == kNone) return;
  const auto filter = static_cast<float>(node.attr_float("mask_filter_value", -10000));
  const size_t rank = b.shape(value).dims.size();
  const int64_t T = a.sizes.T, S = a.sizes.S;
  if (rank == 1) {
    a.listed = value;
    a.unlisted = filter;
  } else {
    a.masks.push_back({.value = value,
                       .strides = {rank == 2 ? T : S * T, 0, rank == 2 ? 0 : T, 1},
                       .truth = true,
                       .refused = filter});
  }
}

bool multi_head(Builder& b, const Node& node) {
  const int q = node.inputs.at(0), y = node.outputs.at(0);
  if (y == kNone) return false;
  const std::vector<int64_t>& queries = b.shape(q).dims;
  const int64_t heads = node.attr_int("num_heads", 1);
  const bool all_packed = queries.size() == 5;
  const int k = all_packed ? q : node.inputs.at(1);
  const std::vector<int64_t>& keys = b.shape(k).dims;
  const bool pair_packed = !all_packed && keys.size() == 5, apart = !all_packed && keys.size() == 4;
  const int v = all_packed || pair_packed ? k : node.inputs.at(2);
  const int64_t last = b.shape(v).dims.back();
  Attention a{.B = queries[0], .bias = input_of(node, 3)};
  AttentionSizes& s = a.sizes;
  s.S = queries[1], s.T = keys[apart ? 2 : 1], s.H = s.KV = heads;
  s.d = all_packed ? queries[4] : queries[2] / heads;
  s.dv = all_packed || pair_packed || apart ? last : last / heads;
  s.scale = scale_of(node, s.d);
  // Part `at` of `parts` of each head.
  const auto operand = [&](int value, int64_t length, int64_t parts, int64_t at, int64_t size) {
    Operand o = within_rows(value, length, size * parts, heads * parts * size, at * size);
    return o;
  };
  a.q = operand(q, s.S, all_packed ? 3 : 1, 0, s.d);
  if (apart) {
    a.k = by_heads(k, heads, s.T, s.d);
    a.v = by_heads(v, heads, s.T, s.dv);
  } else {
    const int64_t parts = all_packed ? 3 : pair_packed ? 2 : 1;
    a.k = operand(k, s.T, parts, all_packed ? 1 : 0, s.d);
    a.v = operand(v, s.T, parts, parts - 1, s.dv);
  }
  a.y = within_rows(y, s.S, s.dv, heads * s.dv);
  a.causal = node.attr_int("unidirectional", 0) != 0;
  std::vector<int> reads = {q, k, v}, writes = {y};
  keep(b, node, 6, a, reads, writes);
  mask_keys(b, node, input_of(node, 4), a);
  if (const int mask = input_of(node, 5); mask != kNone) a.masks.push_back(stretched(b, mask));
  return add_step(b, std::move(a), std::move(reads), std::move(writes));
}

// The projections to queries, keys and values within it.
bool packed(Builder& b, const Node& node) {
  const int x = node.inputs.at(0), w = node.inputs.at(1), bias = input_of(node, 2), past = input_of(node, 4),
            y = node.outputs.at(0), present = output_of(node, 1);
  if (y == kNone) return false;
  const std::vector<int64_t>&dims = b.shape(x).dims, &weights = b.shape(w).dims;
  const int64_t heads = node.attr_int("num_heads", 1), third = weights[1] / 3, D = weights[0], N = weights[1];
  const std::vector<int64_t> widths =
      node.attr_ints("qkv_hidden_sizes").value_or(std::vector<int64_t>{third, third, third});
  Attention a{.B = dims[0]};
  AttentionSizes& s = a.sizes;
  s.S = s.T = dims[1], s.H = s.KV = heads, s.d = widths[0] / heads, s.dv = widths[2] / heads;
  s.scale = scale_of(node, s.d);
  a.q = within_rows(kNone, s.S, s.d, N);
  a.k = within_rows(kNone, s.S, s.d, N, widths[0]);
  a.v = within_rows(kNone, s.S, s.dv, N, widths[0] + widths[1]);
  a.y = within_rows(y, s.S, s.dv, widths[2]);
  a.causal = node.attr_int("unidirectional", 0) != 0;
  const int64_t M = a.B * s.S;
  a.scratch = M * N;
  a.first = [=](const Frame& f) {
    if (bias == kNone)
      kernels::matmul(M, N, D, f.in(x), D, int64_t{1}, f.in(w), N, f.scratch, N, false);
    else
      kernels::matmul_onto_rows(M, N, D, f.in(x), f.in(w), N, f.scratch, N, f.in(bias), int64_t{0},
                                std::max(M, int64_t{1}));
  };
  b.add_flops(2.0 * static_cast<double>(M * N) * static_cast<double>(D));
  std::vector<int> reads = {x, w}, writes = {y};
  add_if(reads, bias);
  if (past != kNone) {
    a.past = true;
    a.P = b.shape(past).dims[3];
    a.past_k = by_heads(past, heads, a.P, s.d);
    a.past_v = by_heads(past, heads, a.P, s.d, a.B * heads * a.P * s.d);
    reads.push_back(past);
  }
  s.T += a.P;
  const bool handed_on = present != kNone;
  room(a, a.past || handed_on, handed_on, a.joined_k, present, s.d, 0);
  room(a, a.past || handed_on, handed_on, a.joined_v, present, s.dv, a.B * heads * s.T * s.d);
  add_if(writes, present);
  mask_keys(b, node, input_of(node, 3), a);
  if (const int mask = input_of(node, 5); mask != kNone) a.masks.push_back(stretched(b, mask));
  return add_step(b, std::move(a), std::move(reads), std::move(writes));
}

}  // namespace

std::vector<PlannerRow> attention_planners() {
  return {{"Attention", standard},
          {"Attention", packed, "com.microsoft"},
          {"MultiHeadAttention", multi_head, "com.microsoft"}};
}

}  // namespace dws::network::engine
