// Attention in one operator against the operators it stands for: the same numbers and the same symmetry, which holds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "as_weights.h"
#include "core/text.h"
#include "found.h"
#include "symmetry/verify.h"

namespace dws::symmetry {
namespace {

using testing::GraphMaker;
using testing::Ints;
using testing::Strings;

constexpr int64_t kBatch = 2, kLength = 5, kWidth = 14, kPast = 3;

// x (B, S, 14) -> queries, keys and values of `heads`, `kv`, `kv` heads -> attention -> y (B, S, 14).
struct Shape {
  int64_t heads = 3, kv = 3, size = 8, value_size = 6;
};
struct AttentionCase {
  std::string name;
  Make fused, plain;
  int groups;         // free ones
  std::string kinds;  // as in network_symmetry_test
};
std::ostream& operator<<(std::ostream& out, const AttentionCase& c) {
  return out << c.name;
}

// --- the decomposed form ---
struct Plain {
  Shape shape;
  bool causal = false, bias = false;
  float softcap = 0;
  int64_t rotary = 0;  // numbers of a head that are turned
  bool interleaved = false, past = false;
  std::string mask{};
};
std::string split_heads(GraphMaker& g, const std::string& x, int64_t heads, int64_t size) {
  return g.node("Transpose", {g.node("Reshape", {x, g.ints({kBatch, kLength, heads, size})})},
                {.ints = {{"perm", {0, 2, 1, 3}}}});
}
std::vector<float> angles(int64_t rows, int64_t n, bool sine) {
  std::vector<float> table;
  for (int64_t p = 0; p < rows; ++p)
    for (int64_t i = 0; i < n; ++i) {
      const double a = static_cast<double>(p + 1) * std::pow(0.3, static_cast<double>(i));
      table.push_back(static_cast<float>(sine ? std::sin(a) : std::cos(a)));
    }
  return table;
}
// x (B, heads, S, size) with pairs turned, of constant tables.
std::string turned(GraphMaker& g, const std::string& x, int64_t size, int64_t part, bool interleaved) {
  const int64_t n = part / 2;
  const std::string cos = g.floats(x + "cos", {kLength, n}, angles(kLength, n, false)),
                    sin = g.floats(x + "sin", {kLength, n}, angles(kLength, n, true));
  const auto slice = [&](int64_t from, int64_t to, int64_t step) {
    return g.node("Slice", {x, g.ints({from}), g.ints({to}), g.ints({3}), g.ints({step})});
  };
  const std::string a = interleaved ? slice(0, part, 2) : slice(0, n, 1),
                    b = interleaved ? slice(1, part, 2) : slice(n, part, 1);
  const std::string first = g.node("Sub", {g.node("Mul", {a, cos}), g.node("Mul", {b, sin})}),
                    second = g.node("Add", {g.node("Mul", {a, sin}), g.node("Mul", {b, cos})});
  Strings parts;
  if (interleaved) {
    const std::string fifth = g.ints({4});
    const std::string pairs =
        g.node("Concat", {g.node("Unsqueeze", {first, fifth}), g.node("Unsqueeze", {second, fifth})},
               {.i = {{"axis", 4}}});
    parts = {g.node("Reshape", {pairs, g.ints({0, 0, 0, part})})};
  } else {
    parts = {first, second};
  }
  if (part < size) parts.push_back(slice(part, size, 1));
  return parts.size() == 1 ? parts[0] : g.node("Concat", parts, {.i = {{"axis", 3}}});
}
std::string repeated(GraphMaker& g, const std::string& x, const Shape& s, int64_t length, int64_t size) {
  if (s.heads == s.kv) return x;
  const std::string wide = g.node("Expand", {g.node("Unsqueeze", {x, g.ints({2})}),
                                             g.ints({kBatch, s.kv, s.heads / s.kv, length, size})});
  return g.node("Reshape", {wide, g.ints({kBatch, s.heads, length, size})});
}
std::string plain_attention(GraphMaker& g, const Plain& p, std::string q, std::string k, std::string v) {
  const Shape& s = p.shape;
  q = split_heads(g, q, s.heads, s.size);
  k = split_heads(g, k, s.kv, s.size);
  v = split_heads(g, v, s.kv, s.value_size);
  if (p.rotary > 0) {
    q = turned(g, q, s.size, p.rotary, p.interleaved);
    k = turned(g, k, s.size, p.rotary, p.interleaved);
  }
  int64_t total = kLength;
  if (p.past) {
    total += kPast;
    k = g.node("Concat", {"past_k", k}, {.i = {{"axis", 2}}});
    v = g.node("Concat", {"past_v", v}, {.i = {{"axis", 2}}});
  }
  k = repeated(g, k, s, total, s.size);
  v = repeated(g, v, s, total, s.value_size);
  std::string scores = g.node("MatMul", {q, g.node("Transpose", {k}, {.ints = {{"perm", {0, 1, 3, 2}}}})});
  // A constant node's number is a float: the scale is divided out exactly as the operator has it.
  scores = g.node("Div", {scores, g.node("Sqrt", {g.scalar(static_cast<float>(s.size))})});
  if (p.softcap > 0)
    scores =
        g.node("Mul", {g.node("Tanh", {g.node("Div", {scores, g.scalar(p.softcap)})}), g.scalar(p.softcap)});
  if (!p.mask.empty()) scores = g.node("Add", {scores, p.mask});
  if (p.causal) {
    std::vector<float> mask;
    for (int64_t i = 0; i < kLength; ++i)
      for (int64_t t = 0; t < total; ++t)
        mask.push_back(t > i + total - kLength ? -std::numeric_limits<float>::infinity() : 0.0f);
    scores = g.node("Add", {scores, g.floats("causal", {kLength, total}, mask)});
  }
  const std::string y = g.node("MatMul", {g.node("Softmax", {scores}, {.i = {{"axis", -1}}}), v});
  return g.node("Reshape", {g.node("Transpose", {y}, {.ints = {{"perm", {0, 2, 1, 3}}}}),
                            g.ints({kBatch, kLength, s.heads * s.value_size})});
}

// --- around it ---
struct Projected {
  std::string q, k, v;
};
Projected projected(GraphMaker& g, const Shape& s) {
  g.input("x", {kBatch, kLength, kWidth});
  return {g.node("MatMul", {"x", g.weight("Wq", {kWidth, s.heads * s.size})}),
          g.node("MatMul", {"x", g.weight("Wk", {kWidth, s.kv * s.size})}),
          g.node("MatMul", {"x", g.weight("Wv", {kWidth, s.kv * s.value_size})})};
}
void finish(GraphMaker& g, const Shape& s, const std::string& y) {
  const std::string out = g.node("MatMul", {y, g.weight("Wo", {s.heads * s.value_size, kWidth})});
  g.output(out, {kBatch, kLength, kWidth});
}
void past_inputs(GraphMaker& g, const Shape& s) {
  g.input("past_k", {kBatch, s.kv, kPast, s.size});
  g.input("past_v", {kBatch, s.kv, kPast, s.value_size});
}
Make plain(const Plain& p) {
  return [p](GraphMaker& g) {
    const auto [q, k, v] = projected(g, p.shape);
    if (p.past) past_inputs(g, p.shape);
    if (p.mask == "m") g.weight("m", {1, p.shape.heads, kLength, kLength});
    if (!p.bias) return finish(g, p.shape, plain_attention(g, p, q, k, v));
    const Shape& s = p.shape;
    const int64_t a = s.heads * s.size, b = s.kv * s.size, c = s.kv * s.value_size;
    const Strings bias = g.nodes("Split", {g.weight("bias", {a + b + c}), g.ints({a, b, c})}, 3);
    finish(g, s,
           plain_attention(g, p, g.node("Add", {q, bias[0]}), g.node("Add", {k, bias[1]}),
                           g.node("Add", {v, bias[2]})));
  };
}

testing::Attributes standard_heads(const Shape& s) {
  return {.i = {{"q_num_heads", s.heads}, {"kv_num_heads", s.kv}}};
}
void standard(GraphMaker& g, const Shape& s) {
  const auto [q, k, v] = projected(g, s);
  finish(g, s, g.node("Attention", {q, k, v}, standard_heads(s)));
}
void standard_mask(GraphMaker& g, const Shape& s) {
  const auto [q, k, v] = projected(g, s);
  finish(g, s,
         g.node("Attention", {q, k, v, g.weight("m", {1, s.heads, kLength, kLength})}, standard_heads(s)));
}
void standard_causal_cap(GraphMaker& g, const Shape& s) {
  const auto [q, k, v] = projected(g, s);
  auto attributes = standard_heads(s);
  attributes.i["is_causal"] = 1;
  attributes.f["softcap"] = 1.5f;
  finish(g, s, g.node("Attention", {q, k, v}, attributes));
}
void standard_four_axes(GraphMaker& g, const Shape& s) {
  const auto [q, k, v] = projected(g, s);
  const std::string y =
      g.node("Attention", {split_heads(g, q, s.heads, s.size), split_heads(g, k, s.kv, s.size),
                           split_heads(g, v, s.kv, s.value_size)});
  finish(g, s,
         g.node("Reshape", {g.node("Transpose", {y}, {.ints = {{"perm", {0, 2, 1, 3}}}}),
                            g.ints({kBatch, kLength, s.heads * s.value_size})}));
}
void standard_past(GraphMaker& g, const Shape& s) {
  const auto [q, k, v] = projected(g, s);
  past_inputs(g, s);
  auto attributes = standard_heads(s);
  attributes.i["is_causal"] = 1;
  finish(g, s, g.nodes("Attention", {q, k, v, "", "past_k", "past_v"}, 3, attributes)[0]);
}
void standard_rotary(GraphMaker& g, const Shape& s, int64_t part, bool interleaved) {
  const auto [q, k, v] = projected(g, s);
  const int64_t n = part / 2;
  Strings tables;
  for (const bool sine : {false, true}) {
    std::vector<float> one = angles(kLength, n, sine), all;
    for (int64_t b = 0; b < kBatch; ++b) all.insert(all.end(), one.begin(), one.end());
    tables.push_back(g.floats(sine ? "sin" : "cos", {kBatch, kLength, n}, all));
  }
  const auto turn = [&](const std::string& x, int64_t heads) {
    return g.node("RotaryEmbedding", {x, tables[0], tables[1]},
                  {.i = {{"num_heads", heads},
                         {"interleaved", interleaved},
                         {"rotary_embedding_dim", part == s.size ? 0 : part}}});
  };
  finish(g, s, g.node("Attention", {turn(q, s.heads), turn(k, s.kv), v}, standard_heads(s)));
}
// com.microsoft's, of rows by position; `apart`: on (B, heads, S, size).
void microsoft_rotary(GraphMaker& g, const Shape& s, int64_t part, bool apart) {
  const auto [q, k, v] = projected(g, s);
  Ints positions;
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t i = 0; i < kLength; ++i) positions.push_back(i);
  const std::string at = g.ints("positions", {kBatch, kLength}, positions);
  const std::string cos = g.floats("cos", {kLength, part / 2}, angles(kLength, part / 2, false)),
                    sin = g.floats("sin", {kLength, part / 2}, angles(kLength, part / 2, true));
  const auto turn = [&](const std::string& x, int64_t heads) {
    return g.node("com.microsoft.RotaryEmbedding",
                  {apart ? split_heads(g, x, heads, s.size) : x, at, cos, sin},
                  {.i = {{"num_heads", heads}, {"rotary_embedding_dim", part == s.size ? 0 : part}}});
  };
  const std::string a = turn(q, s.heads), b = turn(k, s.kv);
  if (!apart) return finish(g, s, g.node("Attention", {a, b, v}, standard_heads(s)));
  const std::string y = g.node("Attention", {a, b, split_heads(g, v, s.kv, s.value_size)});
  finish(g, s,
         g.node("Reshape", {g.node("Transpose", {y}, {.ints = {{"perm", {0, 2, 1, 3}}}}),
                            g.ints({kBatch, kLength, s.heads * s.value_size})}));
}
// Keys and values in one array.
void multi_head_pair(GraphMaker& g, const Shape& s, bool fused) {
  g.input("x", {kBatch, kLength, kWidth});
  const std::string q = g.node("MatMul", {"x", g.weight("Wq", {kWidth, s.heads * s.size})});
  const std::string kv =
      g.node("Reshape", {g.node("MatMul", {"x", g.weight("W", {kWidth, s.heads * 2 * s.size})}),
                         g.ints({kBatch, kLength, s.heads, 2, s.size})});
  if (fused)
    return finish(g, s, g.node("com.microsoft.MultiHeadAttention", {q, kv}, {.i = {{"num_heads", s.heads}}}));
  Strings parts;
  for (int64_t i = 0; i < 2; ++i)
    parts.push_back(
        g.node("Reshape", {g.node("Gather", {kv, g.ints(text("part{}", i), {}, {i})}, {.i = {{"axis", 3}}}),
                           g.ints({kBatch, kLength, s.heads * s.size})}));
  finish(g, s, plain_attention(g, {.shape = s}, q, parts[0], parts[1]));
}
void multi_head(GraphMaker& g, const Shape& s) {
  const auto [q, k, v] = projected(g, s);
  const std::string bias = g.weight("bias", {2 * s.heads * s.size + s.heads * s.value_size});
  finish(g, s,
         g.node("com.microsoft.MultiHeadAttention", {q, k, v, bias},
                {.i = {{"num_heads", s.heads}, {"unidirectional", 1}}}));
}
void multi_head_apart(GraphMaker& g, const Shape& s) {
  const auto [q, k, v] = projected(g, s);
  finish(g, s,
         g.node("com.microsoft.MultiHeadAttention",
                {q, split_heads(g, k, s.kv, s.size), split_heads(g, v, s.kv, s.value_size)},
                {.i = {{"num_heads", s.heads}}}));
}
std::string zeros(GraphMaker& g, const std::string& name) {
  return g.ints(name, {kBatch}, Ints(kBatch, kLength - 1), onnx::TensorProto::INT32);
}
void grouped(GraphMaker& g, const Shape& s, bool rotary, bool packed) {
  const std::string lengths = zeros(g, "lengths"),
                    total = g.ints("total", {}, {kLength}, onnx::TensorProto::INT32);
  testing::Attributes attributes{
      .i = {{"num_heads", s.heads}, {"kv_num_heads", s.kv}, {"do_rotary", rotary}}};
  Strings in;
  if (packed) {
    g.input("x", {kBatch, kLength, kWidth});
    in = {g.node("MatMul", {"x", g.weight("W", {kWidth, (s.heads + 2 * s.kv) * s.size})}), "", ""};
  } else {
    const auto [q, k, v] = projected(g, s);
    in = {q, k, v};
  }
  for (const std::string& name : {std::string(), std::string(), lengths, total}) in.push_back(name);
  if (rotary)
    for (const bool sine : {false, true})
      in.push_back(g.floats(sine ? "sin" : "cos", {kLength, s.size / 2}, angles(kLength, s.size / 2, sine)));
  finish(g, s, g.nodes("com.microsoft.GroupQueryAttention", in, 3, attributes)[0]);
}
void plain_packed(GraphMaker& g, const Plain& p) {
  const Shape& s = p.shape;
  g.input("x", {kBatch, kLength, kWidth});
  const int64_t a = s.heads * s.size, b = s.kv * s.size, c = s.kv * s.value_size;
  std::string w = g.node("MatMul", {"x", g.weight("W", {kWidth, a + b + c})});
  if (p.bias) w = g.node("Add", {w, g.weight("bias", {a + b + c})});
  const Strings parts = g.nodes("Split", {w, g.ints({a, b, c})}, 3, {.i = {{"axis", 2}}});
  finish(g, s, plain_attention(g, p, parts[0], parts[1], parts[2]));
}
void packed_attention(GraphMaker& g, const Shape& s) {
  g.input("x", {kBatch, kLength, kWidth});
  const int64_t a = s.heads * s.size, c = s.kv * s.value_size;
  const std::string w = g.weight("W", {kWidth, 2 * a + c}), bias = g.weight("bias", {2 * a + c});
  finish(g, s,
         g.node("com.microsoft.Attention", {"x", w, bias},
                {.i = {{"num_heads", s.heads}}, .ints = {{"qkv_hidden_sizes", {a, a, c}}}}));
}
void packed_multi_head(GraphMaker& g, const Shape& s, bool fused) {
  g.input("x", {kBatch, kLength, kWidth});
  const std::string w =
      g.node("Reshape", {g.node("MatMul", {"x", g.weight("W", {kWidth, s.heads * 3 * s.size})}),
                         g.ints({kBatch, kLength, s.heads, 3, s.size})});
  if (fused)
    return finish(g, s, g.node("com.microsoft.MultiHeadAttention", {w}, {.i = {{"num_heads", s.heads}}}));
  Strings parts;
  for (int64_t i = 0; i < 3; ++i)
    parts.push_back(
        g.node("Reshape", {g.node("Gather", {w, g.ints(text("part{}", i), {}, {i})}, {.i = {{"axis", 3}}}),
                           g.ints({kBatch, kLength, s.heads * s.size})}));
  finish(g, s, plain_attention(g, {.shape = s}, parts[0], parts[1], parts[2]));
}

class FusedAttention : public ::testing::TestWithParam<AttentionCase> {};

TEST_P(FusedAttention, GivesTheNumbersOfItsParts) {
  const Found fused = found(GetParam().fused), plain = found(GetParam().plain);
  Rng rng(3);
  const auto inputs = random_inputs(fused.net, fused.inputs, {}, rng);
  const auto a = network::Executor(fused.net, network::Precision::f64).run(inputs),
             b = network::Executor(plain.net, network::Precision::f64).run(inputs);
  ASSERT_EQ(a.size(), 1u);
  EXPECT_LE(relative_difference(a, b), 1e-10);
  EXPECT_GT(std::abs(a[0]->reals.at(0)), 0);
  // Its shape is known before it runs.
  const auto shapes = network::infer(fused.net, fused.inputs);
  ASSERT_TRUE(shapes[static_cast<size_t>(fused.net.graph.outputs[0])]);
  EXPECT_EQ(shapes[static_cast<size_t>(fused.net.graph.outputs[0])]->dims, a[0]->dims);
}
TEST_P(FusedAttention, HasTheGroupsOfItsParts) {
  const Found fused = found(GetParam().fused), plain = found(GetParam().plain);
  EXPECT_EQ(groups_of(fused.spec), groups_of(plain.spec));
  EXPECT_EQ(fused.spec.free_groups(), GetParam().groups);
  EXPECT_EQ(kinds_of(fused.spec), GetParam().kinds);
}
TEST_P(FusedAttention, ItsSymmetryHolds) {
  const Found fused = found(GetParam().fused);
  const Verdict verdict = verify(fused.net, fused.inputs, fused.spec, {.trials = 3});
  EXPECT_TRUE(verdict.holds) << verdict.difference << ' ' << verdict.guilty;
  EXPECT_TRUE(verdict.control || GetParam().groups == 0);
}

// And where its inputs are weights too.
TEST_P(FusedAttention, HoldsOfWeightsForInputs) {
  EXPECT_GT(claims_of_weights(GetParam().name, found(GetParam().fused)), 0);
}

constexpr Shape kHeads{}, kGrouped{.heads = 6, .kv = 2, .size = 8, .value_size = 6},
    kAlike{.heads = 3, .kv = 3, .size = 8, .value_size = 8},
    kGroupedAlike{.heads = 6, .kv = 2, .size = 8, .value_size = 8};

template <class F>
Make with(F f, const Shape& s) {
  return [f, s](GraphMaker& g) { f(g, s); };
}
INSTANTIATE_TEST_SUITE_P(
    Operators, FusedAttention,
    ::testing::Values(
        AttentionCase{"standard", with(standard, kHeads), plain({.shape = kHeads}), 3, "scale sign nested"},
        AttentionCase{"standard_mask", with(standard_mask, kHeads), plain({.shape = kHeads, .mask = "m"}), 3,
                      "scale sign nested"},
        AttentionCase{"standard_grouped_causal_softcap", with(standard_causal_cap, kGrouped),
                      plain({.shape = kGrouped, .causal = true, .softcap = 1.5f}), 4, "scale sign nested"},
        AttentionCase{"standard_four_axes", with(standard_four_axes, kGrouped), plain({.shape = kGrouped}), 4,
                      "scale sign nested"},
        AttentionCase{"standard_past", with(standard_past, kGrouped),
                      plain({.shape = kGrouped, .causal = true, .past = true}), 1, "nested"},
        AttentionCase{"standard_rotary",
                      with([](GraphMaker& g, const Shape& s) { standard_rotary(g, s, 8, false); }, kGrouped),
                      plain({.shape = kGrouped, .rotary = 8}), 3, "scale sign nested"},
        AttentionCase{"standard_rotary_part",
                      with([](GraphMaker& g, const Shape& s) { standard_rotary(g, s, 4, false); }, kGrouped),
                      plain({.shape = kGrouped, .rotary = 4}), 4, "scale sign nested"},
        AttentionCase{"standard_rotary_interleaved",
                      with([](GraphMaker& g, const Shape& s) { standard_rotary(g, s, 8, true); }, kGrouped),
                      plain({.shape = kGrouped, .rotary = 8, .interleaved = true}), 3, "scale sign nested"},
        AttentionCase{"multi_head", with(multi_head, kHeads),
                      plain({.shape = kHeads, .causal = true, .bias = true}), 3, "scale sign nested"},
        AttentionCase{"multi_head_apart", with(multi_head_apart, kHeads), plain({.shape = kHeads}), 3,
                      "scale sign nested"},
        AttentionCase{"multi_head_packed",
                      with([](GraphMaker& g, const Shape& s) { packed_multi_head(g, s, true); }, kAlike),
                      with([](GraphMaker& g, const Shape& s) { packed_multi_head(g, s, false); }, kAlike), 2,
                      "sign nested"},
        AttentionCase{"microsoft_rotary",
                      with([](GraphMaker& g, const Shape& s) { microsoft_rotary(g, s, 8, false); }, kGrouped),
                      plain({.shape = kGrouped, .rotary = 8}), 3, "scale sign nested"},
        AttentionCase{"microsoft_rotary_part_apart",
                      with([](GraphMaker& g, const Shape& s) { microsoft_rotary(g, s, 4, true); }, kGrouped),
                      plain({.shape = kGrouped, .rotary = 4}), 4, "scale sign nested"},
        AttentionCase{"multi_head_pair",
                      with([](GraphMaker& g, const Shape& s) { multi_head_pair(g, s, true); }, kAlike),
                      with([](GraphMaker& g, const Shape& s) { multi_head_pair(g, s, false); }, kAlike), 2,
                      "scale sign nested"},
        AttentionCase{"grouped_rotary",
                      with([](GraphMaker& g, const Shape& s) { grouped(g, s, true, false); }, kGroupedAlike),
                      plain({.shape = kGroupedAlike, .causal = true, .rotary = 8}), 3, "scale sign nested"},
        AttentionCase{
            "grouped_packed",
            with([](GraphMaker& g, const Shape& s) { grouped(g, s, false, true); }, kGroupedAlike),
            with([](GraphMaker& g, const Shape& s) { plain_packed(g, {.shape = s, .causal = true}); },
                 kGroupedAlike),
            4, "scale sign nested"},
        AttentionCase{
            "packed_weights", with(packed_attention, kHeads),
            with([](GraphMaker& g, const Shape& s) { plain_packed(g, {.shape = s, .bias = true}); }, kHeads),
            3, "scale sign nested"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace dws::symmetry
