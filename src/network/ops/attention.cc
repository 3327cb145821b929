// Attention in one operator: the standard's (operator set 23) and com.microsoft's, and rotary embeddings.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/shape.h"
#include "core/text.h"
#include "network/ops/broadcast.h"
#include "network/ops/families.h"
#include "network/ops/heads.h"

namespace dws::network {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// How large everything is. P: kept from before, T: new keys, d and dv: numbers of a head.
struct Sizes {
  int64_t B = 0, S = 0, T = 0, P = 0, H = 0, KV = 0, d = 0, dv = 0;
  std::vector<int64_t> scores() const { return {B, H, S, P + T}; }
};
void check(const Context& c, const Sizes& s) {
  c.require(s.H > 0 && s.KV > 0 && s.H % s.KV == 0, "the heads of queries are no multiple of those of keys");
  c.require(s.d > 0 && s.dv > 0, "heads of no size");
}
// Of inputs (B, heads, P, size); false where there are none.
bool past(const Context& c, Sizes& s, int key, int value) {
  if (!c.has(key)) return false;
  const Array &k = c.in(key), &v = c.in(value);
  c.require(k.real() && v.real() && k.rank() == 4 && v.rank() == 4,
            "past keys and values: expected (B, heads, P, size)");
  s.P = k.dims[2];
  if (k.dims != std::vector<int64_t>{s.B, s.KV, s.P, s.d} ||
      v.dims != std::vector<int64_t>{s.B, s.KV, s.P, s.dv})
    c.fail(text("past keys {} and values {} beside {} heads of {} and {}", shape_text(k.dims),
                shape_text(v.dims), s.KV, s.d, s.dv));
  return true;
}
double default_scale(const Context& c, int64_t d) {
  const double given = c.node().attr_float("scale", 0);
  return given != 0 ? given : 1 / std::sqrt(static_cast<double>(d));
}
// An array stretched to the scores: its number at (b, h, s, t).
struct Bias {
  const Array* a = nullptr;
  std::vector<int64_t> strides{};
  double refused = -kInfinity;  // where a boolean or integer is 0
  Bias() = default;
  Bias(const Context& c, int input, const std::vector<int64_t>& scores) {
    if (!c.has(input)) return;
    a = &c.in(input);
    if (a->rank() > 4 || broadcast_dims(c, scores, a->dims) != scores)
      c.fail(text("a mask {} does not stretch to {}", shape_text(a->dims), shape_text(scores)));
    strides.assign(4, 0);
    int64_t stride = 1;
    for (int k = a->rank() - 1; k >= 0; --k) {
      const int64_t extent = a->dims[static_cast<size_t>(k)];
      if (extent != 1) strides[static_cast<size_t>(k + 4 - a->rank())] = stride;
      stride *= extent;
    }
  }
  double at(int64_t b, int64_t h, int64_t s, int64_t t) const {
    if (!a) return 0;
    const auto i = static_cast<size_t>(b * strides[0] + h * strides[1] + s * strides[2] + t * strides[3]);
    return a->real() ? a->reals[i] : a->ints[i] ? 0 : refused;
  }
};

void present(Context& c, int output, const Heads* heads, OnnxType type, std::vector<int64_t> dims) {
  if (!c.wants(output)) return;
  Array& y = c.make(output, type, std::move(dims));
  if (heads && c.computing()) y.reals = heads->x;
}

// ONNX's own: Q, K, V of three axes (B, S, heads size) or four (B, heads, S, size). A soft cap before the mask, and rows that see
// nothing 0, as the standard's corrected definition has it.
void attention(Context& c) {
  const Array &q = c.in(0), &k = c.in(1), &v = c.in(2);
  const bool flat = q.rank() == 3;
  c.require(q.real() && k.real() && v.real() && (flat || q.rank() == 4) && k.rank() == q.rank() &&
                v.rank() == q.rank(),
            "expected queries, keys and values of three or of four axes");
  Sizes s{.B = q.dims[0],
          .S = q.dims[flat ? 1 : 2],
          .T = k.dims[flat ? 1 : 2],
          .H = flat ? c.node().attr_int("q_num_heads", 0) : q.dims[1],
          .KV = flat ? c.node().attr_int("kv_num_heads", 0) : k.dims[1]};
  c.require(s.H > 0 && s.KV > 0, "q_num_heads and kv_num_heads are needed");
  s.d = flat ? q.dims[2] / s.H : q.dims[3];
  s.dv = flat ? v.dims[2] / s.KV : v.dims[3];
  check(c, s);
  const auto shape = [&](int64_t length, int64_t heads, int64_t size) {
    return flat ? std::vector<int64_t>{s.B, length, heads * size}
                : std::vector<int64_t>{s.B, heads, length, size};
  };
  if (q.dims != shape(s.S, s.H, s.d) || k.dims != shape(s.T, s.KV, s.d) || v.dims != shape(s.T, s.KV, s.dv))
    c.fail(text("queries {}, keys {} and values {} do not fit", shape_text(q.dims), shape_text(k.dims),
                shape_text(v.dims)));
  const bool kept = past(c, s, 4, 5), causal = c.node().attr_int("is_causal", 0) != 0;
  const int64_t mode = c.node().attr_int("qk_matmul_output_mode", 0);
  if (c.wants(3) && mode != 0 && mode != 3)
    c.fail(ErrorKind::mismatch, "scores after a mask or soft cap cannot be run: versions differ in them");
  if (c.has(6)) {
    c.require(!c.in(6).real() && c.in(6).size() == s.B, "nonpad_kv_seqlen: one length a sequence");
    if (causal) c.fail(ErrorKind::mismatch, "is_causal beside nonpad_kv_seqlen cannot be run");
  }
  const Bias mask(c, 3, s.scores());
  Array& y = c.make(0, q.type, shape(s.S, s.H, s.dv));
  present(c, 1, nullptr, q.type, {s.B, s.KV, s.P + s.T, s.d});
  present(c, 2, nullptr, q.type, {s.B, s.KV, s.P + s.T, s.dv});
  Array* scores = c.wants(3) ? &c.make(3, q.type, s.scores()) : nullptr;
  if (!c.computing()) return;
  const auto heads = [&](const Array& x, int64_t length, int64_t n, int64_t size) {
    return flat ? heads_within(x.reals, s.B, length, n, size, n * size, 0, size) : heads_of(x);
  };
  const Heads queries = heads(q, s.S, s.H, s.d);
  Heads keys = heads(k, s.T, s.KV, s.d), values = heads(v, s.T, s.KV, s.dv);
  if (kept) {
    keys = behind(heads_of(c.in(4)), keys);
    values = behind(heads_of(c.in(5)), values);
  }
  Scoring how{.scale = default_scale(c, s.d), .softcap = c.node().attr_float("softcap", 0)};
  how.bias = [&](int64_t b, int64_t h, int64_t i, int64_t t) {
    if (causal && t > s.P + i) return -kInfinity;
    if (c.has(6) && t >= c.in(6).ints[static_cast<size_t>(b)]) return -kInfinity;
    return mask.at(b, h, i, t);
  };
  const Heads out = attend(queries, keys, values, how, scores && mode == 0 ? scores->reals.data() : nullptr,
                           scores && mode == 3 ? scores->reals.data() : nullptr);
  if (flat)
    merge(out, y.reals);
  else
    y.reals = out.x;
  present(c, 1, &keys, q.type, {s.B, s.KV, s.P + s.T, s.d});
  present(c, 2, &values, q.type, {s.B, s.KV, s.P + s.T, s.dv});
}

// What com.microsoft's masks of keys say: (B) how many keys there are, (B, T), (B, S, T) or (B, 1, S, T) 0 where none is.
class KeyMask {
 public:
  KeyMask(const Context& c, int input, const Sizes& s)
      : filter_(c.node().attr_float("mask_filter_value", -10000)) {
    if (!c.has(input)) return;
    const Array& m = c.in(input);
    c.require(!m.real(), "a mask of integers is expected");
    const int64_t total = s.P + s.T;
    if (m.dims == std::vector<int64_t>{s.B} && s.B != 3 * s.B + 2) {
      lengths_ = &m;
    } else if (m.dims == std::vector<int64_t>{s.B, total} ||
               m.dims == std::vector<int64_t>{s.B, s.S, total} ||
               m.dims == std::vector<int64_t>{s.B, 1, s.S, total}) {
      mask_ = &m;
      each_query_ = m.rank() > 2;
      queries_ = s.S;
      total_ = total;
    } else {
      c.fail(ErrorKind::mismatch, text("a mask of shape {} cannot be run", shape_text(m.dims)));
    }
  }
  double at(int64_t b, int64_t s, int64_t t) const {
    if (lengths_) return t < lengths_->ints[static_cast<size_t>(b)] ? 0 : filter_;
    if (!mask_) return 0;
    return mask_->ints[static_cast<size_t>((each_query_ ? b * queries_ + s : b) * total_ + t)] ? 0 : filter_;
  }

 private:
  double filter_;
  const Array *lengths_ = nullptr, *mask_ = nullptr;
  bool each_query_ = false;
  int64_t queries_ = 0, total_ = 0;
};

void add_bias(Heads& x, const std::vector<double>& bias, int64_t offset) {
  for (int64_t b = 0; b < x.batch; ++b)
    for (int64_t h = 0; h < x.heads; ++h)
      for (int64_t l = 0; l < x.length; ++l)
        for (int64_t i = 0; i < x.size; ++i)
          x.row(b, h, l)[i] += bias[static_cast<size_t>(offset + h * x.size + i)];
}

// query, key, value, bias, key_padding_mask, attention_bias, past_key, past_value. Queries (B, S, D) with keys and values (B, T, D)
// or (B, heads, T, size), or keys and values packed (B, T, heads, 2, size), or all three packed (B, S, heads, 3, size).
void multi_head_attention(Context& c) {
  const Array& q = c.in(0);
  const int64_t heads = c.node().attr_int("num_heads", 0);
  c.require(q.real() && heads > 0 && (q.rank() == 3 || q.rank() == 5),
            "expected queries (B, S, D) and num_heads");
  for (int i = 8; i < c.count(); ++i)
    if (c.has(i)) c.fail(ErrorKind::mismatch, "keys and values in shared buffers cannot be run");
  Sizes s{.B = q.dims[0], .S = q.dims[1], .H = heads, .KV = heads};
  const bool all_packed = q.rank() == 5, pair_packed = !all_packed && c.in(1).rank() == 5,
             apart = !all_packed && c.in(1).rank() == 4;
  const Array& k = all_packed ? q : c.in(1);
  c.require(k.real() && k.rank() >= 3 && k.rank() <= 5, "keys: expected three to five axes");
  const Array& v = all_packed || pair_packed ? k : c.in(2);
  c.require(v.real() && v.rank() >= 3 && v.rank() <= 5, "values: expected three to five axes");
  s.d = all_packed ? q.dims[4] : q.dims[2] / heads;
  s.T = k.dims[apart ? 2 : 1];
  s.dv = all_packed || pair_packed || apart ? v.dims.back() : v.dims.back() / heads;
  check(c, s);
  using Dims = std::vector<int64_t>;
  const bool fits =
      all_packed    ? q.dims == Dims{s.B, s.S, heads, 3, s.d}
      : pair_packed ? q.dims == Dims{s.B, s.S, heads * s.d} && k.dims == Dims{s.B, s.T, heads, 2, s.d}
      : apart       ? k.dims == Dims{s.B, heads, s.T, s.d} && v.dims == Dims{s.B, heads, s.T, s.dv}
                    : q.dims == Dims{s.B, s.S, heads * s.d} && k.dims == Dims{s.B, s.T, heads * s.d} &&
                    v.dims == Dims{s.B, s.T, heads * s.dv};
  if (!fits)
    c.fail(text("queries {} and keys {} do not fit {} heads", shape_text(q.dims), shape_text(k.dims), heads));
  if (c.has(3) && (all_packed || pair_packed || apart))
    c.fail(ErrorKind::mismatch, "a bias beside packed keys cannot be run");
  if (c.has(3))
    c.require(c.in(3).size() == heads * (2 * s.d + s.dv), "bias: a number for each of queries, keys, values");
  const bool kept = past(c, s, 6, 7), causal = c.node().attr_int("unidirectional", 0) != 0;
  const KeyMask mask(c, 4, s);
  const Bias bias(c, 5, s.scores());
  Array& y = c.make(0, q.type, {s.B, s.S, heads * s.dv});
  present(c, 1, nullptr, q.type, {s.B, heads, s.P + s.T, s.d});
  present(c, 2, nullptr, q.type, {s.B, heads, s.P + s.T, s.dv});
  if (!c.computing()) return;
  const auto part = [&](const Array& x, int64_t length, int64_t parts, int64_t at, int64_t size) {
    return heads_within(x.reals, s.B, length, heads, size, heads * parts * size, at * size, parts * size);
  };
  Heads queries = part(q, s.S, all_packed ? 3 : 1, 0, s.d);
  Heads keys = apart ? heads_of(k)
                     : part(k, s.T,
                            all_packed    ? 3
                            : pair_packed ? 2
                                          : 1,
                            all_packed ? 1 : 0, s.d);
  Heads values = apart ? heads_of(v)
                       : part(v, s.T,
                              all_packed    ? 3
                              : pair_packed ? 2
                                            : 1,
                              all_packed    ? 2
                              : pair_packed ? 1
                                            : 0,
                              s.dv);
  if (c.has(3)) {
    add_bias(queries, c.in(3).reals, 0);
    add_bias(keys, c.in(3).reals, heads * s.d);
    add_bias(values, c.in(3).reals, 2 * heads * s.d);
  }
  if (kept) {
    keys = behind(heads_of(c.in(6)), keys);
    values = behind(heads_of(c.in(7)), values);
  }
  Scoring how{.scale = default_scale(c, s.d)};
  how.bias = [&](int64_t b, int64_t h, int64_t i, int64_t t) {
    return (causal && t > s.P + i ? -kInfinity : 0) + mask.at(b, i, t) + bias.at(b, h, i, t);
  };
  merge(attend(queries, keys, values, how), y.reals);
  present(c, 1, &keys, q.type, {s.B, heads, s.P + s.T, s.d});
  present(c, 2, &values, q.type, {s.B, heads, s.P + s.T, s.dv});
}

// input (B, S, D), weights (D, Dq + Dk + Dv), bias, mask_index, past (2, B, heads, P, size), attention_bias (com.microsoft).
void packed_attention(Context& c) {
  const Array &x = c.in(0), &w = c.in(1);
  const int64_t heads = c.node().attr_int("num_heads", 0);
  c.require(x.real() && w.real() && x.rank() == 3 && w.rank() == 2 && heads > 0 && w.dims[0] == x.dims[2],
            "expected an input (B, S, D), weights (D, ...) and num_heads");
  if (c.node().attr_int("do_rotary", 0) || c.has(6))
    c.fail(ErrorKind::mismatch, "rotary embeddings and shared buffers cannot be run");
  const int64_t third = w.dims[1] / 3;
  const std::vector<int64_t> widths =
      c.node().attr_ints("qkv_hidden_sizes").value_or(std::vector<int64_t>{third, third, third});
  c.require(widths.size() == 3 && widths[0] > 0 && widths[0] == widths[1] && widths[2] > 0 &&
                widths[0] + widths[1] + widths[2] == w.dims[1] && widths[0] % heads == 0 &&
                widths[2] % heads == 0,
            "the weights do not divide into queries, keys and values of the heads");
  if (c.has(2))
    c.require(c.in(2).real() && c.in(2).size() == w.dims[1], "bias: one number a column of the weights");
  Sizes s{.B = x.dims[0],
          .S = x.dims[1],
          .T = x.dims[1],
          .H = heads,
          .KV = heads,
          .d = widths[0] / heads,
          .dv = widths[2] / heads};
  if (c.has(4)) {
    const Array& p = c.in(4);
    c.require(p.real() && p.rank() == 5 && s.d == s.dv, "past: expected (2, B, heads, P, size)");
    s.P = p.dims[3];
    c.require(p.dims == std::vector<int64_t>{2, s.B, heads, s.P, s.d},
              "past: expected (2, B, heads, P, size)");
  }
  const KeyMask mask(c, 3, s);
  const Bias bias(c, 5, s.scores());
  const bool causal = c.node().attr_int("unidirectional", 0) != 0;
  Array& y = c.make(0, x.type, {s.B, s.S, widths[2]});
  const std::vector<int64_t> kept = {2, s.B, heads, s.P + s.T, s.d};
  if (c.wants(1)) {
    c.require(s.d == s.dv, "keys and values of different sizes are not handed on");
    c.make(1, x.type, kept);
  }
  if (!c.computing()) return;
  const int64_t D = w.dims[0], N = w.dims[1];
  if (elements({s.B, s.S, N}) > (int64_t{1} << 28))
    c.fail(ErrorKind::resource_limit, "projections of more than 2^28 numbers");
  std::vector<double> projected(static_cast<size_t>(s.B * s.S * N));
  for (int64_t r = 0; r < s.B * s.S; ++r) {
    double* out = projected.data() + r * N;
    for (int64_t n = 0; n < N; ++n) out[n] = c.has(2) ? c.in(2).reals[static_cast<size_t>(n)] : 0;
    for (int64_t i = 0; i < D; ++i)
      for (int64_t n = 0; n < N; ++n)
        out[n] += x.reals[static_cast<size_t>(r * D + i)] * w.reals[static_cast<size_t>(i * N + n)];
  }
  const Heads queries = heads_within(projected, s.B, s.S, heads, s.d, N, 0, s.d);
  Heads keys = heads_within(projected, s.B, s.T, heads, s.d, N, widths[0], s.d),
        values = heads_within(projected, s.B, s.T, heads, s.dv, N, widths[0] + widths[1], s.dv);
  if (c.has(4)) {
    const auto& before = c.in(4).reals;
    Heads first(s.B, heads, s.P, s.d), second = first;
    std::copy_n(before.begin(), first.x.size(), first.x.begin());
    std::copy_n(before.begin() + static_cast<std::ptrdiff_t>(first.x.size()), second.x.size(),
                second.x.begin());
    keys = behind(first, keys);
    values = behind(second, values);
  }
  Scoring how{.scale = default_scale(c, s.d)};
  how.bias = [&](int64_t b, int64_t h, int64_t i, int64_t t) {
    return (causal && t > s.P + i ? -kInfinity : 0) + mask.at(b, i, t) + bias.at(b, h, i, t);
  };
  merge(attend(queries, keys, values, how), y.reals);
  if (!c.wants(1)) return;
  Array& out = c.make(1, x.type, kept);
  std::ranges::copy(keys.x, out.reals.begin());
  std::ranges::copy(values.x, out.reals.begin() + static_cast<std::ptrdiff_t>(keys.x.size()));
}

constexpr OperatorRow kRows[] = {
    {"Attention", attention},
    {"Attention", packed_attention, "com.microsoft"},
    {"MultiHeadAttention", multi_head_attention, "com.microsoft"},
};

}  // namespace

std::span<const OperatorRow> attention_operators() {
  return kRows;
}

}  // namespace dws::network
