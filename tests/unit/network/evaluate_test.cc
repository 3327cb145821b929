// Loss, accuracy, calibration and barriers against numbers worked out by hand.
#include "network/evaluate.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "core/parallel.h"
#include "format/safetensors.h"
#include "graph_maker.h"
#include "network/curve.h"

namespace dws::network {
namespace {

using dws::testing::GraphMaker;

class Evaluate : public ::testing::Test {
 protected:
  const std::string folder =
      std::filesystem::temp_directory_path() / ("dws_evaluate_" + std::to_string(::getpid()));
  void SetUp() override { std::filesystem::create_directories(folder); }
  void TearDown() override { std::filesystem::remove_all(folder); }

  LabelledData data(const std::vector<float>& inputs, std::vector<int64_t> shape,
                    const std::vector<int64_t>& labels, int64_t limit = 0) const {
    const std::string path = folder + "/data.safetensors";
    write_safetensors(
        path,
        {TensorSource::of("inputs", std::move(shape), std::span<const float>(inputs)),
         TensorSource::of("labels", {static_cast<int64_t>(labels.size())}, std::span<const int64_t>(labels))},
        {}, true);
    return LabelledData::open({path}, {}, limit);
  }
};

// y = W x + b of two numbers and two classes; the operator behind it, if any.
Network linear(const std::vector<float>& w, const std::vector<float>& b, const std::string& last = "") {
  GraphMaker g(13);
  std::string y = g.node("Gemm", {g.input("x", {-1, 2}), g.floats("w", {2, 2}, w), g.floats("b", {2}, b)},
                         {.i = {{"transB", 1}}});
  if (!last.empty()) y = g.node(last, {y});
  g.output(y, {-1, 2});
  return g.network();
}

TEST_F(Evaluate, ByHand) {
  const Network network = linear({1, 0, 0, 1}, {0, 0});
  // Logits (0, log 3): probabilities 1/4 and 3/4. The third is wrong.
  const float l = std::log(3.0f);
  const LabelledData d = data({0, l, l, 0, l, 0, 0, l}, {4, 2}, {1, 0, 1, 1});
  const Evaluation e = Evaluator(network, d, {}).run();
  EXPECT_EQ(e.samples, 4);
  EXPECT_EQ(e.correct, 3);
  EXPECT_DOUBLE_EQ(e.accuracy(), 0.75);
  EXPECT_NEAR(e.loss, (3 * std::log(4.0 / 3) + std::log(4.0)) / 4, 1e-7);
  EXPECT_NEAR(e.calibration, 0, 1e-6);  // three of four right, at a confidence of 3/4
}

TEST_F(Evaluate, LastOperatorSaysWhatComesOut) {
  const LabelledData d = data({1, 2, 3, -1, 0.5f, 0.25f}, {3, 2}, {1, 1, 0});
  const std::vector<float> w = {1, 2, -1, 0.5f}, b = {0.1f, -0.2f};
  const Network plain = linear(w, b), softmax = linear(w, b, "Softmax"),
                logarithm = linear(w, b, "LogSoftmax");
  EXPECT_EQ(output_kind(plain), OutputKind::logits);
  EXPECT_EQ(output_kind(softmax), OutputKind::probabilities);
  EXPECT_EQ(output_kind(logarithm), OutputKind::log_probabilities);
  const Evaluation e = Evaluator(plain, d, {}).run();
  for (const Network* other : {&softmax, &logarithm}) {
    const Evaluation f = Evaluator(*other, d, {}).run();
    EXPECT_NEAR(f.loss, e.loss, 1e-6);
    EXPECT_NEAR(f.calibration, e.calibration, 1e-6);
    EXPECT_EQ(f.correct, e.correct);
  }
  EXPECT_GT(std::abs(Evaluator(softmax, d, {.output = OutputKind::logits}).run().loss - e.loss), 1e-3);
}

TEST_F(Evaluate, SaysWhatDoesNotFit) {
  const Network network = linear({1, 0, 0, 1}, {0, 0});
  const auto fails = [&](const LabelledData& d, ErrorKind kind, const std::string& words) {
    try {
      Evaluator(network, d, {});
      ADD_FAILURE() << words;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), kind);
      EXPECT_NE(std::string(e.what()).find(words), std::string::npos) << e.what();
    }
  };
  fails(data({1, 2, 3}, {1, 3}, {0}), ErrorKind::mismatch, "do not fit input 'x'");
  fails(data({1, 2}, {1, 2}, {2}), ErrorKind::bad_value, "label 2 of sample 0");
  EXPECT_THROW(data({1, 2}, {1, 2}, {-1}), Error);
  EXPECT_THROW(data({1, 2}, {1, 2}, {0, 0}), Error);
  EXPECT_EQ(data({1, 2, 3, 4}, {2, 2}, {0, 1}, 1).size(), 1);
  // As many numbers in another shape are taken.
  EXPECT_EQ(Evaluator(network, data({1, 2, 3, 4}, {2, 1, 2}, {0, 1}), {}).run().samples, 2);
}

TEST_F(Evaluate, ChannelsAreNormalised) {
  LabelledData d = data({1, 2, 3, 4}, {1, 2, 2}, {0});
  d.normalise({1, 3}, {2, 0.5});
  float got[4];
  d.read(0, 1, got);
  EXPECT_FLOAT_EQ(got[0], 0);
  EXPECT_FLOAT_EQ(got[1], 0.5);
  EXPECT_FLOAT_EQ(got[2], 0);
  EXPECT_FLOAT_EQ(got[3], 2);
  EXPECT_THROW(d.normalise({1, 2, 3}, {}), Error);
  EXPECT_THROW(d.normalise({}, {-1}), Error);
}

// Points (0, 1), (.5, 4), (1, 3): the chord is 2 at the middle.
TEST(Barrier, ByHand) {
  const Barrier b = barrier_of({{0, 1, 0}, {0.5, 4, 0}, {1, 3, 0}});
  EXPECT_DOUBLE_EQ(b.highest, 2);
  EXPECT_DOUBLE_EQ(b.at, 0.5);
  EXPECT_DOUBLE_EQ(b.over_mean, 2);
  EXPECT_DOUBLE_EQ(b.area, 1);
  EXPECT_DOUBLE_EQ(b.clamped_area, 1);
  // Below the chord: no barrier; over the mean of the ends the worse end itself counts.
  const Barrier valley = barrier_of({{0, 1, 0}, {0.5, 0, 0}, {1, 3, 0}});
  EXPECT_DOUBLE_EQ(valley.highest, 0);
  EXPECT_DOUBLE_EQ(valley.over_mean, 1);
  EXPECT_DOUBLE_EQ(valley.over_mean_at, 1);
  EXPECT_DOUBLE_EQ(valley.area, -1);
  EXPECT_DOUBLE_EQ(valley.clamped_area, 0);
  EXPECT_TRUE(std::isnan(barrier_of({{0, 1, 0}, {0.5, NAN, 0}, {1, 3, 0}}).highest));
}

TEST_F(Evaluate, LineIsExactAtItsEnds) {
  const Network a = linear({1, 0, 0, 1}, {0, 0}), b = linear({0, 1, 1, 0}, {1, -1}),
                mean = linear({.5f, .5f, .5f, .5f}, {.5f, -.5f});
  const LabelledData d = data({1, 2, 3, -1, 0.5f, 0.25f}, {3, 2}, {1, 1, 0});
  Evaluator evaluator(a, d, {});
  Line line(a, b);
  for (const auto& [lambda, network] : {std::pair(0.0, &a), std::pair(0.5, &mean), std::pair(1.0, &b)}) {
    line.set(evaluator.engine(), lambda);
    EXPECT_EQ(evaluator.run().loss, Evaluator(*network, d, {}).run().loss) << lambda;
  }
}

}  // namespace
}  // namespace dws::network
