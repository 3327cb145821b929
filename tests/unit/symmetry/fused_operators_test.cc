// Operators that stand for several: the same numbers as their parts, groups as large, and the symmetry holds.
#include <gtest/gtest.h>

#include <cmath>

#include "as_weights.h"
#include "found.h"

namespace dws::symmetry {
namespace {

using testing::GraphMaker;
using testing::Ints;
using testing::Strings;

struct FusedCase {
  std::string name;
  Make fused, plain;
  int groups;
  std::string kinds;
};
std::ostream& operator<<(std::ostream& out, const FusedCase& c) {
  return out << c.name;
}

// x (4, 6) -> Linear 9 -> what `middle` makes of it -> Linear 3.
template <class Middle>
Make mlp(Middle middle) {
  return [middle](GraphMaker& g) {
    g.input("x", {4, 6});
    const std::string h = g.node("MatMul", {"x", g.weight("A", {6, 9})});
    const std::string y = middle(g, h);
    g.output(g.node("MatMul", {y, g.weight("B", {9, 3})}), {4, 3});
  };
}
std::string gelu(GraphMaker& g, const std::string& x) {
  return g.node("Gelu", {x});
}

std::string added(GraphMaker& g, const std::string& h) {
  return g.node("Add", {h, g.node("MatMul", {"x", g.weight("C", {6, 9})})});
}
Strings norm_weights(GraphMaker& g, bool centred) {
  Strings weights = {g.weight("scale", {9})};
  if (centred) weights.push_back(g.weight("shift", {9}));
  return weights;
}
std::string plain_norm(GraphMaker& g, const std::string& h, bool centred, bool bias) {
  std::string sum = added(g, h);
  if (bias) sum = g.node("Add", {sum, g.weight("bias", {9})});
  Strings in = {sum};
  for (const std::string& w : norm_weights(g, centred)) in.push_back(w);
  const std::string y = g.node(centred ? "LayerNormalization" : "RMSNormalization", in);
  return g.node("Add", {y, g.node("MatMul", {sum, g.weight("D", {9, 9})})});
}
std::string skip_norm(GraphMaker& g, const std::string& h, bool centred, bool bias) {
  Strings in = {h, g.node("MatMul", {"x", g.weight("C", {6, 9})})};
  const std::string b = bias ? g.weight("bias", {9}) : "";
  for (const std::string& w : norm_weights(g, centred)) in.push_back(w);
  if (bias) in.push_back(b);
  const Strings out = g.nodes(
      centred ? "com.microsoft.SkipLayerNormalization" : "com.microsoft.SkipSimplifiedLayerNormalization", in,
      4);
  return g.node("Add", {out[0], g.node("MatMul", {out[3], g.weight("D", {9, 9})})});
}

// x (2, 3, 6, 6) -> Conv 8 -> Conv 5, the first with an activation and what `sum` adds.
Make conv(bool fused, const std::string& activation, bool sum) {
  return [=](GraphMaker& g) {
    g.input("x", {2, 3, 6, 6});
    const std::string w = g.weight("W", {8, 3, 3, 3}), b = g.weight("b", {8});
    Strings in = {"x", w, b};
    const std::string z = sum ? g.node("Conv", {"x", g.weight("Z", {8, 3, 3, 3})}) : "";
    std::string y;
    if (fused) {
      if (sum) in.push_back(z);
      y = g.node("com.microsoft.FusedConv", in, {.s = {{"activation", activation}}});
    } else {
      y = g.node("Conv", in);
      if (sum) y = g.node("Add", {y, z});
      y = g.node(activation, {y});
    }
    const std::string out = g.node("Conv", {y, g.weight("V", {5, 8, 2, 2})});
    g.output(out, {2, 5, 3, 3});
  };
}

// A weight (N, K) of 4 bits: its bytes, scales and zero points, and the numbers they stand for, transposed.
struct Blocks {
  Ints bytes{}, zeros{};
  std::vector<float> scales{}, turned{};
};
Blocks blocks(int64_t N, int64_t K, int64_t block, bool zero_points, uint64_t seed) {
  Rng rng(seed);
  Blocks b;
  const int64_t count = K / block;
  b.turned.resize(static_cast<size_t>(N * K));
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t i = 0; i < (count + 1) / 2; ++i) b.zeros.push_back(0);
    for (int64_t i = 0; i < count; ++i) {
      b.scales.push_back(static_cast<float>(rng.uniform(0.1, 0.4)));
      const auto zero = zero_points ? static_cast<int64_t>(rng.below(16)) : 8;
      b.zeros[static_cast<size_t>(n * ((count + 1) / 2) + i / 2)] |= zero << (4 * (i % 2));
      for (int64_t k = 0; k < block; k += 2) {
        const auto low = static_cast<int64_t>(rng.below(16)), high = static_cast<int64_t>(rng.below(16));
        b.bytes.push_back(low | high << 4);
        for (const auto& [q, at] : {std::pair(low, k), std::pair(high, k + 1)})
          b.turned[static_cast<size_t>((i * block + at) * N + n)] =
              b.scales.back() * static_cast<float>(q - zero);
      }
    }
  }
  return b;
}
// x (4, 16) -> 12 in blocks of 8 -> Gelu -> 32 in blocks of 4, ReLU, -> 3 as floats.
Make few_bits(bool fused, bool zero_points) {
  return [=](GraphMaker& g) {
    g.input("x", {4, 16});
    const auto product = [&](const std::string& x, const std::string& name, int64_t N, int64_t K,
                             int64_t block) {
      const Blocks b = blocks(N, K, block, zero_points, static_cast<uint64_t>(N));
      const int64_t count = K / block;
      if (!fused) return g.node("MatMul", {x, g.floats(name, {K, N}, b.turned)});
      Strings in = {x, g.ints(name, {N, count, block / 2}, b.bytes, onnx::TensorProto::UINT8),
                    g.floats(name + "s", {N * count}, b.scales)};
      if (zero_points)
        in.push_back(g.ints(name + "z", {N * ((count + 1) / 2)}, b.zeros, onnx::TensorProto::UINT8));
      return g.node("com.microsoft.MatMulNBits", in,
                    {.i = {{"K", K}, {"N", N}, {"bits", 4}, {"block_size", block}}});
    };
    const std::string h = gelu(g, product("x", "W", 12, 16, 8));
    const std::string k =
        g.node("Relu", {product(g.node("Concat", {h, h}, {.i = {{"axis", 1}}}), "V", 32, 24, 4)});
    g.output(g.node("MatMul", {k, g.weight("U", {32, 3})}), {4, 3});
  };
}

// x (5, 2, 4) -> LSTM of 6 units with weights of 8 bits -> 3.
Make few_bits_lstm(bool fused) {
  return [=](GraphMaker& g) {
    g.input("x", {5, 2, 4});
    const auto bytes = [&](const std::string& name, int64_t rows) {
      Ints values;
      for (int64_t i = 0; i < rows * 24; ++i) values.push_back((17 + 5 * i * i) % 251);
      return g.ints(name, {1, rows, 24}, values, onnx::TensorProto::UINT8);
    };
    std::vector<float> steps(24);
    for (size_t i = 0; i < steps.size(); ++i) steps[i] = 0.002f + 0.0003f * static_cast<float>(i);
    const Ints dims = fused ? Ints{1, 24} : Ints{24};
    const std::string w = bytes("W", 4), r = bytes("R", 6), b = g.weight("B", {1, 48}),
                      s = g.floats("s", dims, steps),
                      z = g.ints("z", dims, Ints(24, 120), onnx::TensorProto::UINT8);
    std::string y;
    if (fused) {
      y = g.node("com.microsoft.DynamicQuantizeLSTM", {"x", w, r, b, "", "", "", "", s, z, s, z});
    } else {
      const auto real = [&](const std::string& q) {
        return g.node("Transpose", {g.node("DequantizeLinear", {q, s, z}, {.i = {{"axis", 2}}})},
                      {.ints = {{"perm", {0, 2, 1}}}});
      };
      y = g.node("LSTM", {"x", real(w), real(r), b});
    }
    g.output(g.node("MatMul", {y, g.weight("C", {6, 3})}), {5, 1, 2, 3});
  };
}

class Fused : public ::testing::TestWithParam<FusedCase> {};

TEST_P(Fused, GivesTheNumbersOfItsParts) {
  const Found fused = found(GetParam().fused), plain = found(GetParam().plain);
  Rng rng(3);
  const auto inputs = random_inputs(fused.net, fused.inputs, {}, rng);
  const auto a = network::Executor(fused.net, network::Precision::f64).run(inputs),
             b = network::Executor(plain.net, network::Precision::f64).run(inputs);
  ASSERT_EQ(a.size(), 1u);
  // Weights of few bits are floats in the plain network.
  EXPECT_LE(relative_difference(a, b), GetParam().name.starts_with("few_bits") ? 1e-6 : 1e-10);
  EXPECT_GT(std::abs(a[0]->reals.at(0)), 0);
}
TEST_P(Fused, HasTheGroupsOfItsParts) {
  const Found fused = found(GetParam().fused), plain = found(GetParam().plain);
  EXPECT_EQ(fused.spec.free_groups(), GetParam().groups);
  EXPECT_EQ(kinds_of(fused.spec), GetParam().kinds);
  if (!GetParam().name.starts_with("few_bits")) {
    EXPECT_EQ(groups_of(fused.spec), groups_of(plain.spec));
  }
}
TEST_P(Fused, ItsSymmetryHolds) {
  const Found fused = found(GetParam().fused);
  const Verdict verdict = verify(fused.net, fused.inputs, fused.spec, {.trials = 3});
  EXPECT_TRUE(verdict.holds) << verdict.difference << ' ' << verdict.guilty;
  EXPECT_TRUE(verdict.control);
}

// And where its inputs are weights too.
TEST_P(Fused, HoldsOfWeightsForInputs) {
  EXPECT_GT(claims_of_weights(GetParam().name, found(GetParam().fused)), 0);
}

template <class A, class B>
FusedCase activation(const std::string& name, A fused, B plain) {
  return {name, mlp(fused), mlp(plain), 1, ""};
}
FusedCase norm(const std::string& name, bool centred, bool bias) {
  return {name, mlp([=](GraphMaker& g, const std::string& h) { return skip_norm(g, h, centred, bias); }),
          mlp([=](GraphMaker& g, const std::string& h) { return plain_norm(g, h, centred, bias); }), 1,
          "scale sign"};
}
INSTANTIATE_TEST_SUITE_P(
    Operators, Fused,
    ::testing::Values(
        activation(
            "bias_gelu",
            [](GraphMaker& g, const std::string& h) {
              return g.node("com.microsoft.BiasGelu", {h, g.weight("b", {9})});
            },
            [](GraphMaker& g, const std::string& h) {
              return gelu(g, g.node("Add", {h, g.weight("b", {9})}));
            }),
        activation(
            "fast_gelu",
            [](GraphMaker& g, const std::string& h) {
              return g.node("com.microsoft.FastGelu", {h, g.weight("b", {9})});
            },
            [](GraphMaker& g, const std::string& h) {
              return g.node("Gelu", {g.node("Add", {h, g.weight("b", {9})})},
                            {.s = {{"approximate", "tanh"}}});
            }),
        activation(
            "quick_gelu",
            [](GraphMaker& g, const std::string& h) {
              return g.node("com.microsoft.QuickGelu", {h}, {.f = {{"alpha", 1.5f}}});
            },
            [](GraphMaker& g, const std::string& h) {
              return g.node("Mul", {h, g.node("Sigmoid", {g.node("Mul", {h, g.scalar(1.5f)})})});
            }),
        FusedCase{"fused_matmul", mlp([](GraphMaker& g, const std::string& h) {
                    return g.node("Relu", {g.node("com.microsoft.FusedMatMul", {h, g.weight("C", {9, 9})},
                                                  {.i = {{"transB", 1}}, .f = {{"alpha", 0.5f}}})});
                  }),
                  mlp([](GraphMaker& g, const std::string& h) {
                    const std::string turned = g.node("Transpose", {g.weight("C", {9, 9})});
                    return g.node("Relu", {g.node("Mul", {g.node("MatMul", {h, turned}), g.scalar(0.5f)})});
                  }),
                  2, "scale sign"},
        norm("skip_layer_norm", true, true), norm("skip_layer_norm_no_bias", true, false),
        norm("skip_rms_norm", false, true), norm("skip_rms_norm_no_bias", false, false),
        FusedCase{"fused_conv", conv(true, "Relu", false), conv(false, "Relu", false), 1, "scale"},
        FusedCase{"fused_conv_sum", conv(true, "Relu", true), conv(false, "Relu", true), 1, "scale"},
        FusedCase{"fused_conv_tanh", conv(true, "Tanh", true), conv(false, "Tanh", true), 1, "sign"},
        FusedCase{"fused_conv_sigmoid", conv(true, "Sigmoid", false), conv(false, "Sigmoid", false), 1, ""},
        // The first's rows stand in whole blocks of the second's columns, or not at all where zero points
        // share a byte.
        FusedCase{"few_bits", few_bits(true, false), few_bits(false, false), 2, "scale"},
        FusedCase{"few_bits_lstm", few_bits_lstm(true), few_bits_lstm(false), 1, ""},
        FusedCase{"few_bits_zero_points", few_bits(true, true), few_bits(false, true), 1, "scale"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace dws::symmetry
