// Recurrent layers as the engine has them, against the reference executor.
#include "one_operator.h"

namespace dws::network {
namespace {

using dws::testing::Attributes;
using dws::testing::GraphMaker;

constexpr int64_t kSteps = 9, kInputs = 5, kHidden = 7;

struct Layer {
  std::string op = "LSTM", direction = "forward";
  int64_t gates = 4;
  bool bias = true, lengths = false, states = false, peepholes = false, batch_first = false;
  int64_t steps = kSteps;
  Attributes more{};
};
// Samples (S, I): what the operator wants as (S, B, I) is turned in the graph, and turned back.
void check(const Layer& l, bool fast = true) {
  SCOPED_TRACE(text("{} {} {} {}", l.op, l.direction, l.states, l.batch_first));
  GraphMaker g(l.batch_first ? 14 : 13, 5);
  const int64_t D = l.direction == "bidirectional" ? 2 : 1, G = l.gates, H = kHidden;
  Attributes a = l.more;
  a.s["direction"] = l.direction;
  a.i["hidden_size"] = H;
  if (l.batch_first) a.i["layout"] = 1;
  std::string x = g.input("x", {-1, l.steps, kInputs});
  Samples s = random_samples({{l.steps, kInputs}}, 5);
  const auto state = [&](const std::string& name) {
    const std::string in = g.input(name, {-1, D, H});
    s.dims.push_back({D, H});
    s.numbers.push_back(random_samples({{D, H}}, 5, s.dims.size()).numbers[0]);
    return l.batch_first ? in : g.node("Transpose", {in}, {.ints = {{"perm", {1, 0, 2}}}});
  };
  std::string lengths, h, c;
  if (l.lengths) {
    lengths = g.input("lengths", {-1}, onnx::TensorProto::INT32);
    s.dims.emplace_back();
    s.numbers.push_back({9, 0, 4, 1, 7});
  }
  if (l.states) h = state("h");
  if (l.states && G == 4) c = state("c");
  if (!l.batch_first) x = g.node("Transpose", {x}, {.ints = {{"perm", {1, 0, 2}}}});
  dws::testing::Strings in = {x,
                              g.weight("w", {D, G * H, kInputs}),
                              g.weight("r", {D, G * H, H}),
                              l.bias ? g.weight("b", {D, 2 * G * H}) : "",
                              lengths,
                              h};
  if (G == 4) in.push_back(c);
  if (l.peepholes) in.push_back(g.weight("p", {D, 3 * H}));
  const auto out = g.nodes(l.op, in, G == 4 ? 3 : 2, a);
  for (size_t o = 0; o < out.size(); ++o)
    g.output(l.batch_first ? out[o]
                           : g.node("Transpose", {out[o]},
                                    {.ints = {{"perm", o == 0 ? dws::testing::Ints{2, 0, 1, 3}
                                                              : dws::testing::Ints{1, 0, 2}}}}),
             {});
  const Network network = g.network();
  if (fast) return check_engine(network, s);
  Engine engine(network, {.samples = s.dims});
  EXPECT_EQ(engine.slow(), std::vector<std::string>{l.op});
  expect_close(run(engine, network, s), judge(network, s));
}

const std::pair<const char*, int64_t> kLayers[] = {{"RNN", 1}, {"GRU", 3}, {"LSTM", 4}};

TEST(EngineRecurrent, DirectionsStatesAndLayouts) {
  for (const auto& [op, gates] : kLayers)
    for (const char* direction : {"forward", "reverse", "bidirectional"})
      for (const bool states : {false, true})
        for (const bool batch_first : {false, true})
          check({.op = op,
                 .direction = direction,
                 .gates = gates,
                 .bias = states,
                 .states = states,
                 .batch_first = batch_first});
}

TEST(EngineRecurrent, SequencesOfSeveralLengths) {
  for (const auto& [op, gates] : kLayers)
    for (const char* direction : {"forward", "bidirectional"})
      check({.op = op, .direction = direction, .gates = gates, .lengths = true, .states = true});
}

// More steps than share a product.
TEST(EngineRecurrent, ManySteps) {
  for (const auto& [op, gates] : kLayers)
    for (const char* direction : {"forward", "reverse"})
      for (const bool batch_first : {false, true})
        check({.op = op, .direction = direction, .gates = gates, .batch_first = batch_first, .steps = 201});
}

TEST(EngineRecurrent, Variants) {
  check({.op = "GRU", .gates = 3, .states = true, .more = {.i = {{"linear_before_reset", 1}}}});
  check({.op = "GRU",
         .direction = "bidirectional",
         .gates = 3,
         .more = {.i = {{"linear_before_reset", 1}}, .f = {{"clip", 0.5f}}}});
  check({.peepholes = true});
  check({.direction = "bidirectional", .states = true, .peepholes = true, .more = {.f = {{"clip", 0.4f}}}});
  check({.states = true, .more = {.i = {{"input_forget", 1}}}});
  check({.op = "RNN", .gates = 1, .more = {.strings = {{"activations", {"Relu"}}}}});
  check({.op = "RNN",
         .direction = "bidirectional",
         .gates = 1,
         .more = {.strings = {{"activations", {"Sigmoid", "relu"}}}}});
  check({.more = {.strings = {{"activations", {"Tanh", "Sigmoid", "Relu"}}}}});
  // What has no fast form is done by the reference function.
  check({.op = "GRU", .gates = 3, .more = {.strings = {{"activations", {"HardSigmoid", "Softsign"}}}}},
        false);
}

}  // namespace
}  // namespace dws::network
