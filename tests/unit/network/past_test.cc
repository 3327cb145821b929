// Attention that keeps keys and values: step by step it computes what it computes at once. And what masks hide is not seen.
#include <gtest/gtest.h>

#include <cmath>

#include "graph_maker.h"

namespace dws::network {
namespace {

using testing::GraphMaker;
using testing::Ints;
using testing::Strings;

constexpr int64_t kBatch = 2, kLength = 5, kHeads = 4, kSize = 6;

ArrayPtr reals(const Ints& dims, uint64_t seed) {
  Rng rng(seed);
  Array a{.type = OnnxType::f32, .dims = dims};
  a.reals.resize(static_cast<size_t>(elements(dims)));
  for (double& v : a.reals) v = rng.normal();
  return std::make_shared<const Array>(std::move(a));
}
ArrayPtr ints(const Ints& dims, const Ints& values, OnnxType type = OnnxType::i32) {
  return std::make_shared<const Array>(Array{.type = type, .dims = dims, .reals = {}, .ints = values});
}
// Items [begin, end) along an axis.
ArrayPtr cut(const ArrayPtr& x, size_t axis, int64_t begin, int64_t end) {
  Array y{.type = x->type, .dims = x->dims};
  y.dims[axis] = end - begin;
  int64_t inner = 1;
  for (size_t a = axis + 1; a < x->dims.size(); ++a) inner *= x->dims[a];
  const int64_t n = x->dims[axis];
  for (int64_t i = 0; i < x->size(); ++i)
    if (const int64_t k = i / inner % n; k >= begin && k < end)
      y.reals.push_back(x->reals[static_cast<size_t>(i)]);
  return std::make_shared<const Array>(std::move(y));
}
double largest_difference(const Array& a, const Array& b) {
  EXPECT_EQ(a.dims, b.dims);
  EXPECT_EQ(a.reals.size(), b.reals.size());
  double worst = a.reals.empty() || a.reals.size() != b.reals.size() ? 1 : 0;
  for (size_t i = 0; i < a.reals.size() && worst < 1; ++i)
    worst = std::max(worst, std::abs(a.reals[i] - b.reals[i]));
  return worst;
}
std::vector<ArrayPtr> run(const Network& net, const std::vector<ArrayPtr>& inputs) {
  return Executor(net, Precision::f64).run(inputs);
}

// One operator whose inputs are all the network's, in the order of `in`.
Network one(const std::string& op, const Strings& in, const std::vector<ArrayPtr>& given, size_t outputs,
            const testing::Attributes& attributes) {
  GraphMaker g(23);
  size_t next = 0;
  for (const std::string& name : in)
    if (!name.empty()) {
      g.input(name, given[next]->dims, static_cast<int>(given[next]->type));
      ++next;
    }
  for (const std::string& out : g.nodes(op, in, outputs, attributes)) g.output(out, {-1, -1, -1, -1});
  return g.network();
}
std::vector<ArrayPtr> apply(const std::string& op, const Strings& in, const std::vector<ArrayPtr>& given,
                            size_t outputs, const testing::Attributes& attributes) {
  return run(one(op, in, given, outputs, attributes), given);
}

TEST(Past, StandardAttention) {
  const ArrayPtr q = reals({kBatch, kLength, kHeads * kSize}, 1), k = reals({kBatch, kLength, 2 * kSize}, 2),
                 v = reals({kBatch, kLength, 2 * kSize}, 3);
  const testing::Attributes a{.i = {{"q_num_heads", kHeads}, {"kv_num_heads", 2}, {"is_causal", 1}}};
  const auto whole = apply("Attention", {"q", "k", "v"}, {q, k, v}, 3, a);
  const auto first =
      apply("Attention", {"q", "k", "v"}, {cut(q, 1, 0, 3), cut(k, 1, 0, 3), cut(v, 1, 0, 3)}, 3, a);
  const auto second = apply("Attention", {"q", "k", "v", "", "pk", "pv"},
                            {cut(q, 1, 3, 5), cut(k, 1, 3, 5), cut(v, 1, 3, 5), first[1], first[2]}, 3, a);
  EXPECT_LE(largest_difference(*first[0], *cut(whole[0], 1, 0, 3)), 1e-12);
  EXPECT_LE(largest_difference(*second[0], *cut(whole[0], 1, 3, 5)), 1e-12);
  for (const size_t i : {1, 2}) EXPECT_LE(largest_difference(*second[i], *whole[i]), 0);
}

TEST(Past, MultiHeadAttention) {
  const ArrayPtr q = reals({kBatch, kLength, kHeads * kSize}, 1),
                 k = reals({kBatch, kLength, kHeads * kSize}, 2), v = reals({kBatch, kLength, kHeads * 3}, 3),
                 b = reals({kHeads * (2 * kSize + 3)}, 4);
  const testing::Attributes a{.i = {{"num_heads", kHeads}, {"unidirectional", 1}}};
  const std::string op = "com.microsoft.MultiHeadAttention";
  const auto whole = apply(op, {"q", "k", "v", "b"}, {q, k, v, b}, 3, a);
  const auto first =
      apply(op, {"q", "k", "v", "b"}, {cut(q, 1, 0, 4), cut(k, 1, 0, 4), cut(v, 1, 0, 4), b}, 3, a);
  const auto second = apply(op, {"q", "k", "v", "b", "", "", "pk", "pv"},
                            {cut(q, 1, 4, 5), cut(k, 1, 4, 5), cut(v, 1, 4, 5), b, first[1], first[2]}, 3, a);
  EXPECT_LE(largest_difference(*second[0], *cut(whole[0], 1, 4, 5)), 1e-12);
}

TEST(Past, PackedAttention) {
  const ArrayPtr x = reals({kBatch, kLength, 10}, 1), w = reals({10, 3 * kHeads * kSize}, 2),
                 b = reals({3 * kHeads * kSize}, 3);
  const testing::Attributes a{.i = {{"num_heads", kHeads}, {"unidirectional", 1}}};
  const std::string op = "com.microsoft.Attention";
  const auto whole = apply(op, {"x", "w", "b"}, {x, w, b}, 2, a);
  const auto first = apply(op, {"x", "w", "b"}, {cut(x, 1, 0, 2), w, b}, 2, a);
  const auto second = apply(op, {"x", "w", "b", "", "past"}, {cut(x, 1, 2, 5), w, b, first[1]}, 2, a);
  EXPECT_LE(largest_difference(*second[0], *cut(whole[0], 1, 2, 5)), 1e-12);
  EXPECT_LE(largest_difference(*second[1], *whole[1]), 0);
}

TEST(Past, GroupedQueriesWithRotaryEmbedding) {
  const int64_t kv = 2;
  const ArrayPtr q = reals({kBatch, kLength, kHeads * kSize}, 1), k = reals({kBatch, kLength, kv * kSize}, 2),
                 v = reals({kBatch, kLength, kv * kSize}, 3);
  // Any numbers do for cosines and sines: they must be those of the same positions.
  const ArrayPtr cos = reals({8, kSize / 2}, 4), sin = reals({8, kSize / 2}, 5);
  const testing::Attributes a{.i = {{"num_heads", kHeads}, {"kv_num_heads", kv}, {"do_rotary", 1}}};
  const std::string op = "com.microsoft.GroupQueryAttention";
  const auto whole = apply(op, {"q", "k", "v", "", "", "n", "all", "cos", "sin"},
                           {q, k, v, ints({kBatch}, {4, 4}), ints({}, {5}), cos, sin}, 3, a);
  const auto first = apply(
      op, {"q", "k", "v", "", "", "n", "all", "cos", "sin"},
      {cut(q, 1, 0, 3), cut(k, 1, 0, 3), cut(v, 1, 0, 3), ints({kBatch}, {2, 2}), ints({}, {3}), cos, sin}, 3,
      a);
  const auto second = apply(op, {"q", "k", "v", "pk", "pv", "n", "all", "cos", "sin"},
                            {cut(q, 1, 3, 5), cut(k, 1, 3, 5), cut(v, 1, 3, 5), first[1], first[2],
                             ints({kBatch}, {4, 4}), ints({}, {5}), cos, sin},
                            3, a);
  EXPECT_LE(largest_difference(*second[0], *cut(whole[0], 1, 3, 5)), 1e-12);
  for (const size_t i : {1, 2}) EXPECT_LE(largest_difference(*second[i], *whole[i]), 0);
  // Counts that cannot be.
  EXPECT_THROW(apply(op, {"q", "k", "v", "pk", "pv", "n", "all", "cos", "sin"},
                     {q, k, v, first[1], first[2], ints({kBatch}, {1, 1}), ints({}, {8}), cos, sin}, 3, a),
               Error);
}

TEST(Past, WhatAMaskHidesIsNotSeen) {
  const ArrayPtr q = reals({kBatch, kLength, kHeads * kSize}, 1),
                 k = reals({kBatch, kLength, kHeads * kSize}, 2),
                 v = reals({kBatch, kLength, kHeads * kSize}, 3);
  Ints seen(static_cast<size_t>(kLength * kLength), 0);
  for (int64_t i = 1; i < kLength; ++i)
    for (int64_t t = 0; t < 3; ++t) seen[static_cast<size_t>(i * kLength + t)] = 1;
  const testing::Attributes a{.i = {{"q_num_heads", kHeads}, {"kv_num_heads", kHeads}}};
  const auto masked = apply("Attention", {"q", "k", "v", "m"},
                            {q, k, v, ints({kLength, kLength}, seen, OnnxType::boolean)}, 1, a);
  const auto fewer = apply("Attention", {"q", "k", "v"}, {q, cut(k, 1, 0, 3), cut(v, 1, 0, 3)}, 1, a);
  EXPECT_LE(largest_difference(*cut(masked[0], 1, 1, 5), *cut(fewer[0], 1, 1, 5)), 1e-12);
  const ArrayPtr nothing = cut(masked[0], 1, 0, 1);
  EXPECT_EQ(nothing->reals.size(), static_cast<size_t>(kBatch * kHeads * kSize));
  for (const double y : nothing->reals) EXPECT_EQ(y, 0);

  // com.microsoft's masks: how many keys there are, or which.
  const testing::Attributes m{.i = {{"num_heads", kHeads}}};
  const std::string op = "com.microsoft.MultiHeadAttention";
  const auto counted = apply(op, {"q", "k", "v", "", "m"}, {q, k, v, ints({kBatch}, {3, 3})}, 1, m);
  const auto named = apply(op, {"q", "k", "v", "", "m"},
                           {q, k, v, ints({kBatch, kLength}, {1, 1, 1, 0, 0, 1, 1, 1, 0, 0})}, 1, m);
  EXPECT_LE(largest_difference(*counted[0], *fewer[0]), 1e-12);
  EXPECT_LE(largest_difference(*named[0], *fewer[0]), 1e-12);
}

// A loop whose state grows: it runs, and nothing is said of shapes that change from round to round.
TEST(Loops, AStateThatGrows) {
  GraphMaker g(16);
  g.input("x", {2, 3});
  g.ints("M", {}, {3});
  const auto body = g.body([&] {
    g.input("i", {}, onnx::TensorProto::INT64);
    g.input("going", {}, onnx::TensorProto::BOOL);
    g.input("s", {-1, 3});
    g.output(g.node("Identity", {"going"}), {}, onnx::TensorProto::BOOL);
    const std::string more = g.node("Concat", {"s", "x"}, {.i = {{"axis", 0}}});
    g.output(more, {-1, 3});
    g.output(g.node("ReduceSum", {more}, {.i = {{"keepdims", 0}}}), {});
  });
  const Strings out = g.nodes("Loop", {"M", "", "x"}, 2, {.graphs = {{"body", body}}});
  g.output(out[0], {-1, 3});
  g.output(out[1], {-1});
  const Network net = g.network();
  const ArrayPtr x = reals({2, 3}, 1);
  double sum = 0;
  for (const double v : x->reals) sum += v;
  const auto got = run(net, {x});
  EXPECT_EQ(got[0]->dims, (Ints{8, 3}));
  ASSERT_EQ(got[1]->dims, (Ints{3}));
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(got[1]->reals[i], static_cast<double>(i + 2) * sum, 1e-12);
  const auto shapes = infer(net, {std::make_shared<const Array>(Array{.type = x->type, .dims = x->dims})});
  EXPECT_FALSE(shapes[static_cast<size_t>(net.graph.outputs[0])]);
  const Graph& inner = *net.graph.nodes.back().body("body");
  EXPECT_FALSE(shapes[static_cast<size_t>(inner.outputs[1])]);
}
// What does not end is refused.
TEST(Loops, OneThatDoesNotEnd) {
  GraphMaker g(16);
  g.input("x", {1});
  const auto body = g.body([&] {
    g.input("i", {}, onnx::TensorProto::INT64);
    g.input("going", {}, onnx::TensorProto::BOOL);
    g.input("s", {1});
    g.output(g.node("Identity", {"going"}), {}, onnx::TensorProto::BOOL);
    g.output(g.node("Identity", {"s"}), {1});
  });
  g.output(g.nodes("Loop", {"", "", "x"}, 1, {.graphs = {{"body", body}}})[0], {1});
  const Network net = g.network();
  EXPECT_THROW(run(net, {reals({1}, 1)}), Error);
}

}  // namespace
}  // namespace dws::network
