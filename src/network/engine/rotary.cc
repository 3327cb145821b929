// Rotary embeddings, alone and within attention of grouped queries (network/ops/rotary.cc says what each means).
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "network/engine/attend.h"
#include "network/engine/plan.h"

namespace dws::network::engine {
namespace {

// Tables of cosines and sines, a row of `n` angles a position.
struct Angles {
  int cosines = kNone, sines = kNone;
  int64_t n = 0, rows = 0;
  bool interleaved = false;
  std::function<std::string()> where{};

  Angles() = default;
  Angles(const Builder& b, const Node& node, int cos_value, int sin_value, bool pairs)
      : cosines(cos_value), sines(sin_value), n(b.shape(cos_value).dims.back()), interleaved(pairs) {
    rows = n > 0 ? b.size(cos_value) / n : 0;
    where = [&b = b.network(), &node] { return text("{}: {}", one_line(b.file), node.where(b.values)); };
  }
  // `to` takes the `size` numbers of `from`, the first 2 n of them turned in pairs: (i, i + n), interleaved (2 i, 2 i + 1).
  void turn(const Frame& f, int64_t position, int64_t size, const float* from, float* to) const {
    if (position < 0 || position >= rows)
      throw Error(ErrorKind::bad_value, text("{}: position {} of {}", where(), position, rows));
    const float *c = f.in(cosines) + position * n, *s = f.in(sines) + position * n;
    if (interleaved)
      for (int64_t i = 0; i < n; ++i) {
        const float p = from[2 * i], q = from[2 * i + 1];
        to[2 * i] = p * c[i] - q * s[i];
        to[2 * i + 1] = p * s[i] + q * c[i];
      }
    else
      for (int64_t i = 0; i < n; ++i) {
        const float p = from[i], q = from[i + n];
        to[i] = p * c[i] - q * s[i];
        to[i + n] = p * s[i] + q * c[i];
      }
    std::copy(from + 2 * n, from + size, to + 2 * n);
  }
};

// Input (B, S, heads size) or (B, heads, S, size); the standard has the positions last, com.microsoft second.
bool rotary(Builder& b, const Node& node, size_t position_input, size_t cosines, size_t sines) {
  const int x = node.inputs.at(0), y = node.outputs.at(0), positions = input_of(node, position_input);
  const std::vector<int64_t>& dims = b.shape(x).dims;
  const Angles angles(b, node, node.inputs.at(cosines), node.inputs.at(sines),
                      node.attr_int("interleaved", 0) != 0);
  const bool flat = dims.size() == 3;
  const int64_t B = dims[0], S = dims[flat ? 1 : 2], named = node.attr_int("num_heads", 0);
  const int64_t size = !flat ? dims[3] : named > 0 ? dims[2] / named : 2 * angles.n;
  const int64_t heads = flat ? dims[2] / size : dims[1];
  std::vector<int> reads = {x, angles.cosines, angles.sines};
  const bool given = positions != kNone;
  if (given) reads.push_back(positions);
  const bool one = given && b.size(positions) == 1 && node.domain == "com.microsoft";
  const Operand from = flat ? within_rows(x, S, size, heads * size) : by_heads(x, heads, S, size);
  Operand to = from;
  to.value = y;
  b.step({.reads = reads, .writes = {y}, .work = [=](const Frame& f) {
            for (int64_t sample = 0; sample < B; ++sample) {
              const Rows<float> in = from.of(f, sample), out = to.of(f, sample);
              for (int64_t s = 0; s < S; ++s) {
                const int64_t own = sample * S + s;
                const int64_t at = !given ? own
                                   : one  ? static_cast<int64_t>(f.in(positions)[0]) + s
                                          : static_cast<int64_t>(f.in(positions)[own]);
                for (int64_t h = 0; h < heads; ++h) angles.turn(f, at, size, in.of(h, s), out.of(h, s));
              }
            }
          }});
  return true;
}

// Attention of grouped queries behind a cache: a query sees the keys up to its own place.
struct Grouped {
  AttentionSizes sizes{};  // T: keys handed on
  int64_t B = 0, P = 0;    // samples; keys of the cache as it is given
  bool first_step = false;
  Operand q{}, k{}, v{}, past_k{}, past_v{}, all_k{}, all_v{}, y{};
  int lengths = kNone, positions = kNone;
  bool turned = false;
  Angles angles{};
  std::function<std::string()> where{};

  void run_sample(const Frame& f, int64_t b, int64_t scratch) const;
};

void Grouped::run_sample(const Frame& f, int64_t b, int64_t scratch) const {
  const AttentionSizes& s = sizes;
  const Rows<float> fresh_k = k.of(f, b), fresh_v = v.of(f, b), keys = all_k.of(f, b),
                    values = all_v.of(f, b);
  const Rows<float> out = y.of(f, b);
  // The first step may be padded: its sequences begin at 0, however long they are.
  const int64_t all = static_cast<int64_t>(f.in(lengths)[b]) + 1, before = first_step ? 0 : all - s.S;
  if (before < 0 || before > P || before + s.S > s.T)
    throw Error(ErrorKind::bad_value,
                text("{}: {} keys in all, {} of them new, beside {} kept", where(), all, s.S, P));
  for (int64_t h = 0; h < s.KV; ++h)
    for (const auto& [kept, past] : {std::pair(&keys, &past_k), std::pair(&values, &past_v)}) {
      if (before > 0)
        copy_rows(1, before, s.d, {past->of(f, b).of(h, 0), 0, s.d}, nullptr, {kept->of(h, 0), 0, s.d});
      std::fill(kept->of(h, before + s.S), kept->of(h, s.T), 0.0f);
    }
  copy_rows(s.KV, s.S, s.d, fresh_v, nullptr, {values.of(0, before), values.head, values.row});
  Rows<float> queries = q.of(f, b);
  if (turned) {
    const Rows<float> to{f.scratch + scratch, s.S * s.d, s.d};
    for (int64_t i = 0; i < s.S; ++i) {
      const int64_t at = positions == kNone ? before + i : static_cast<int64_t>(f.in(positions)[b * s.S + i]);
      for (int64_t h = 0; h < s.H; ++h) angles.turn(f, at, s.d, queries.of(h, i), to.of(h, i));
      for (int64_t h = 0; h < s.KV; ++h) angles.turn(f, at, s.d, fresh_k.of(h, i), keys.of(h, before + i));
    }
    queries = to;
    scratch += s.H * s.S * s.d;
  } else {
    copy_rows(s.KV, s.S, s.d, fresh_k, nullptr, {keys.of(0, before), keys.head, keys.row});
  }
  attend(s, queries, keys, values, {.last = before}, out, nullptr, nullptr, f.scratch + scratch);
}

bool grouped_query(Builder& b, const Node& node) {
  const int q = node.inputs.at(0), k = input_of(node, 1), v = input_of(node, 2), past_k = input_of(node, 3),
            past_v = input_of(node, 4), total = input_of(node, 6), y = node.outputs.at(0);
  const ArrayPtr in_all = total == kNone ? nullptr : b.integers(total);
  if (y == kNone || !in_all || in_all->size() != 1) return false;
  const std::vector<int64_t>& dims = b.shape(q).dims;
  Grouped g{.B = dims[0], .lengths = input_of(node, 5)};
  AttentionSizes& s = g.sizes;
  s.H = node.attr_int("num_heads", 1), s.KV = node.attr_int("kv_num_heads", 1), s.S = dims[1];
  const bool packed = k == kNone;
  const int64_t slots = packed ? s.H + 2 * s.KV : s.H;
  s.d = s.dv = dims[2] / slots;
  g.P = past_k == kNone ? 0 : b.shape(past_k).dims[2];
  s.T = std::max(g.P, in_all->ints[0]);
  g.first_step = in_all->ints[0] == s.S;
  const double scale = node.attr_float("scale", 0);
  s.scale = static_cast<float>(scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(s.d)));
  s.softcap = static_cast<float>(node.attr_float("softcap", 0));
  g.q = within_rows(q, s.S, s.d, slots * s.d);
  g.k = packed ? within_rows(q, s.S, s.d, slots * s.d, s.H * s.d) : within_rows(k, s.S, s.d, s.KV * s.d);
  g.v = packed ? within_rows(q, s.S, s.d, slots * s.d, (s.H + s.KV) * s.d)
               : within_rows(v, s.S, s.d, s.KV * s.d);
  g.y = within_rows(y, s.S, s.d, s.H * s.d);
  std::vector<int> reads = {q, g.lengths}, writes = {y};
  if (!packed) reads.insert(reads.end(), {k, v});
  if (past_k != kNone) {
    reads.insert(reads.end(), {past_k, past_v});
    g.past_k = by_heads(past_k, s.KV, g.P, s.d);
    g.past_v = by_heads(past_v, s.KV, g.P, s.d);
  }
  int64_t scratch = 0;
  for (const auto& [to, output] : {std::pair(&g.all_k, 1), std::pair(&g.all_v, 2)}) {
    const int kept = output_of(node, static_cast<size_t>(output));
    *to = by_heads(kept, s.KV, s.T, s.d, kept == kNone ? scratch : 0);
    if (kept != kNone) {
      writes.push_back(kept);
      continue;
    }
    to->batch = 0;
    scratch += s.KV * s.T * s.d;
  }
  g.turned = node.attr_int("do_rotary", 0) != 0;
  if (g.turned) {
    g.angles =
        Angles(b, node, node.inputs.at(7), node.inputs.at(8), node.attr_int("rotary_interleaved", 0) != 0);
    reads.insert(reads.end(), {g.angles.cosines, g.angles.sines});
    const int positions = input_of(node, 9);
    if (positions != kNone && b.size(positions) == g.B * s.S) {
      g.positions = positions;
      reads.push_back(positions);
    }
  }
  g.where = [&net = b.network(), &node] {
    return text("{}: {}", one_line(net.file), node.where(net.values));
  };
  b.add_flops(4.0 * static_cast<double>(g.B * s.H * s.S) * static_cast<double>(s.T * s.d));
  b.step({.reads = reads,
          .writes = writes,
          .scratch = scratch + s.H * s.S * s.d + attend_scratch(s),
          .work = [g, scratch](const Frame& f) {
            for (int64_t sample = 0; sample < g.B; ++sample) g.run_sample(f, sample, scratch);
          }});
  return true;
}

}  // namespace

std::vector<PlannerRow> rotary_planners() {
  return {{"RotaryEmbedding", [](Builder& b, const Node& node) { return rotary(b, node, 3, 1, 2); }},
          {"RotaryEmbedding", [](Builder& b, const Node& node) { return rotary(b, node, 1, 2, 3); },
           "com.microsoft"},
          {"GroupQueryAttention", grouped_query, "com.microsoft"}};
}

}  // namespace dws::network::engine
