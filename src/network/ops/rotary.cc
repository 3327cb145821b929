// Rotary embeddings, alone and within attention of grouped queries.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/shape.h"
#include "core/text.h"
#include "network/ops/families.h"
#include "network/ops/heads.h"

namespace dws::network {
namespace {

// Rows of cosines and sines, a row a position: checked, n angles each.
struct Angles {
  const Array &cosines, &sines;
  int64_t n, rows;
  Angles(const Context& c, int cos_input, int sin_input) : cosines(c.in(cos_input)), sines(c.in(sin_input)) {
    c.require(cosines.real() && sines.real() && cosines.dims == sines.dims && cosines.rank() >= 2,
              "expected cosines and sines of one shape");
    n = cosines.dims.back();
    rows = n > 0 ? cosines.size() / n : 0;
  }
  void turn(const Context& c, double* row, int64_t position, bool interleaved) const {
    if (position < 0 || position >= rows)
      c.fail(ErrorKind::bad_value, text("position {} of {}", position, rows));
    rotate(row, n, cosines.reals.data() + position * n, sines.reals.data() + position * n, interleaved);
  }
};

// Input (B, S, heads size) or (B, heads, S, size); the standard has the positions last, com.microsoft second.
void rotary(Context& c, int positions, int cosines, int sines) {
  const Array& x = c.in(0);
  c.require(x.real() && (x.rank() == 3 || x.rank() == 4), "expected (B, S, D) or (B, heads, S, size)");
  if (c.node().attr_float("scale", 1) != 1 || c.node().attr_int("is_packed_batching", 0))
    c.fail(ErrorKind::mismatch, "a scale or packed batches cannot be run");
  const Angles angles(c, cosines, sines);
  const bool flat = x.rank() == 3, interleaved = c.node().attr_int("interleaved", 0) != 0;
  const int64_t B = x.dims[0], S = x.dims[flat ? 1 : 2], named = c.node().attr_int("num_heads", 0),
                part = c.node().attr_int("rotary_embedding_dim", 0);
  const int64_t size = !flat ? x.dims[3] : named > 0 ? x.dims[2] / named : 2 * angles.n;
  const int64_t heads = !flat ? x.dims[1] : size > 0 ? x.dims[2] / size : 0;
  c.require(!flat || (heads > 0 && heads * size == x.dims[2]), "the last axis does not divide into heads");
  if (2 * angles.n != (part > 0 ? part : size) || 2 * angles.n > size)
    c.fail(text("{} angles for heads of {}", angles.n, size));
  const bool given = c.has(positions);
  const bool one = given && c.in(positions).size() == 1 && c.node().domain == "com.microsoft";
  if (given)
    c.require(!c.in(positions).real() && (one || c.in(positions).size() == B * S), "positions do not fit");
  else
    c.require(angles.rows == B * S, "without positions: cosines and sines for each item");
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  y.reals = x.reals;
  for (int64_t b = 0; b < B; ++b)
    for (int64_t s = 0; s < S; ++s)
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t row = flat ? (b * S + s) * heads + h : (b * heads + h) * S + s;
        const int64_t at = !given ? b * S + s
                           : one  ? c.in(positions).ints[0] + s
                                  : c.in(positions).ints[static_cast<size_t>(b * S + s)];
        angles.turn(c, y.reals.data() + row * size, at, interleaved);
      }
}
void rotary_standard(Context& c) {
  rotary(c, 3, 1, 2);
}
void rotary_microsoft(Context& c) {
  rotary(c, 1, 2, 3);
}

// query (B, S, heads size), key and value (B, S, kv_heads size) or all packed in the query, past keys and values (B, kv_heads, P,
// size), seqlens_k (B) = keys in all less one, total_sequence_length, cosines, sines, positions, attention_bias (com.microsoft).
// A query sees the keys up to its own place.
void grouped_query_attention(Context& c) {
  const Array& q = c.in(0);
  const int64_t H = c.node().attr_int("num_heads", 0), KV = c.node().attr_int("kv_num_heads", 0);
  c.require(q.real() && q.rank() == 3 && H > 0 && KV > 0 && H % KV == 0,
            "expected queries (B, S, D), num_heads and kv_num_heads");
  const bool packed = !c.has(1);
  const int64_t B = q.dims[0], S = q.dims[1], slots = packed ? H + 2 * KV : H, d = q.dims[2] / slots;
  c.require(d > 0 && d * slots == q.dims[2], "the last axis does not divide into heads");
  if (!packed) {
    const std::vector<int64_t> dims = {B, S, KV * d};
    c.require(c.in(1).dims == dims && c.in(2).dims == dims, "keys or values do not fit");
  }
  for (int i = 10; i < c.count(); ++i)
    if (c.has(i)) c.fail(ErrorKind::mismatch, "a bias on scores, sinks and quantised caches cannot be run");
  if (c.node().attr_int("local_window_size", -1) != -1 || c.node().attr_int("smooth_softmax", 0))
    c.fail(ErrorKind::mismatch, "a window or a smooth softmax cannot be run");
  const Array& lengths = c.in(5);
  c.require(!lengths.real() && lengths.size() == B, "seqlens_k: one length a sequence");
  int64_t P = 0;
  if (c.has(3)) {
    P = c.in(3).rank() == 4 ? c.in(3).dims[2] : -1;
    const std::vector<int64_t> dims = {B, KV, P, d};
    c.require(c.in(3).dims == dims && c.in(4).dims == dims, "past keys or values do not fit");
  }
  Array& y = c.make(0, q.type, {B, S, H * d});
  // How long what is handed on is depends on a number, which the output does not.
  const bool sized = c.has(6) && c.in(6).known() && !c.in(6).real() && c.in(6).size() == 1;
  const int64_t total = sized ? c.in(6).ints[0] : P, kept = std::max(P, total);
  if (sized) {
    c.make(1, q.type, {B, KV, kept, d});
    c.make(2, q.type, {B, KV, kept, d});
  }
  const bool turned = c.node().attr_int("do_rotary", 0) != 0,
             interleaved = c.node().attr_int("rotary_interleaved", 0) != 0;
  if (turned && 2 * Angles(c, 7, 8).n > d) c.fail("more angles than a head has pairs");
  if (!c.computing()) return;
  c.require(sized, "total_sequence_length is missing");
  Heads queries = heads_within(q.reals, B, S, H, d, slots * d, 0, d);
  Heads fresh_keys = packed ? heads_within(q.reals, B, S, KV, d, slots * d, H * d, d)
                            : heads_within(c.in(1).reals, B, S, KV, d, KV * d, 0, d);
  const Heads fresh_values = packed ? heads_within(q.reals, B, S, KV, d, slots * d, (H + KV) * d, d)
                                    : heads_within(c.in(2).reals, B, S, KV, d, KV * d, 0, d);
  Heads keys(B, KV, kept, d), values = keys;
  std::vector<int64_t> before(static_cast<size_t>(B), 0);  // keys of earlier steps
  for (int64_t b = 0; b < B; ++b) {
    // The first step may be padded: its sequences begin at 0, however long they are.
    const int64_t all = lengths.ints[static_cast<size_t>(b)] + 1, first = total == S ? 0 : all - S;
    if (first < 0 || first > P || first + S > kept)
      c.fail(ErrorKind::bad_value, text("{} keys in all, {} of them new, beside {} kept", all, S, P));
    before[static_cast<size_t>(b)] = first;
    for (int64_t s = 0; turned && s < S; ++s) {
      const int64_t at =
          c.has(9) && c.in(9).size() == B * S ? c.in(9).ints[static_cast<size_t>(b * S + s)] : first + s;
      const Angles angles(c, 7, 8);
      for (int64_t h = 0; h < H; ++h) angles.turn(c, queries.row(b, h, s), at, interleaved);
      for (int64_t h = 0; h < KV; ++h) angles.turn(c, fresh_keys.row(b, h, s), at, interleaved);
    }
    for (int64_t h = 0; h < KV; ++h) {
      for (const auto& [to, past_input, fresh] :
           {std::tuple(&keys, 3, &std::as_const(fresh_keys)), std::tuple(&values, 4, &fresh_values)}) {
        if (first > 0)
          std::copy_n(c.in(past_input).reals.data() + (b * KV + h) * P * d, first * d, to->row(b, h, 0));
        std::copy_n(fresh->row(b, h, 0), S * d, to->row(b, h, first));
      }
    }
  }
  const double scale = c.node().attr_float("scale", 0);
  Scoring how{.scale = scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(d)),
              .softcap = c.node().attr_float("softcap", 0)};
  how.bias = [&](int64_t b, int64_t, int64_t s, int64_t t) {
    return t <= before[static_cast<size_t>(b)] + s ? 0 : -std::numeric_limits<double>::infinity();
  };
  merge(attend(queries, keys, values, how), y.reals);
  c.make(1, q.type, {B, KV, kept, d}).reals = keys.x;
  c.make(2, q.type, {B, KV, kept, d}).reals = values.x;
}

constexpr OperatorRow kRows[] = {
    {"RotaryEmbedding", rotary_standard},
    {"RotaryEmbedding", rotary_microsoft, "com.microsoft"},
    {"GroupQueryAttention", grouped_query_attention, "com.microsoft"},
};

}  // namespace

std::span<const OperatorRow> rotary_operators() {
  return kRows;
}

}  // namespace dws::network
