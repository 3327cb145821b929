// The rules of operators that no exported network of tests/models has: how large the symmetry is, and that it holds.
#include <gtest/gtest.h>

#include "as_weights.h"
#include "found.h"

namespace dws::symmetry {
namespace {

using testing::GraphMaker;
using testing::Ints;
using testing::Strings;

struct RuleCase {
  std::string name;
  Make make;
  int groups;
  std::string kinds;
};
std::ostream& operator<<(std::ostream& out, const RuleCase& c) {
  return out << c.name;
}
constexpr auto kBoolean = onnx::TensorProto::BOOL;
constexpr auto kBytes = onnx::TensorProto::UINT8;

Ints bytes(int64_t n, int64_t step) {
  Ints values;
  for (int64_t i = 0; i < n; ++i) values.push_back((17 + step * i * i) % 251);
  return values;
}
std::vector<float> scales(int64_t n) {
  std::vector<float> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(0.01f + 0.003f * static_cast<float>(i));
  return values;
}

// h' = tanh(x_t W + h R), y_t = relu(h' A) B: 7 units go round, 9 are made and used within a round.
void step(GraphMaker& g) {
  const std::string h =
      g.node("Tanh", {g.node("Add", {g.node("MatMul", {"x_t", "W"}), g.node("MatMul", {"h_t", "R"})})});
  g.output(h, {2, 7});
  g.output(g.node("MatMul", {g.node("Relu", {g.node("MatMul", {h, "A"})}), "B"}), {2, 3});
}
void step_weights(GraphMaker& g) {
  g.weight("W", {4, 7});
  g.weight("R", {7, 7});
  g.weight("A", {7, 9});
  g.weight("B", {9, 3});
  g.floats("h", {2, 7}, std::vector<float>(14, 0.0f));
}
void scanned(GraphMaker& g, bool backward) {
  g.input("x", {2, 5, 4});
  step_weights(g);
  const auto body = g.body([&] {
    g.input("h_t", {2, 7});
    g.input("x_t", {2, 4});
    step(g);
  });
  const Strings out = g.nodes("Scan", {"h", "x"}, 2,
                              {.i = {{"num_scan_inputs", 1}},
                               .ints = {{"scan_input_axes", {1}}, {"scan_input_directions", {backward}}},
                               .graphs = {{"body", body}}});
  g.output(out[1], {5, 2, 3});
}
// A weight's rows, one a round: in the order of the rounds.
void scanned_weights(GraphMaker& g) {
  g.input("h", {2, 7});
  g.weight("T", {5, 7});
  g.weight("R", {7, 7});
  const auto body = g.body([&] {
    g.input("h_t", {2, 7});
    g.input("t", {7});
    const std::string sum = g.node("Add", {g.node("MatMul", {"h_t", "R"}), "t"});
    g.output(g.node("Tanh", {sum}), {2, 7});
  });
  g.output(g.nodes("Scan", {"h", "T"}, 1, {.i = {{"num_scan_inputs", 1}}, .graphs = {{"body", body}}})[0],
           {2, 7});
}
void looped(GraphMaker& g) {
  g.input("x_t", {2, 4});
  step_weights(g);
  g.ints("M", {}, {4});
  const auto body = g.body([&] {
    g.input("i", {}, onnx::TensorProto::INT64);
    g.input("going", {}, kBoolean);
    g.input("h_t", {2, 7});
    g.output(g.node("Identity", {"going"}), {}, kBoolean);
    step(g);
  });
  const Strings out = g.nodes("Loop", {"M", "", "h"}, 2, {.graphs = {{"body", body}}});
  g.output(g.node("Add", {out[1], g.node("MatMul", {out[0], g.weight("C", {7, 3})})}), {4, 2, 3});
}
// What goes round grows: nothing is said of it, and what it is multiplied by stays.
void growing(GraphMaker& g) {
  g.input("x", {2, 4});
  g.weight("W", {4, 7});
  g.ints("M", {}, {3});
  const std::string first = g.node("MatMul", {"x", "W"});
  const auto body = g.body([&] {
    g.input("i", {}, onnx::TensorProto::INT64);
    g.input("going", {}, kBoolean);
    g.input("s", {-1, 7});
    g.output(g.node("Identity", {"going"}), {}, kBoolean);
    g.output(g.node("Concat", {"s", g.node("Tanh", {first})}, {.i = {{"axis", 0}}}), {-1, 7});
  });
  const std::string all = g.nodes("Loop", {"M", "", first}, 1, {.graphs = {{"body", body}}})[0];
  g.output(g.node("MatMul", {all, g.weight("V", {7, 3})}), {-1, 3});
}

// The same with a rectifier for the state: it may be scaled, in all rounds alike.
void scanned_rectified(GraphMaker& g) {
  g.input("x", {2, 5, 4});
  step_weights(g);
  const auto body = g.body([&] {
    g.input("h_t", {2, 7});
    g.input("x_t", {2, 4});
    const std::string sum = g.node("Add", {g.node("MatMul", {"x_t", "W"}), g.node("MatMul", {"h_t", "R"})});
    const std::string h = g.node("Relu", {sum});
    g.output(h, {2, 7});
    g.output(g.node("Identity", {h}), {2, 7});
  });
  const Strings out = g.nodes(
      "Scan", {"h", "x"}, 2,
      {.i = {{"num_scan_inputs", 1}}, .ints = {{"scan_input_axes", {1}}}, .graphs = {{"body", body}}});
  g.output(g.node("MatMul", {out[1], g.weight("C", {7, 3})}), {5, 2, 3});
}

// Five rows of six numbers that a matrix (6, 6) mixes: the rows may be reordered, but not each number's on its own.
void mixed_rows(GraphMaker& g) {
  g.input("x", {1, 6});
  const std::string rows = g.node("Add", {g.weight("L", {5, 6}), g.weight("M", {5, 6})});
  const std::string sum = g.node("Add", {rows, g.node("MatMul", {rows, g.weight("W", {6, 6})})});
  const std::string all = g.node("ReduceSum", {g.node("Tanh", {g.node("Add", {sum, "x"})}), g.ints({0})});
  g.output(all, {1, 6});
}
// GRU of both directions over sequences that an embedding of the batch's numbers begins.
void both_directions(GraphMaker& g) {
  g.input("x", {5, 2, 4});
  const Strings out =
      g.nodes("GRU", {"x", g.weight("W", {2, 21, 4}), g.weight("R", {2, 21, 7}), g.weight("B", {2, 42})}, 2,
              {.s = {{"direction", "bidirectional"}}});
  const std::string last =
      g.node("Reshape", {g.node("Transpose", {out[1]}, {.ints = {{"perm", {1, 0, 2}}}}), g.ints({2, 14})});
  const std::string sum =
      g.node("ReduceSum", {g.node("MatMul", {last, g.weight("C", {14, 3})}), g.ints({0})});
  g.output(sum, {1, 3});
}
// The same of weights of 8 bits, with a scale for each column.
void lstm_of_few_bits(GraphMaker& g) {
  g.input("x", {5, 2, 4});
  const auto bits = [&](const std::string& name, const Ints& dims, int64_t n, int64_t seed) {
    return g.ints(name, dims, bytes(n, seed), kBytes);
  };
  const auto scale = [&](const std::string& name) { return g.floats(name, {2, 28}, scales(56)); };
  const auto zero = [&](const std::string& name) { return g.ints(name, {2, 28}, Ints(56, 120), kBytes); };
  const Strings in = {"x",
                      bits("W", {2, 4, 28}, 224, 3),
                      bits("R", {2, 7, 28}, 392, 5),
                      g.weight("B", {2, 56}),
                      "",
                      "",
                      "",
                      "",
                      scale("Ws"),
                      zero("Wz"),
                      scale("Rs"),
                      zero("Rz")};
  const std::string y =
      g.nodes("com.microsoft.DynamicQuantizeLSTM", in, 1, {.s = {{"direction", "bidirectional"}}})[0];
  const std::string wide =
      g.node("Reshape", {g.node("Transpose", {y}, {.ints = {{"perm", {0, 2, 1, 3}}}}), g.ints({5, 2, 14})});
  g.output(g.node("MatMul", {wide, g.weight("C", {14, 3})}), {5, 2, 3});
}
// Both directions added: one order for both.
void directions_added(GraphMaker& g) {
  g.input("x", {5, 2, 4});
  const Strings out =
      g.nodes("LSTM", {"x", g.weight("W", {2, 28, 4}), g.weight("R", {2, 28, 7}), g.weight("B", {2, 56})}, 1,
              {.s = {{"direction", "bidirectional"}}});
  g.output(g.node("MatMul", {g.node("ReduceSum", {out[0], g.ints({1})}), g.weight("C", {7, 3})}),
           {5, 1, 2, 3});
}

// x (3, 6) -> 8 units -> what `middle` makes of them -> 2.
template <class Middle>
Make mlp_with(Middle middle) {
  return [middle](GraphMaker& g) {
    g.input("x", {3, 6});
    const std::string y = middle(g, g.node("Relu", {g.node("MatMul", {"x", g.weight("A", {6, 8})})}));
    g.output(g.node("MatMul", {y, g.weight("B", {8, 2})}), {-1, 2});
  };
}
// A branch that shapes decide: one squeezes, the other has nothing to squeeze.
std::string squeezed(GraphMaker& g, const std::string& h) {
  const std::string u = g.node("Unsqueeze", {h, g.ints({1})});
  const std::string one =
      g.node("Equal", {g.node("Gather", {g.node("Shape", {u}), g.ints({1})}), g.ints({1})});
  const auto then_branch = g.body([&] {
    g.output(g.node("Squeeze", {u, g.ints({1})}), {-1, 8});
  }),
             else_branch = g.body([&] {
               g.output(g.node("Identity", {u}), {-1, -1, 8});
             });
  return g.node("If", {one}, {.graphs = {{"then_branch", then_branch}, {"else_branch", else_branch}}});
}
// A branch that an input decides.
std::string chosen(GraphMaker& g, const std::string& h) {
  g.input("which", {1}, kBoolean);
  const auto branch = [&](const std::string& name) {
    return g.body([&] { g.output(g.node("Relu", {g.node("Add", {h, g.weight(name, {8})})}), {-1, 8}); });
  };
  return g.node("If", {"which"}, {.graphs = {{"then_branch", branch("b")}, {"else_branch", branch("c")}}});
}
// A branch that changes the sign of nothing, and one that holds all at 1.
std::string chosen_sigmoid(GraphMaker& g, const std::string& h) {
  g.input("which", {1}, kBoolean);
  const auto branch = [&](const std::string& op) {
    return g.body([&] { g.output(g.node(op, {h}), {-1, 8}); });
  };
  return g.node("If", {"which"},
                {.graphs = {{"then_branch", branch("Relu")}, {"else_branch", branch("Sigmoid")}}});
}
std::string gathered(GraphMaker& g, const std::string& h) {
  return g.node("GatherND", {h, g.ints("at", {2, 1}, {2, 0})});
}
std::string scattered(GraphMaker& g, const std::string& h, const std::string& how) {
  const std::string put = g.node("MatMul", {g.node("Gather", {"x", g.ints({0, 1})}), g.weight("C", {6, 8})});
  return g.node("ScatterND", {h, g.ints("at", {2, 1}, {2, 0}), put}, {.s = {{"reduction", how}}});
}

// x (2, 3, 6, 6) -> Conv 8 -> `middle` -> Conv 2.
template <class Middle>
Make cnn(Middle middle) {
  return [middle](GraphMaker& g) {
    g.input("x", {2, 3, 6, 6});
    const std::string y = middle(g, g.node("Relu", {g.node("Conv", {"x", g.weight("A", {8, 3, 1, 1})})}));
    g.output(g.node("Conv", {y, g.weight("B", {2, 8, 1, 1})}), {-1, 2, -1, -1});
  };
}
std::string padded(GraphMaker& g, const std::string& h, float value) {
  return g.node("Pad", {h, g.ints({0, 0, 1, 1, 0, 0, 1, 1}), g.scalar(value)});
}
std::string resized(GraphMaker& g, const std::string& h) {
  return g.node("Resize", {h, "", g.floats("scales", {4}, {1, 1, 2, 1.5f})}, {.s = {{"mode", "linear"}}});
}
std::string regions(GraphMaker& g, const std::string& h) {
  return g.node("RoiAlign", {h, g.floats("rois", {2, 4}, {0, 0, 3, 4, 1, 1, 5, 5}), g.ints({1, 0})},
                {.i = {{"output_height", 2}, {"output_width", 3}}});
}
std::string at_grid(GraphMaker& g, const std::string& h) {
  std::vector<float> places(2 * 2 * 3 * 2);
  for (size_t i = 0; i < places.size(); ++i) places[i] = -0.9f + 0.07f * static_cast<float>(i);
  return g.node("GridSample", {h, g.floats("grid", {2, 2, 3, 2}, places)}, {.s = {{"mode", "bilinear"}}});
}

// Bytes x (2, 6) -> 8 -> 3; each row of the first weight with a scale of its own.
void quantised(GraphMaker& g, bool convolution, const std::string& joined = "QLinearAdd") {
  const Ints tail = convolution ? Ints{1, 1} : Ints{};
  const auto dims = [&](Ints d) {
    d.insert(d.end(), tail.begin(), tail.end());
    return d;
  };
  g.input("x", convolution ? Ints{2, 6, 3, 3} : Ints{2, 6}, kBytes);
  g.floats("s", {}, {0.05f});
  g.floats("t", {}, {0.5f});
  g.ints("z", {}, {0}, kBytes);
  g.floats("S", {8}, scales(8));
  g.ints("Z", {8}, bytes(8, 3), kBytes);
  const std::string op = convolution ? "QLinearConv" : "QLinearMatMul";
  const auto weight = [&](const std::string& name, int64_t out, int64_t in, int64_t seed) {
    return g.ints(name, convolution ? dims({out, in}) : Ints{in, out}, bytes(out * in, seed), kBytes);
  };
  Strings first = {"x", "s", "z", weight("A", 8, 6, 5), "S", "Z", "s", "z"};
  if (convolution)
    first.push_back(g.ints("b", {8}, {300, -200, 100, 50, 700, 20, 10, 400}, onnx::TensorProto::INT32));
  std::string h = g.node(op, first);
  h = g.node("com.microsoft." + joined, {h, "s", "z", g.node(op, first), "s", "z", "s", "z"});
  const std::string y = g.node(op, {h, "s", "z", weight("B", 3, 8, 11), "s", "z", "t", "z"});
  g.output(y, convolution ? Ints{2, 3, 3, 3} : Ints{2, 3}, kBytes);
}

// The same as floating point numbers between, as exporters write it.
void dequantised(GraphMaker& g) {
  g.input("x", {2, 6, 3, 3});
  g.floats("s", {}, {0.05f});
  g.floats("S", {8}, scales(8));
  const auto real = [&](const std::string& q, const std::string& scale) {
    return g.node("DequantizeLinear", {q, scale}, {.i = {{"axis", 0}}});
  };
  const std::string w = real(g.ints("A", {8, 6, 1, 1}, bytes(48, 5), kBytes), "S"),
                    b = real(g.ints("b", {8}, {30, -20, 10, 50, 70, 20, 10, 40}, onnx::TensorProto::INT32),
                             "S");
  const std::string h = g.node("QuantizeLinear", {g.node("Relu", {g.node("Conv", {"x", w, b})}), "s"});
  g.output(g.node("Conv", {real(h, "s"), real(g.ints("B", {3, 8, 1, 1}, bytes(24, 11), kBytes), "s")}),
           {2, 3, 3, 3});
}

class Rules : public ::testing::TestWithParam<RuleCase> {};

TEST_P(Rules, AsLargeAsItShouldBeAndHolds) {
  const Found f = found(GetParam().make);
  EXPECT_EQ(f.spec.free_groups(), GetParam().groups);
  EXPECT_EQ(kinds_of(f.spec), GetParam().kinds);
  const Verdict verdict = verify(f.net, f.inputs, f.spec, {.trials = 6});
  EXPECT_TRUE(verdict.holds) << verdict.difference << ' ' << verdict.guilty;
  EXPECT_EQ(verdict.control, GetParam().groups > 0);
}

// And where its inputs are weights too.
TEST_P(Rules, HoldsOfWeightsForInputs) {
  EXPECT_GT(claims_of_weights(GetParam().name, found(GetParam().make)), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Operators, Rules,
    ::testing::Values(
        RuleCase{"scan", [](GraphMaker& g) { scanned(g, false); }, 2, "scale sign"},
        RuleCase{"scan_backward", [](GraphMaker& g) { scanned(g, true); }, 2, "scale sign"},
        RuleCase{"scan_rectified", scanned_rectified, 1, "scale"},
        RuleCase{"scan_weights", scanned_weights, 0, ""}, RuleCase{"loop", looped, 2, "scale sign"},
        RuleCase{"if_decided_by_shapes", mlp_with(squeezed), 1, "scale"},
        RuleCase{"if", mlp_with(chosen), 1, "scale"},
        RuleCase{"if_one_held", mlp_with(chosen_sigmoid), 1, ""}, RuleCase{"loop_that_grows", growing, 0, ""},
        RuleCase{"rows_mixed", mixed_rows, 1, ""}, RuleCase{"both_directions", both_directions, 1, "nested"},
        RuleCase{"few_bits_lstm", lstm_of_few_bits, 1, "nested"},
        RuleCase{"directions_added", directions_added, 1, ""},
        RuleCase{"gather_nd", mlp_with(gathered), 1, "scale"},
        RuleCase{"scatter_nd",
                 mlp_with([](GraphMaker& g, const std::string& h) { return scattered(g, h, "none"); }), 1,
                 "scale"},
        RuleCase{"scatter_nd_add",
                 mlp_with([](GraphMaker& g, const std::string& h) { return scattered(g, h, "add"); }), 1,
                 "scale"},
        RuleCase{"scatter_nd_max",
                 mlp_with([](GraphMaker& g, const std::string& h) { return scattered(g, h, "max"); }), 1, ""},
        RuleCase{"pad", cnn([](GraphMaker& g, const std::string& h) { return padded(g, h, 0); }), 1, "scale"},
        RuleCase{"pad_one", cnn([](GraphMaker& g, const std::string& h) { return padded(g, h, 1); }), 1, ""},
        RuleCase{"resize", cnn(resized), 1, "scale"}, RuleCase{"roi_align", cnn(regions), 1, "scale"},
        RuleCase{"grid_sample", cnn(at_grid), 1, "scale"},
        RuleCase{"qlinear_matmul", [](GraphMaker& g) { quantised(g, false); }, 1, ""},
        RuleCase{"qlinear_mul", [](GraphMaker& g) { quantised(g, false, "QLinearMul"); }, 1, ""},
        RuleCase{"qlinear_conv", [](GraphMaker& g) { quantised(g, true); }, 1, ""},
        RuleCase{"quantised_biases", dequantised, 1, ""}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace dws::symmetry
