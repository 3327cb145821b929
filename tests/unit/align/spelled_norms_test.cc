// Norms spelled out in operators: a rotation goes through each way to write them, and through nothing that only looks like one.
#include <gtest/gtest.h>

#include <cmath>

#include "../network/graph_maker.h"
#include "align/orthogonal.h"
#include "testing.h"
#include "turned.h"

namespace dws::align {
namespace {

using dws::testing::Attributes;
using dws::testing::difference;
using dws::testing::Found;
using dws::testing::found;
using dws::testing::GraphMaker;
using dws::testing::Ints;
using dws::testing::random_rotation;
using dws::testing::stream_of;

constexpr int64_t kWidth = 10, kTokens = 4;

// x, scale, bias to what the norm makes.
using Norm = std::string (*)(GraphMaker& g, const std::string& x, const std::string& scale,
                             const std::string& bias);
struct Way {
  const char* name;
  int64_t opset;
  bool centred;
  Norm norm;
};

std::string mean(GraphMaker& g, const std::string& x, const char* op = "ReduceMean", int64_t axis = -1) {
  return g.node(op, {x}, {.ints = {{"axes", {axis}}}});
}
std::string squares(GraphMaker& g, const std::string& x) {
  return g.node("Pow", {x, g.scalar(2)});
}
std::string with_epsilon(GraphMaker& g, const std::string& x) {
  return g.node("Add", {x, g.scalar(1e-3F)});
}
std::string deviation(GraphMaker& g, const std::string& x) {
  return g.node("Sqrt", {with_epsilon(g, mean(g, squares(g, x)))});
}
std::string centre(GraphMaker& g, const std::string& x) {
  return g.node("Sub", {x, mean(g, x)});
}
std::string cast(GraphMaker& g, const std::string& x, int64_t type) {
  return g.node("Cast", {x}, {.i = {{"to", type}}});
}
std::string times(GraphMaker& g, const std::string& x, const std::string& y) {
  return g.node("Mul", {x, y});
}
std::string affine(GraphMaker& g, const std::string& x, const std::string& scale, const std::string& bias) {
  return g.node("Add", {times(g, x, scale), bias});
}

using S = const std::string&;
constexpr Way kWays[] = {
    {"rms_of_an_inverse", 13, false,
     [](GraphMaker& g, S x, S scale, S) {
       return times(g, scale, times(g, x, g.node("Div", {g.scalar(1), deviation(g, x)})));
     }},
    {"rms_divided", 13, false,
     [](GraphMaker& g, S x, S scale, S) {
       return times(g, g.node("Div", {x, deviation(g, x)}), scale);
     }},
    {"rms_reciprocal_of_products", 13, false,
     [](GraphMaker& g, S x, S scale, S) {
       const std::string s = g.node("Sqrt", {with_epsilon(g, mean(g, times(g, x, x)))});
       return times(g, times(g, g.node("Reciprocal", {s}), x), scale);
     }},
    {"rms_power_of_minus_a_half", 13, false,
     [](GraphMaker& g, S x, S scale, S) {
       const std::string v = with_epsilon(g, mean(g, squares(g, x)));
       return times(g, scale, times(g, x, g.node("Pow", {v, g.scalar(-0.5F)})));
     }},
    {"rms_cast", 13, false,
     [](GraphMaker& g, S x, S scale, S) {
       const std::string y = cast(g, x, onnx::TensorProto::DOUBLE);
       const std::string m = mean(g, cast(g, g.node("Pow", {y, g.scalar(2)}), onnx::TensorProto::FLOAT));
       const std::string s = cast(g, g.node("Sqrt", {with_epsilon(g, m)}), onnx::TensorProto::DOUBLE);
       return times(g, g.node("Identity", {scale}), cast(g, g.node("Div", {y, s}), onnx::TensorProto::FLOAT));
     }},
    {"rms_axes_as_input", 18, false,
     [](GraphMaker& g, S x, S scale, S) {
       const std::string m = g.node("ReduceMean", {squares(g, x), g.ints({-1})});
       return times(g, g.node("Div", {x, g.node("Sqrt", {with_epsilon(g, m)})}), scale);
     }},
    {"rms_of_a_length", 13, false,
     [](GraphMaker& g, S x, S scale, S) {
       const std::string s = g.node("ReduceL2", {x}, {.ints = {{"axes", {2}}}});
       return times(g, g.node("Div", {x, with_epsilon(g, s)}), scale);
     }},
    {"rms_of_a_sum", 13, false,
     [](GraphMaker& g, S x, S scale, S) {
       const std::string s = g.node("ReduceSumSquare", {x}, {.ints = {{"axes", {-1}}}});
       return times(g, g.node("Div", {x, g.node("Sqrt", {with_epsilon(g, s)})}), scale);
     }},
    {"rms_with_a_bias", 13, false,
     [](GraphMaker& g, S x, S scale, S bias) {
       return g.node("Add", {bias, times(g, g.node("Div", {x, deviation(g, x)}), scale)});
     }},
    {"layer_norm", 13, true,
     [](GraphMaker& g, S x, S scale, S bias) {
       const std::string d = centre(g, x);
       return affine(g, g.node("Div", {d, deviation(g, d)}), scale, bias);
     }},
    {"layer_norm_of_products", 18, true,
     [](GraphMaker& g, S x, S scale, S bias) {
       const std::string d = g.node("Sub", {x, g.node("ReduceMean", {x, g.ints({2})})});
       const std::string v = with_epsilon(g, g.node("ReduceMean", {times(g, d, d), g.ints({2})}));
       return affine(g, times(g, d, g.node("Reciprocal", {g.node("Sqrt", {v})})), scale, bias);
     }},
    {"layer_norm_centred_twice", 13, true,
     [](GraphMaker& g, S x, S scale, S bias) {
       const std::string d = centre(g, x);
       return affine(g, g.node("Div", {centre(g, x), deviation(g, d)}), scale, bias);
     }},
};

// Tokens, a block (norm, two layers, their sum), a norm, a head.
Found made(int64_t opset, Norm norm) {
  GraphMaker g(opset, 3);
  const std::string ids = g.input("ids", {2, kTokens}, onnx::TensorProto::INT64);
  std::string x = g.node("Gather", {g.weight("embedding", {12, kWidth}), ids});
  x = g.node("Add", {x, g.weight("position", {kTokens, kWidth})});
  const std::string n =
      norm(g, x, g.weight("block.norm", {kWidth}), g.weight("block.norm_bias", {1, 1, kWidth}));
  const std::string h = g.node("Relu", {g.node("MatMul", {n, g.weight("up", {kWidth, 14})})});
  x = g.node("Add", {x, g.node("MatMul", {h, g.weight("down", {14, kWidth})})});
  x = norm(g, x, g.weight("norm", {kWidth}), g.weight("norm_bias", {kWidth}));
  x = g.node("MatMul", {x, g.weight("head", {kWidth, 7})});
  g.graph().mutable_node(g.graph().node_size() - 1)->set_output(0, "y");
  g.output("y", {2, kTokens, 7});
  return found(g.network());
}

class SpelledNorm : public ::testing::TestWithParam<Way> {};

TEST_P(SpelledNorm, ARotationGoesThrough) {
  const Found f = made(GetParam().opset, GetParam().norm);
  const ResidualStream stream = stream_of(f);
  EXPECT_EQ(stream.width, kWidth);
  EXPECT_EQ(stream.fixes_ones, GetParam().centred);
  ASSERT_EQ(stream.norms.size(), 2u);
  for (const StreamNorm& norm : stream.norms) {
    EXPECT_EQ(norm.kept_by, "");
    EXPECT_EQ(norm.readers.size(), 1u);
  }
  const Numbers numbers = read_numbers(f.spec, f.network);
  const Numbers absorbed = absorb_norms(f.spec, stream, numbers, "net");
  EXPECT_LE(difference(f, numbers, absorbed), 2e-6);
  const StreamTurn turn(f.spec, stream, "net");
  const std::vector<float> o = random_rotation(kWidth, stream.fixes_ones, 1);
  EXPECT_LE(difference(f, numbers, turn.act(o, absorbed)), 1e-5);
  EXPECT_GT(difference(f, numbers, turn.act(o, numbers)), 1e-3);
  if (stream.fixes_ones) {
    EXPECT_GT(difference(f, numbers, turn.act(random_rotation(kWidth, false, 1), absorbed)), 1e-3);
  }
  // A network turned so is found again.
  Rng rng(2);
  const Numbers b =
      act(without_stream(f.spec, stream), symmetry::random_element(without_stream(f.spec, stream), {}, rng),
          turn.act(o, absorbed));
  EXPECT_GT(match_orthogonal(f.spec, stream, f.network, dws::testing::with(f, b), {}).cosine_after, 1 - 1e-6);
}
INSTANTIATE_TEST_SUITE_P(Ways, SpelledNorm, ::testing::ValuesIn(kWays),
                         [](const auto& test) { return test.param.name; });

void refuses(Norm norm, const std::string& why) {
  const Found f = made(13, norm);
  dws::testing::expect_error(
      ErrorKind::unsupported,
      [&] { (void)absorb_norms(f.spec, stream_of(f), read_numbers(f.spec, f.network), "net"); }, why);
}

TEST(SpelledNorms, WhatIsNoneIsRefusedByName) {
  // Cubes.
  refuses(
      [](GraphMaker& g, S x, S scale, S) {
        const std::string v = mean(g, g.node("Pow", {x, g.scalar(3)}));
        return times(g, g.node("Div", {x, g.node("Add", {deviation(g, x), v})}), scale);
      },
      "(Pow) is not linear along the features");
  // Squares over tokens.
  refuses(
      [](GraphMaker& g, S x, S scale, S) {
        const std::string v = mean(g, squares(g, x), "ReduceMean", 1);
        return times(g, g.node("Div", {x, g.node("Sqrt", {with_epsilon(g, v)})}), scale);
      },
      "(ReduceMean) reads squares of features and does not sum them");
  // The largest square.
  refuses(
      [](GraphMaker& g, S x, S scale, S) {
        const std::string v = mean(g, squares(g, x), "ReduceMax");
        return times(g, g.node("Div", {x, g.node("Add", {deviation(g, x), v})}), scale);
      },
      "(ReduceMax) reads squares of features and does not sum them");
  refuses(
      [](GraphMaker& g, S x, S scale, S) {
        const std::string v = g.node("ReduceL2", {x}, {.ints = {{"axes", {1}}}});
        return times(g, g.node("Div", {x, with_epsilon(g, v)}), scale);
      },
      "(ReduceL2) keeps squares of features apart");
  // An epsilon for each feature.
  refuses(
      [](GraphMaker& g, S x, S scale, S bias) {
        const std::string v = g.node("Add", {mean(g, squares(g, x)), times(g, bias, bias)});
        return times(g, g.node("Div", {x, g.node("Sqrt", {v})}), scale);
      },
      "(Div) multiplies each feature by a number of its own");
  // What is scaled is measured.
  refuses(
      [](GraphMaker& g, S x, S scale, S) {
        const std::string y = times(g, x, scale);
        return g.node("Div", {y, deviation(g, y)});
      },
      "(Pow) measures what it makes");
  // What is scaled is centred.
  refuses(
      [](GraphMaker& g, S x, S scale, S) {
        const std::string y = times(g, g.node("Div", {x, deviation(g, x)}), scale);
        return g.node("Sub", {y, mean(g, y)});
      },
      "(ReduceMean) measures what it makes");
  // Two scales one after another.
  refuses(
      [](GraphMaker& g, S x, S scale, S bias) {
        return times(g, times(g, g.node("Div", {x, deviation(g, x)}), scale), bias);
      },
      "(Mul) scales what it makes anew");
  // The scale is a bias as well.
  refuses(
      [](GraphMaker& g, S x, S scale, S) {
        return g.node("Add", {times(g, g.node("Div", {x, deviation(g, x)}), scale), scale});
      },
      "(Mul) multiplies each feature by a number of its own");
  // Rounded.
  refuses(
      [](GraphMaker& g, S x, S scale, S) {
        const std::string y = cast(g, cast(g, x, onnx::TensorProto::INT32), onnx::TensorProto::FLOAT);
        return times(g, g.node("Div", {y, deviation(g, y)}), scale);
      },
      "(Cast) rounds features to whole numbers");
}

// Squares that are no norm's: an activation.
TEST(SpelledNorms, SquaresAlone) {
  GraphMaker g(13);
  const std::string h = g.node("MatMul", {g.input("x", {2, kWidth}), g.weight("up", {kWidth, 14})});
  g.node("MatMul", {times(g, h, h), g.weight("down", {14, 5})});
  g.graph().mutable_node(g.graph().node_size() - 1)->set_output(0, "y");
  g.output("y", {2, 5});
  const Found f = found(g.network());
  dws::testing::expect_error(
      ErrorKind::unsupported, [&] { (void)stream_of(f); }, "no residual stream");
}

// One bias for two scales: what becomes of it differs.
TEST(SpelledNorms, ABiasOfTwoNorms) {
  GraphMaker g(13);
  const std::string ids = g.input("ids", {2, kTokens}, onnx::TensorProto::INT64);
  std::string x = g.node("Gather", {g.weight("embedding", {12, kWidth}), ids});
  const std::string bias = g.weight("bias", {kWidth});
  const std::string n = affine(g, g.node("Div", {x, deviation(g, x)}), g.weight("first", {kWidth}), bias);
  const std::string h = g.node("MatMul", {n, g.weight("up", {kWidth, 6})});
  x = g.node("Add", {x, g.node("MatMul", {h, g.weight("down", {6, kWidth})})});
  x = affine(g, g.node("Div", {x, deviation(g, x)}), g.weight("second", {kWidth}), bias);
  x = g.node("MatMul", {x, g.weight("head", {kWidth, 7})});
  g.graph().mutable_node(g.graph().node_size() - 1)->set_output(0, "y");
  g.output("y", {2, kTokens, 7});
  const Found f = found(g.network());
  dws::testing::expect_error(
      ErrorKind::unsupported,
      [&] { (void)absorb_norms(f.spec, stream_of(f), read_numbers(f.spec, f.network), "net"); },
      "the bias 'bias' is read by others than one norm");
}

// As PyTorch exports them.
TEST(SpelledNorms, OfExportedNetworks) {
  for (const auto& [file, norms, centred] : {std::tuple("decoder", 5u, false),
                                             {"encoder_pre_norm", 4u, true},
                                             {"encoder_fused", 4u, true},
                                             {"vit", 5u, true}}) {
    const Found f = found(file);
    const ResidualStream stream = stream_of(f);
    EXPECT_EQ(stream.norms.size(), norms) << file;
    EXPECT_EQ(stream.fixes_ones, centred) << file;
    const Numbers numbers = read_numbers(f.spec, f.network);
    const StreamTurn turn(f.spec, stream, file);
    const std::vector<float> o = random_rotation(stream.width, centred, 1);
    EXPECT_LE(difference(f, numbers, turn.act(o, absorb_norms(f.spec, stream, numbers, file))), 1e-5) << file;
  }
}

}  // namespace
}  // namespace dws::align
