// The engine against the reference executor: every network of tests/models, and what a single network does not show.
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "core/parallel.h"
#include "engine_harness.h"
#include "format/safetensors.h"
#include "unit/exported_models.h"

namespace dws::network {
namespace {

using dws::testing::GraphMaker;

class EngineOnModel : public ::testing::TestWithParam<std::string> {
 protected:
  const std::string path = std::string(DWS_TEST_DATA) + "/../models/" + GetParam();
  const Network network = from_onnx(std::make_shared<const Onnx>(Onnx::open(path + ".onnx")));
  const Safetensors io = Safetensors::open(path + ".io.safetensors");

  // The samples that came with the network.
  Samples samples() const {
    const TensorEntry& entry = io.at("in.0");
    Samples s{.dims = {{entry.shape.begin() + 1, entry.shape.end()}}, .numbers = {}, .count = entry.shape[0]};
    auto& numbers = s.numbers.emplace_back(static_cast<size_t>(entry.elements()));
    if (entry.dtype == Dtype::i64) {
      std::vector<int64_t> ints(numbers.size());
      io.read(entry, std::span<int64_t>(ints));
      std::copy(ints.begin(), ints.end(), numbers.begin());
    } else {
      io.read(entry, std::span<float>(numbers));
    }
    return s;
  }
};

TEST_P(EngineOnModel, GivesTheReferencesNumbers) {
  const Samples s = samples();
  Engine engine(network, {.samples = s.dims});
  expect_close(run(engine, network, s), judge(network, s));
  EXPECT_EQ(engine.slow(), std::vector<std::string>{});  // a support that vanishes is seen here
}

// Every value, as the graph has it, is shown while the outputs stay what they were.
TEST_P(EngineOnModel, ShowsEveryValue) {
  const Samples s = samples();
  Network all = network;
  std::vector<int> watched;
  {
    std::vector<ArrayPtr> inputs;
    const OnnxType type = *network.values[static_cast<size_t>(network.graph.inputs[0])].type;
    Array a{.type = type, .dims = {s.count}};
    a.dims.insert(a.dims.end(), s.dims[0].begin(), s.dims[0].end());
    inputs.push_back(std::make_shared<const Array>(a));
    const auto shapes = infer(network, inputs);
    for (const Node& node : network.graph.nodes)
      for (const int v : node.outputs) {
        if (v == kNone || !shapes[static_cast<size_t>(v)]) continue;
        const Array& shape = *shapes[static_cast<size_t>(v)];
        if (!shape.real() || shape.known() || shape.dims.empty() || shape.dims[0] != s.count) continue;
        if (std::ranges::find(network.graph.outputs, v) != network.graph.outputs.end()) continue;
        watched.push_back(v);
        all.graph.outputs.push_back(v);
      }
  }
  const auto expected = judge(all, s);
  std::vector<std::vector<float>> seen(network.values.size());
  std::mutex mutex;
  Engine engine(network, {.samples = s.dims, .watched = watched});
  engine.observe(
      s.count,
      [&](int, int64_t first, int64_t count, float* to) {
        std::copy_n(s.numbers[0].begin() + first * elements(s.dims[0]), count * elements(s.dims[0]), to);
      },
      [&](const Observed& o) {
        const std::lock_guard lock(mutex);
        auto& to = seen[static_cast<size_t>(o.value)];
        to.resize(static_cast<size_t>(s.count * o.size), NAN);
        std::copy_n(o.numbers, o.count * o.size, to.begin() + o.first * o.size);
      },
      3);
  const size_t own = network.graph.outputs.size();
  for (size_t w = 0; w < watched.size(); ++w) {
    SCOPED_TRACE(network.values[static_cast<size_t>(watched[w])].name);
    const auto& e = expected[own + w];
    if (std::ranges::all_of(e, [](double v) { return v == 0; })) continue;
    expect_close({seen[static_cast<size_t>(watched[w])]}, {e});
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EngineOnModel, ::testing::ValuesIn(exported_models()),
                         [](const auto& test) { return test.param; });

// A convolution, norm and ReLU that fold, then a product.
Network small_cnn() {
  GraphMaker g(13);
  const std::string x = g.input("x", {-1, 3, 9, 9});
  std::string y = g.node("Conv", {x, g.weight("w", {8, 3, 3, 3}), g.weight("b", {8})},
                         {.ints = {{"pads", {1, 1, 1, 1}}, {"strides", {2, 2}}}});
  const std::string variance = g.floats("var", {8}, {1, 2, 3, 4, 5, 6, 7, 8});
  y = g.node("BatchNormalization",
             {y, g.weight("gamma", {8}), g.weight("beta", {8}), g.weight("mean", {8}), variance});
  y = g.node("Relu", {y});
  y = g.node("GlobalAveragePool", {y});
  y = g.node("Flatten", {y});
  y = g.node("Gemm", {y, g.weight("fc", {5, 8}), g.weight("fcb", {5})}, {.i = {{"transB", 1}}});
  g.graph().mutable_node(g.graph().node_size() - 1)->set_output(0, "y");
  g.output("y", {-1, 5});
  return g.network();
}

TEST(Engine, PiecesAndThreadsDoNotShow) {
  const Network network = small_cnn();
  const Samples s = random_samples({{3, 9, 9}}, 131);
  const auto expected = judge(network, s);
  for (const int64_t piece : {0, 1, 7, 200}) {
    std::vector<std::vector<float>> first;
    for (const int workers : {1, 2, 5}) {
      set_threads(workers);
      Engine engine(network, {.samples = s.dims, .piece = piece});
      const auto got = run(engine, network, s);
      expect_close(got, expected, 1e-5);
      if (first.empty()) first = got;
      EXPECT_EQ(got, first) << piece << " " << workers;
    }
  }
  set_threads(0);
}

TEST(Engine, TensorsAreExchanged) {
  const Network network = small_cnn();
  const Samples s = random_samples({{3, 9, 9}}, 10);
  Engine engine(network, {.samples = s.dims});
  const auto before = run(engine, network, s);
  for (const std::string name : {"w", "gamma", "var", "fc", "fcb"}) {
    int constant = kNone;
    for (size_t c = 0; c < network.constants.size(); ++c)
      if (network.constants[c].name == name) constant = static_cast<int>(c);
    ASSERT_NE(constant, kNone) << name;
    Array other = to_array(network.constants[static_cast<size_t>(constant)]);
    std::vector<float> numbers;
    for (double& v : other.reals)
      numbers.push_back(static_cast<float>(v = static_cast<float>(1.5 * v + 0.25)));
    engine.set(constant, numbers.data());
    const auto changed = run(engine, network, s);
    expect_close(changed, judge(network, s, {{constant, std::make_shared<const Array>(other)}}), 1e-5);
    EXPECT_NE(changed, before) << name;
    engine.set(constant, nullptr);
    EXPECT_EQ(run(engine, network, s), before) << name;
  }
}

// Lanes see their samples in order, and what they sum has the same bits on any number of threads.
TEST(Engine, LanesAreInOrder) {
  const Network network = small_cnn();
  const Samples s = random_samples({{3, 9, 9}}, 100);
  const int conv = network.graph.nodes[0].outputs[0];
  std::vector<float> first;
  for (const int workers : {1, 2, 5}) {
    set_threads(workers);
    Engine engine(network, {.samples = s.dims, .watched = {conv}, .piece = 3});
    std::vector<float> sums(4, 0.0f);
    std::vector<int64_t> next(4, 0);
    int64_t seen = 0;
    std::mutex mutex;
    engine.observe(
        s.count,
        [&](int, int64_t at, int64_t count, float* to) {
          std::copy_n(s.numbers[0].begin() + at * 243, count * 243, to);
        },
        [&](const Observed& o) {
          EXPECT_EQ(o.value, conv);
          EXPECT_EQ(o.size, 8 * 5 * 5);
          EXPECT_GE(o.first, next[static_cast<size_t>(o.lane)]);
          next[static_cast<size_t>(o.lane)] = o.first + 1;
          for (int64_t i = 0; i < o.count * o.size; ++i) sums[static_cast<size_t>(o.lane)] += o.numbers[i];
          const std::lock_guard lock(mutex);
          seen += o.count;
        },
        4);
    EXPECT_EQ(seen, 100);
    if (first.empty()) first = sums;
    EXPECT_EQ(sums, first);
  }
  set_threads(0);
}

TEST(Engine, RefusesSamplesOfAnotherShape) {
  const Network network = small_cnn();
  try {
    Engine engine(network, {.samples = {{3, 8, 8}}});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::mismatch);
    EXPECT_NE(std::string(e.what()).find("input 'x'"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace dws::network
