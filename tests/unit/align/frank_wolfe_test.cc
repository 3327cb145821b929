// Soft elements against the symmetry's own action, gradients, the line search, and what the method finds.
#include "align/frank_wolfe.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/parallel.h"
#include "found.h"
#include "testing.h"

namespace dws::align {
namespace {

using dws::testing::Found;
using dws::testing::found;
using dws::testing::random_numbers;
using symmetry::NetworkElement;

// Two networks of one kind with nothing in common.
Pair strangers(const Found& f) {
  const Numbers like = read_numbers(f.spec, f.network);
  return {f.spec, scored_tensors(f.spec, f.network), random_numbers(like, 1), random_numbers(like, 2)};
}
NetworkElement random_signed_element(const symmetry::Spec& spec, uint64_t seed) {
  Rng rng(seed);
  return symmetry::random_element(spec, {.order = true, .sign = true, .scale = false, .phase = false}, rng);
}
// Halfway between some corners, where nothing is 0 or 1.
SoftElement inside(const SoftAction& action, uint64_t seed) {
  SoftElement p = action.corner(random_signed_element(action.spec(), seed));
  for (uint64_t k = 1; k < 4; ++k)
    p = between(p, action.corner(random_signed_element(action.spec(), seed + k)), 0.4);
  return p;
}

class Soft : public ::testing::TestWithParam<std::string> {};

TEST_P(Soft, CornersActAsTheirElements) {
  const Found f = found(GetParam());
  const Pair pair = strangers(f);
  const SoftAction action(f.spec, pair.scored, true);
  const NetworkElement g = random_signed_element(f.spec, 3);
  const Numbers hard = act(f.spec, g, pair.b), soft = action.act(action.corner(g), pair.b);
  int compared = 0;
  for (size_t t = 0; t < f.spec.tensors.size(); ++t) {
    if (!pair.scored[t]) continue;
    ++compared;
    const std::vector<float> expected(hard.tensors[t].begin(), hard.tensors[t].end()),
        got(soft.tensors[t].begin(), soft.tensors[t].end());
    EXPECT_EQ(got, expected) << f.spec.tensors[t].name;
  }
  EXPECT_GT(compared, 0);
  // And a corner is its own nearest one.
  const NetworkElement back = action.best_corner(action.corner(g));
  EXPECT_EQ(inner_product(pair.scored, pair.a, act(f.spec, back, pair.b)), pair.objective(g));
}

TEST_P(Soft, GradientsAreTheSlope) {
  const Found f = found(GetParam());
  const Pair pair = strangers(f);
  const PairObjective objective(pair, true);
  const SoftElement p = inside(objective.action(), 5), q = inside(objective.action(), 50);
  std::vector<SoftElement> gradient;
  const double value = objective.gradient({p}, gradient);
  EXPECT_NEAR(value, objective.value({p}), 1e-5 * std::abs(value) + 1e-4);
  const double slope = inner_product(gradient[0], q) - inner_product(gradient[0], p);
  // Of a polynomial of this degree: central differences are exact up to the third derivative's share.
  const double h = 1.0 / 64;
  const auto along = [&](double x) { return objective.value({between(p, q, x)}); };
  const double measured = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h);
  EXPECT_NEAR(measured, slope, 2e-3 * (std::abs(slope) + 1));
  EXPECT_GT(std::abs(slope), 0);
  EXPECT_GE(objective.degree(), 1);
}

TEST_P(Soft, NeverFallsAndEndsNoLowerThanItsCorners) {
  const Found f = found(GetParam());
  const Pair pair = strangers(f);
  const PairObjective objective(pair, true);
  const FrankWolfeResult result =
      frank_wolfe(objective, {symmetry::identity_element(f.spec)}, {.max_steps = 15});
  EXPECT_NEAR(result.objective.front(), pair.objective(symmetry::identity_element(f.spec)),
              1e-5 * std::abs(result.objective.front()) + 1e-4);
  EXPECT_GT(result.objective.size(), 1u);
  for (size_t i = 1; i < result.objective.size(); ++i)
    EXPECT_GT(result.objective[i], result.objective[i - 1]);
  // Rows and columns of what was reached sum to at most 1 (to 1 without signs).
  for (size_t g = 0; g < result.point[0].size(); ++g) {
    if (result.point[0][g].empty()) continue;
    const auto n = static_cast<size_t>(f.spec.groups[g].size);
    const std::vector<float>& m = result.point[0][g][0];
    for (size_t row = 0; row * n < m.size(); ++row) {
      double sum = 0;
      for (size_t j = 0; j < n; ++j) sum += m[row * n + j];
      EXPECT_NEAR(sum, 1, 1e-5);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Networks, Soft,
                         ::testing::Values("mlp_relu", "mlp_tanh", "cnn", "resnet", "separable", "shuffle",
                                           "group_norm", "unet", "dense", "lstm", "encoder_pre_norm", "vit",
                                           "decoder"));

TEST(FrankWolfe, TheLineSearchAgainstAFineGrid) {
  Rng rng(4);
  int inner = 0;
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<double> c(static_cast<size_t>(2 + trial % 6));
    for (double& x : c) x = rng.normal();
    const auto at = [&](double x) {
      double sum = 0;
      for (size_t k = c.size(); k-- > 0;) sum = sum * x + c[k];
      return sum;
    };
    const double best = maximiser_on_unit(c);
    ASSERT_GE(best, 0);
    ASSERT_LE(best, 1);
    inner += best > 0 && best < 1;
    for (int i = 0; i <= 2000; ++i) ASSERT_LE(at(i / 2000.0), at(best) + 1e-12) << "trial " << trial;
  }
  EXPECT_GT(inner, 30);
  EXPECT_EQ(maximiser_on_unit(std::vector<double>{1, 0, 0}), 0);
  EXPECT_NEAR(maximiser_on_unit(std::vector<double>{0, 1, -1}), 0.5, 1e-12);
}

// The step that the method takes is the best there is on its line: first step from a known point.
TEST(FrankWolfe, TheFirstStepAgainstAFineGrid) {
  const Found f = found("encoder_pre_norm");  // three places on a head's weights
  const Pair pair = strangers(f);
  const PairObjective objective(pair, true);
  EXPECT_GE(objective.degree(), 3);
  const NetworkElement start = symmetry::identity_element(f.spec);
  const SoftAction& action = objective.action();
  std::vector<SoftElement> gradient;
  objective.gradient({action.corner(start)}, gradient);
  const SoftElement from = action.corner(start), to = action.corner(action.best_corner(gradient[0]));
  double best = -INFINITY;
  for (int i = 0; i <= 100; ++i) best = std::max(best, objective.value({between(from, to, i / 100.0)}));
  const FrankWolfeResult one = frank_wolfe(objective, {start}, {.max_steps = 1});
  ASSERT_EQ(one.objective.size(), 2u);
  EXPECT_GE(one.objective[1], best - 1e-5 * std::abs(best));
}

class FrankWolfeRecovery : public ::testing::TestWithParam<std::string> {};

// From near the answer: a network in another basis, and all of the way but for what was undone.
TEST_P(FrankWolfeRecovery, ARandomElementIsUndone) {
  const Found f = found(GetParam());
  const Numbers like = read_numbers(f.spec, f.network);
  const Numbers a = random_numbers(like, 1);
  const NetworkElement g = random_signed_element(f.spec, 9);
  const Pair pair{f.spec, scored_tensors(f.spec, f.network), a, act(f.spec, symmetry::inverse(f.spec, g), a)};
  const PairObjective objective(pair, true);
  const FrankWolfeResult result = frank_wolfe(objective, {symmetry::identity_element(f.spec)}, {});
  EXPECT_NEAR(pair.objective(result.rounded[0]), pair.objective(g), 1e-6 * pair.objective(g));
}
INSTANTIATE_TEST_SUITE_P(Networks, FrankWolfeRecovery,
                         ::testing::Values("mlp_relu", "mlp_tanh", "cnn", "resnet"));

TEST(FrankWolfe, TheSameBitsOnOneThreadAndTwo) {
  const Found f = found("resnet");
  const Pair pair = strangers(f);
  std::vector<std::vector<double>> objectives;
  for (const int count : {1, 2}) {
    set_threads(count);
    objectives.push_back(
        frank_wolfe(PairObjective(pair, true), {symmetry::identity_element(f.spec)}, {.max_steps = 8})
            .objective);
  }
  set_threads(0);
  EXPECT_EQ(objectives[0], objectives[1]);
}

}  // namespace
}  // namespace dws::align
