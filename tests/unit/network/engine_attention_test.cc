// Attention in one operator and rotary embeddings, as the engine has them, against the reference executor.
#include "one_operator.h"

namespace dws::network {
namespace {

using dws::testing::Attributes;
using dws::testing::GraphMaker;
constexpr int kBool = onnx::TensorProto::BOOL, kInt = onnx::TensorProto::INT32,
              kLong = onnx::TensorProto::INT64;

void check(const std::string& op, const std::vector<Given>& given, size_t outputs,
           const Attributes& attributes) {
  const OneOperator made = one_operator(op, given, outputs, attributes);
  check_engine(made.network, made.samples);
}

// Several lengths, so that a block of queries is not full and there are several of them.
TEST(EngineAttention, StandardInBothLayouts) {
  for (const auto& [S, T] : {std::pair<int64_t, int64_t>{7, 7}, {1, 12}, {150, 33}})
    for (const int64_t causal : {0, 1}) {
      SCOPED_TRACE(S * 10 + causal);
      check("Attention", {flows({S, 4 * 6}), flows({T, 2 * 6}), flows({T, 2 * 5})}, 1,
            {.i = {{"q_num_heads", 4}, {"kv_num_heads", 2}, {"is_causal", causal}}});
      check("Attention", {flows({3, S, 8}), flows({3, T, 8}), flows({3, T, 9})}, 1,
            {.i = {{"is_causal", causal}}, .f = {{"scale", 0.7f}, {"softcap", 2.5f}}});
    }
}

TEST(EngineAttention, StandardMasks) {
  const Given q = flows({4, 7, 6}), kv = flows({2, 9, 6});
  for (const Given& mask : {stored({7, 9}), stored({1, 4, 1, 9}), flows({1, 7, 9}), flows({4, 7, 1}),
                            whole({1, 7, 9}, kBool, 0, 1),
                            Given{.dims = {4, 1, 9}, .stored = true, .type = kBool, .least = 0, .most = 1}})
    check("Attention", {q, kv, kv, mask}, 1, {});
  check("Attention", {q, kv, kv, flows({1, 7, 9})}, 1, {.i = {{"is_causal", 1}}});
}

// Rows that see nothing are 0, not NaN.
TEST(EngineAttention, RowsThatSeeNothing) {
  GraphMaker g(23);
  const std::string q = g.input("q", {-1, 2, 3, 4}), kv = g.input("kv", {-1, 2, 5, 4});
  std::vector<int64_t> seen(15, 1);
  std::fill_n(seen.begin() + 5, 5, 0);
  const std::string mask = g.ints("mask", {3, 5}, seen, kBool);
  g.output(g.node("Attention", {q, kv, kv, mask}), {});
  const Network network = g.network();
  const Samples s = random_samples({{2, 3, 4}, {2, 5, 4}}, 3);
  check_engine(network, s);
  Engine engine(network, {.samples = s.dims});
  const auto y = run(engine, network, s)[0];
  for (size_t i = 4; i < 8; ++i) EXPECT_EQ(y[i], 0);
}

TEST(EngineAttention, StandardPastPresentAndScores) {
  const std::vector<Given> past = {flows({4, 5, 6}), flows({2, 5, 6}), flows({2, 5, 7}),
                                   nothing(),        flows({2, 8, 6}), flows({2, 8, 7})};
  for (const int64_t causal : {0, 1})
    for (const size_t outputs : {1, 3, 4})
      for (const int64_t mode : {0, 3}) {
        SCOPED_TRACE(text("{} {} {}", causal, outputs, mode));
        check("Attention", past, outputs, {.i = {{"is_causal", causal}, {"qk_matmul_output_mode", mode}}});
      }
  // Handed on without a past, and in rows.
  check("Attention", {flows({5, 24}), flows({5, 12}), flows({5, 12})}, 3,
        {.i = {{"q_num_heads", 4}, {"kv_num_heads", 2}}});
}

TEST(EngineAttention, StandardKeysThatAreNotThere) {
  std::vector<Given> given = {flows({2, 5, 6}), flows({2, 9, 6}), flows({2, 9, 6})};
  given.insert(given.end(), 3, nothing());
  given.push_back(whole({}, kLong, 0, 9));
  check("Attention", given, 1, {});
}

TEST(EngineAttention, MultiHead) {
  const Attributes heads{.i = {{"num_heads", 3}}};
  const Attributes causal{.i = {{"num_heads", 3}, {"unidirectional", 1}}, .f = {{"scale", 0.3f}}};
  const std::string op = "com.microsoft.MultiHeadAttention";
  const Given q = flows({6, 12}), k = flows({8, 12}), v = flows({8, 15}), none = nothing();
  check(op, {q, k, v}, 1, heads);
  check(op, {q, k, v, stored({12 + 12 + 15})}, 1, causal);
  check(op, {q, flows({3, 8, 4}), flows({3, 8, 5})}, 1, causal);  // keys by heads
  check(op, {q, flows({8, 3, 2, 4})}, 1, heads);                  // keys and values packed
  check(op, {flows({6, 3, 3, 4})}, 1, causal);                    // all packed
  check(op, {q, k, v, none, none, none, flows({3, 2, 4}), flows({3, 2, 5})}, 3, causal);
  check(op, {q, k, v, stored({39}), none, none, flows({3, 2, 4}), flows({3, 2, 5})}, 1, causal);
  for (const Given& mask : {whole({}, kInt, 1, 8), whole({8}, kInt, 0, 1), whole({6, 8}, kInt, 0, 1),
                            whole({1, 6, 8}, kInt, 0, 1)})
    check(op, {q, k, v, none, mask}, 1, {.i = heads.i, .f = {{"mask_filter_value", -3.0f}}});
  check(op, {q, k, v, none, none, flows({3, 6, 8})}, 1, heads);
  check(op, {q, k, v, none, whole({8}, kInt, 0, 1), stored({1, 1, 6, 8})}, 1,
        {.i = causal.i, .f = {{"mask_filter_value", -3.0f}}});
}

TEST(EngineAttention, PackedProjections) {
  const std::string op = "com.microsoft.Attention";
  const Given x = flows({6, 10}), none = nothing();
  check(op, {x, stored({10, 36}), stored({36})}, 1, {.i = {{"num_heads", 3}}});
  check(op, {x, stored({10, 36})}, 1, {.i = {{"num_heads", 3}, {"unidirectional", 1}}});
  check(op, {x, stored({10, 8 + 8 + 12}), stored({28}), whole({6}, kInt, 0, 1)}, 1,
        {.i = {{"num_heads", 4}},
         .f = {{"mask_filter_value", -3.0f}},
         .ints = {{"qkv_hidden_sizes", {8, 8, 12}}}});
  check(op, {x, stored({10, 36}), none, whole({}, kInt, 1, 6), none, flows({1, 6, 6})}, 1,
        {.i = {{"num_heads", 3}}});
}

// The past comes as (2, B, ...): turned from a batch axis in front, and the present back.
TEST(EngineAttention, PackedProjectionsWithPast) {
  GraphMaker g(17);
  const std::string x = g.input("x", {-1, 4, 10}), past = g.input("past", {-1, 2, 3, 5, 4});
  const Attributes exchange{.ints = {{"perm", {1, 0, 2, 3, 4}}}};
  const auto y =
      g.nodes("com.microsoft.Attention",
              {x, g.weight("w", {10, 36}), g.weight("b", {36}), "", g.node("Transpose", {past}, exchange)}, 2,
              {.i = {{"num_heads", 3}, {"unidirectional", 1}}});
  g.output(y[0], {});
  g.output(g.node("Transpose", {y[1]}, exchange), {});
  check_engine(g.network(), random_samples({{4, 10}, {2, 3, 5, 4}}, 5));
}

TEST(EngineAttention, Rotary) {
  for (const int64_t interleaved : {0, 1}) {
    const Attributes a{.i = {{"interleaved", interleaved}, {"num_heads", 3}}};
    const Attributes part{.i = {{"interleaved", interleaved}, {"num_heads", 3}, {"rotary_embedding_dim", 4}}};
    const Given angles = stored({20, 4}), few = stored({20, 2}), at = whole({6}, kLong, 0, 19);
    check("RotaryEmbedding", {flows({6, 24}), angles, angles, at}, 1, a);
    check("RotaryEmbedding", {flows({3, 6, 8}), few, few, at}, 1, part);
    check("RotaryEmbedding", {flows({3, 6, 8}), flows({6, 4}), flows({6, 4})}, 1, a);
    const std::string other = "com.microsoft.RotaryEmbedding";
    check(other, {flows({6, 24}), at, angles, angles}, 1, a);
    check(
        other,
        {flows({6, 24}), Given{.dims = {1}, .stored = true, .type = kLong, .least = 3, .most = 3}, few, few},
        1, part);
  }
}

TEST(EngineAttention, RotaryRefusesAPositionBeyondTheTable) {
  const OneOperator made = one_operator(
      "RotaryEmbedding", {flows({2, 8}), stored({5, 4}), stored({5, 4}), whole({2}, kLong, 5, 5)}, 1,
      {.i = {{"num_heads", 1}}});
  Engine engine(made.network, {.samples = made.samples.dims});
  try {
    run(engine, made.network, made.samples);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_value);
    EXPECT_NE(std::string(e.what()).find("position 5 of 5"), std::string::npos) << e.what();
  }
}

// The first step with sequences of several lengths, a later one behind a cache, alone and packed, with and without turning.
TEST(EngineAttention, GroupedQueries) {
  const std::string op = "com.microsoft.GroupQueryAttention";
  const Given none = nothing();
  const auto number = [](int64_t v) {
    return Given{.dims = {1}, .stored = true, .type = kInt, .least = v, .most = v};
  };
  const Given angles = stored({32, 4});
  for (const int64_t turned : {0, 1})
    for (const size_t outputs : {1, 3}) {
      SCOPED_TRACE(text("{} {}", turned, outputs));
      const Attributes a{.i = {{"num_heads", 4}, {"kv_num_heads", 2}, {"do_rotary", turned}},
                         .f = {{"softcap", 3.0f}}};
      std::vector<Given> first = {flows({6, 32}), flows({6, 16}),        flows({6, 16}), none,
                                  none,           whole({}, kInt, 2, 5), number(6)};
      std::vector<Given> later = {flows({2, 64}),        none,      none, flows({2, 9, 8}), flows({2, 9, 8}),
                                  whole({}, kInt, 4, 9), number(10)};
      for (auto* given : {&first, &later}) {
        if (turned) given->insert(given->end(), {angles, angles});
        check(op, *given, outputs, a);
      }
      if (!turned) continue;
      later.push_back(whole({2}, kLong, 0, 31));
      check(op, later, outputs,
            {.i = {{"num_heads", 4}, {"kv_num_heads", 2}, {"do_rotary", 1}, {"rotary_interleaved", 1}},
             .f = {{"scale", 0.2f}}});
    }
}

}  // namespace
}  // namespace dws::network
