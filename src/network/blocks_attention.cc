#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/text.h"
#include "network/blocks.h"

namespace dws::network::blocks {
namespace {

using Ints = std::vector<int64_t>;

struct Angles {
  int cos = kNone, sin = kNone;  // (T, d): both halves of a head alike
};
// Positions times theta^(-2 i / d).
Angles angles(GraphBuilder& g, int x, int64_t d, double theta) {
  std::vector<double> speeds;
  for (int64_t i = 0; i < d / 2; ++i)
    speeds.push_back(std::pow(theta, -2 * static_cast<double>(i) / static_cast<double>(d)));
  const int t = g.add("Squeeze",
                      {g.add("Gather", {g.add("Shape", {x}), g.ints({1})}, {attribute("axis", int64_t{0})})});
  const int zero = g.add("Squeeze", {g.ints({0})}), one = g.add("Squeeze", {g.ints({1})});
  const int places =
      g.add("Cast", {g.add("Range", {zero, t, one})}, {attribute("to", static_cast<int64_t>(g.type()))});
  const int half = g.add("Mul", {g.add("Unsqueeze", {places, g.ints({1})}), g.numbers(speeds)});
  const int whole = g.add("Concat", {half, half}, {attribute("axis", int64_t{-1})});
  return {g.add("Cos", {whole}), g.add("Sin", {whole})};
}
// x cos + (-second half, first half) sin, over the last axis; x (..., T, d).
int turn(GraphBuilder& g, int x, int64_t d, const Angles& by) {
  const std::vector<int> halves =
      g.add_many("Split", {x, g.ints({d / 2, d / 2})}, 2, {attribute("axis", int64_t{-1})});
  const int turned =
      g.add("Concat", {g.add("Neg", {halves[1]}), halves[0]}, {attribute("axis", int64_t{-1})});
  return g.add("Add", {g.add("Mul", {x, by.cos}), g.add("Mul", {turned, by.sin})});
}

// Scores (..., T, T) without those of later positions.
int mask(GraphBuilder& g, int scores, int x) {
  const int t = g.add("Gather", {g.add("Shape", {x}), g.ints({1, 1})}, {attribute("axis", int64_t{0})});
  const int ones = g.add("Expand", {g.number(1), t});
  const int lower = g.add("Trilu", {ones}, {attribute("upper", int64_t{0})});
  const int seen = g.add("Cast", {lower}, {attribute("to", static_cast<int64_t>(OnnxType::boolean))});
  return g.add("Where", {seen, scores, g.number(-std::numeric_limits<double>::infinity())});
}

}  // namespace

int attention(GraphBuilder& g, int q, int k, int v, const Attention& how) {
  const int64_t width = g.channels(q), values = g.channels(v);
  const auto fail = [&](const std::string& what) { g.fail(ErrorKind::mismatch, what); };
  if (how.heads < 1 || how.kv_heads < 1 || width < 0 || width % how.heads != 0)
    fail(text("{} query channels cannot be {} heads", width, how.heads));
  if (how.heads % how.kv_heads != 0)
    fail(text("{} query heads cannot share {} key and value heads", how.heads, how.kv_heads));
  const int64_t d = width / how.heads, shared = how.heads / how.kv_heads;
  if (g.channels(k) != how.kv_heads * d)
    fail(text("{} key channels, where {} heads of {} make {}", g.channels(k), how.kv_heads, d,
              how.kv_heads * d));
  if (values < 0 || values % how.kv_heads != 0)
    fail(text("{} value channels cannot be {} heads", values, how.kv_heads));
  if (how.rotary && d % 2 != 0) fail(text("rotary embedding of heads of odd size {}", d));
  const int64_t dv = values / how.kv_heads;

  // (N, kv heads, queries a kv head, T, d); keys and values have one in place of the queries.
  const auto heads_first = [&](int x, int64_t each, int64_t size) {
    const int cut = g.add("Reshape", {x, g.ints({0, 0, how.kv_heads, each, size})});
    return g.add("Transpose", {cut}, {attribute("perm", Ints{0, 2, 3, 1, 4})});
  };
  int queries = heads_first(q, shared, d), keys = heads_first(k, 1, d);
  if (how.rotary) {
    const Angles by = angles(g, q, d, how.theta);
    queries = turn(g, queries, d, by);
    keys = turn(g, keys, d, by);
  }
  const int turned = g.add("Transpose", {keys}, {attribute("perm", Ints{0, 1, 2, 4, 3})});
  int scores = g.add("MatMul", {queries, turned});
  scores = g.add("Mul", {scores, g.number(1 / std::sqrt(static_cast<double>(d)))});
  if (how.causal) scores = mask(g, scores, q);
  const int weights = g.add("Softmax", {scores}, {attribute("axis", int64_t{-1})});
  const int mixed = g.add("MatMul", {weights, heads_first(v, 1, dv)});
  const int back = g.add("Transpose", {mixed}, {attribute("perm", Ints{0, 3, 1, 2, 4})});
  const int y = g.add("Reshape", {back, g.ints({0, 0, how.heads * dv})});
  g.set_channels(y, how.heads * dv);
  return y;
}

}  // namespace dws::network::blocks
