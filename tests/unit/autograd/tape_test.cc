// The tape itself: accumulation, leaves, recording, memory.
#include "autograd/tape.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/error.h"
#include "core/rng.h"
#include "harness.h"

namespace dws::test {
namespace {

Tensor<double> numbers(const Shape& shape, uint64_t seed) {
  return std::move(draw_normal({shape}, seed)[0]);
}

TEST(Tape, AddsTheContributionsOfAValueUsedTwice) {
  const Tensor<double> x = numbers({3, 4}, 1);
  Tape<double> tape;
  const auto leaf = tape.input(x.view());
  const auto y = ops::scale(leaf, 2.0);
  tape.backward(sum_of(ops::add(ops::add(y, y), ops::scale(y, 5.0))));
  for (const double g : tape.grad(leaf).span()) EXPECT_EQ(g, 14.0);
}

TEST(Tape, OneValueMayFillSeveralInputsOfAPrimitive) {
  // d/dx of <s, x x> is s x^T + x^T s.
  const Tensor<double> x = numbers({5, 5}, 1), s = numbers({5, 5}, 2);
  for (const bool transposed : {false, true}) {
    Tape<double> tape;
    const auto leaf = tape.input(x.view());
    const auto y = ops::scale(leaf, 1.0);
    const Var<double> roots[] = {ops::matmul(y, y, false, transposed)};
    const View<const double> seeds[] = {s.view()};
    tape.backward(roots, seeds);
    Tensor<double> want(x.shape());
    for (int i = 0; i < 5; ++i)
      for (int j = 0; j < 5; ++j)
        for (int k = 0; k < 5; ++k)
          want[i * 5 + j] += transposed ? (s[i * 5 + k] + s[k * 5 + i]) * x[k * 5 + j]
                                        : s[i * 5 + k] * x[j * 5 + k] + x[k * 5 + i] * s[k * 5 + j];
    DWS_EXPECT_NEAR(copy(tape.grad(leaf)), want, 1e-14);
  }
}

// One vector for rows and columns: both gradients land in one array.
template <class T>
void expect_shared_vector(bool leaf_itself) {
  const auto in = cast<T>(draw_normal({{2, 3, 3, 2}, {2, 19}, {2, 3, 19}, {2, 3, 3, 19}}, 4));
  Tensor<T> grads[2];
  for (const bool fallback : {false, true}) {
    Tape<T> tape;
    poison(tape, 1 << 16);
    const auto leaf = tape.input(in[2].view());
    const auto both = leaf_itself ? leaf : ops::scale(leaf, T(1));
    const auto x = tape.constant(in[0].view()), w = tape.constant(in[1].view());
    const Var<T> roots[] = {fallback ? ops::matrix_update_fallback(x, w, both, both)
                                     : ops::matrix_update(x, w, both, both)};
    const View<const T> seeds[] = {in[3].view()};
    tape.backward(roots, seeds);
    grads[fallback] = copy(tape.grad(leaf));
  }
  DWS_EXPECT_NEAR(grads[0], grads[1], 50 * static_cast<double>(std::numeric_limits<T>::epsilon()));
  EXPECT_GT(distance(grads[0], Tensor<T>(in[2].shape())).error, 1.0);
}

TEST(Tape, MatrixUpdateWithOneVectorForRowsAndColumns) {
  for (const bool leaf_itself : {false, true}) {
    expect_shared_vector<double>(leaf_itself);
    expect_shared_vector<float>(leaf_itself);
  }
}

TEST(Tape, ParametersAddToTheBoundArray) {
  ParamSet<double> params;
  params.add("unused", {2}, true);
  const int w = params.add("w", {2, 2}, true);
  params.freeze();
  for (double& v : params.value(w).span()) v = 1;
  std::vector<double> flat(6, 100.0);
  Tape<double> tape;
  tape.bind_gradients(flat.data());
  for (int step = 0; step < 2; ++step) {
    tape.reset();
    // Fetched twice, used three times.
    const auto a = tape.param(params, w), b = tape.param(params, w);
    tape.backward(sum_of(ops::add(ops::add(a, b), a)), 0.5);
  }
  EXPECT_EQ(flat, (std::vector<double>{100, 100, 103, 103, 103, 103}));
}

TEST(Tape, AReshapedParameterReachesTheBoundArray) {
  ParamSet<double> params;
  const int w = params.add("w", {2, 3}, true);
  params.freeze();
  std::vector<double> flat(6, 1.0);
  Tape<double> tape;
  tape.bind_gradients(flat.data());
  tape.backward(sum_of(ops::reshape(tape.param(params, w), {6})));
  EXPECT_EQ(flat, std::vector<double>(6, 2.0));
}

TEST(Tape, StopsRecordingHalfWay) {
  const Tensor<double> x = numbers({3}, 1);
  Tape<double> tape;
  const auto y = ops::relu(tape.input(x.view()));
  tape.set_recording(false);
  EXPECT_FALSE(ops::relu(y).needs_grad());
  EXPECT_EQ(tape.node_count(), 1);
}

TEST(Tape, WithoutBoundGradientsParametersAreConstants) {
  ParamSet<double> params;
  const int w = params.add("w", {2}, true);
  params.freeze();
  Tape<double> tape;
  EXPECT_FALSE(ops::relu(tape.param(params, w)).needs_grad());
  EXPECT_EQ(tape.node_count(), 0);
}

TEST(Tape, RootMayBeALeaf) {
  const Tensor<double> x = numbers({1}, 1);
  Tape<double> tape;
  const auto leaf = tape.input(x.view());
  tape.backward(leaf, 2.5);
  EXPECT_EQ(tape.grad(leaf).data[0], 2.5);
}

TEST(Tape, SeveralRootsOneOfThemInsideTheOther) {
  const Tensor<double> x = numbers({3}, 1), s = numbers({3}, 2), t = numbers({3}, 3);
  Tape<double> tape;
  const auto leaf = tape.input(x.view());
  const auto a = ops::scale(leaf, 2.0), b = ops::scale(a, 3.0);
  const Var<double> roots[] = {a, b};
  const View<const double> seeds[] = {s.view(), t.view()};
  tape.backward(roots, seeds);
  for (int i = 0; i < 3; ++i) EXPECT_DOUBLE_EQ(tape.grad(leaf).data[i], 2 * s[i] + 6 * t[i]);
}

TEST(Tape, ASecondBackwardAddsToTheLeaves) {
  const Tensor<double> x = numbers({2, 3}, 1);
  Tape<double> tape;
  const auto leaf = tape.input(x.view());
  const auto y = sum_of(ops::reshape(ops::scale(leaf, 2.0), {6}));
  tape.backward(y);
  tape.backward(y);
  for (const double g : tape.grad(leaf).span()) EXPECT_EQ(g, 4.0);
}

TEST(Tape, GradientIsZeroWhereNothingFlows) {
  const Tensor<double> x = numbers({2, 3}, 1);
  Tape<double> tape;
  poison(tape, 4096);
  const auto used = tape.input(x.view()), idle = tape.input(x.view()), aside = tape.input(x.view());
  ops::scale(aside, 2.0);
  tape.backward(sum_of(used));
  for (const auto& leaf : {idle, aside})
    for (const double g : tape.grad(leaf).span()) EXPECT_EQ(g, 0.0);
}

TEST(Tape, ReshapeSharesMemoryAndSplitsItsGradient) {
  const Tensor<double> x = numbers({2, 3}, 1);
  Tape<double> tape;
  const auto leaf = tape.input(x.view());
  const auto y = ops::scale(leaf, 1.0);
  const auto flat = ops::reshape(y, {6}), again = ops::reshape(y, {3, 2});
  EXPECT_EQ(flat.data(), y.data());
  tape.backward(sum_of(ops::add(ops::reshape(flat, {3, 2}), ops::scale(again, 3.0))));
  for (const double g : tape.grad(leaf).span()) EXPECT_EQ(g, 4.0);
}

TEST(Tape, NotRecordingLeavesNoTrace) {
  for (const Case& c : cases()) {
    const auto inputs = draw(c, c.shapes);
    Tape<double> tape;
    tape.set_recording(false);
    tape.set_training(c.training);
    tape.set_seed(7);
    const auto outputs = c.build(tape, leaves(tape, inputs, ~0u));
    EXPECT_EQ(tape.node_count(), 0) << c.primitive;
    const auto recorded = run_case(c, inputs);
    for (size_t k = 0; k < outputs.size(); ++k) {
      EXPECT_FALSE(outputs[k].needs_grad()) << c.primitive;
      DWS_EXPECT_NEAR(copy(outputs[k].view()), recorded.outputs[k], 0.0);
    }
  }
}

TEST(Tape, ConstantsOnlyRecordNothing) {
  const Tensor<double> x = numbers({2, 3}, 1);
  Tape<double> tape;
  ops::softmax(ops::relu(tape.constant(x.view())));
  EXPECT_EQ(tape.node_count(), 0);
}

// A small network with everything a training step has.
struct Step {
  Tape<float> tape;
  std::vector<Tensor<float>> x = cast<float>(draw_normal({{4, 6, 5, 8}, {8, 8}, {8}, {8, 3}}, 3));
  std::vector<float> grads;
  float loss = 0;

  void run() {
    tape.reset();
    tape.set_training(true);
    tape.set_seed(5);
    std::vector<Var<float>> v = leaves(tape, x, ~0u);
    static const int channels[] = {0, 1, 2, 3, 4, 5, 6, 7};
    ops::BatchNormState<float> state{.channel_of = channels};
    for (int layer = 0; layer < 3; ++layer) {
      const auto pooled = ops::pool_matrix(v[0], ops::Reduction::max);
      const auto row = ops::add_global(ops::linear(pooled.row, v[1]), pooled.all);
      v[0] = ops::norm_relu_dropout(ops::matrix_update(v[0], v[1], row, pooled.col), v[2], v[2], state, 0.2);
    }
    const auto logits = ops::linear(ops::pool_matrix(v[0], ops::Reduction::mean).all, v[3]);
    Tensor<float> targets({4, 3});
    for (int b = 0; b < 4; ++b) targets[b * 3 + b % 3] = 1;
    const auto y = ops::cross_entropy<float>(logits, targets.view(), 0.25f);
    tape.backward(y);
    loss = *y.data();
    grads.clear();
    // leaves() made inputs first, so their handles come first.
    for (size_t i = 1; i < v.size(); ++i)
      for (const float g : tape.grad(v[i]).span()) grads.push_back(g);
  }
};

TEST(Tape, IdenticalStepsGiveIdenticalBitsInTheSameMemory) {
  Step step;
  step.run();
  const float loss = step.loss;
  const std::vector<float> grads = step.grads;
  const size_t capacity = step.tape.arena().capacity();
  EXPECT_GT(capacity, 0u);
  EXPECT_TRUE(std::isfinite(loss));
  for (int i = 0; i < 5; ++i) {
    step.run();
    EXPECT_EQ(std::memcmp(&step.loss, &loss, sizeof loss), 0);
    ASSERT_EQ(step.grads.size(), grads.size());
    EXPECT_EQ(std::memcmp(step.grads.data(), grads.data(), grads.size() * sizeof(float)), 0);
    EXPECT_EQ(step.tape.arena().capacity(), capacity);
  }
}

TEST(Tape, CotangentsAreReleasedAsTheyAreUsed) {
  // A long chain needs few gradient arrays at a time: forward values dominate.
  const Tensor<float> x({1 << 16});
  Tape<float> forward, both;
  const int length = 100;
  auto a = forward.input(x.view()), b = both.input(x.view());
  for (int i = 0; i < length; ++i) a = ops::scale(a, 1.0f), b = ops::scale(b, 1.0f);
  both.backward(sum_of(b));
  EXPECT_LE(both.arena().capacity(), forward.arena().capacity() * 3 / 2);
}

TEST(Tape, MasksDependOnSeedAndCounter) {
  Tensor<float> ones({10, 100});
  std::fill_n(ones.data(), 1000, 1.0f);
  Tape<float> tape;
  tape.set_training(true);
  const auto masks = [&](uint64_t seed) {
    tape.reset();
    tape.set_seed(seed);
    const auto x = tape.constant(ones.view());
    const Var<float> pair[] = {ops::dropout(x, 0.25), ops::dropout(x, 0.25)};
    return copy(ops::concat<float>(pair).view());
  };
  const Tensor<float> a = masks(1), b = masks(1), other = masks(2);
  int same = 0, same_op = 0, kept = 0;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(a[i], b[i]);
    EXPECT_TRUE(a[i] == 0 || std::abs(a[i] - 4.0f / 3) < 1e-6f);
    same += a[i] == other[i];
    same_op += a[i / 100 * 200 + i % 100] == a[i / 100 * 200 + 100 + i % 100];
    kept += a[i] != 0;
  }
  // Binomial(1000, 3/4) and agreement with probability 10/16, five standard deviations each.
  EXPECT_NEAR(kept, 750, 70);
  EXPECT_NEAR(same, 625, 77);
  EXPECT_NEAR(same_op, 625, 77);
}

TEST(Tape, DropoutTakesWholeChannelsOfANetwork) {
  Tensor<float> ones({20, 7, 30});
  std::fill_n(ones.data(), ones.size(), 1.0f);
  Tape<float> tape;
  tape.set_training(true);
  const auto y = ops::dropout(tape.constant(ones.view()), 0.5);
  int dropped = 0, changes = 0;
  for (int b = 0; b < 20; ++b)
    for (int c = 0; c < 30; ++c) {
      const float first = y.data()[b * 210 + c];
      for (int n = 1; n < 7; ++n) EXPECT_EQ(y.data()[b * 210 + n * 30 + c], first);
      dropped += first == 0;
      changes += b > 0 && first != y.data()[(b - 1) * 210 + c];
    }
  EXPECT_NEAR(dropped, 300, 62);  // Binomial(600, 1/2), five standard deviations
  EXPECT_NEAR(changes, 285, 60);
}

TEST(Tape, DropoutOutsideTrainingIsTheIdentity) {
  const Tensor<double> x = numbers({5, 2}, 1);
  Tape<double> tape;
  const auto leaf = tape.input(x.view());
  EXPECT_EQ(ops::dropout(leaf, 0.5).id(), leaf.id());
  tape.set_training(true);
  EXPECT_EQ(ops::dropout(leaf, 0.0).id(), leaf.id());
}

}  // namespace
}  // namespace dws::test
