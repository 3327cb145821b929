// Weight matching: what was moved comes back, the objective never falls, and one hidden layer is solved exactly.
#include "align/weight_matching.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "networks.h"
#include "testing.h"

namespace dws::align {
namespace {

using dws::testing::expect_error;
using dws::testing::is_identity;
using dws::testing::moved;
using dws::testing::random_network;

const std::vector<std::vector<int64_t>> kShapes{
    {2, 32, 32, 1}, {3, 7, 2}, {2, 16, 16, 16, 3}, {5, 1, 4, 2}, {4, 2}};

double inner(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

SignedElement random_signed_of(const symmetry::Layout& layout, bool signs, Rng& rng) {
  SignedElement g = random_signed(layout, rng);
  if (!signs) g.sign = signed_identity(layout).sign;
  return g;
}

TEST(SignedElement, ActsAsAGroup) {
  Rng rng(1);
  for (const auto& dims : kShapes) {
    const symmetry::Layout layout = symmetry::mlp_layout(dims);
    const std::vector<float> x = random_network(layout, 1);
    const SignedElement a = random_signed(layout, rng), b = random_signed(layout, rng);
    EXPECT_EQ(moved(layout, compose(a, b), x), moved(layout, a, moved(layout, b, x)));
    EXPECT_EQ(moved(layout, signed_identity(layout), x), x);
  }
  const symmetry::Layout layout = symmetry::mlp_layout({2, 3, 1}), other = symmetry::mlp_layout({2, 4, 1});
  const std::vector<float> x = random_network(layout, 1);
  expect_error(ErrorKind::mismatch, [&] { moved(layout, signed_identity(other), x); });
}

TEST(WeightMatching, UndoesARandomElementExactly) {
  Rng rng(2);
  for (const bool signs : {false, true})
    for (const auto& dims : kShapes)
      for (uint64_t trial = 0; trial < 10; ++trial) {
        const symmetry::Layout layout = symmetry::mlp_layout(dims);
        const std::vector<float> a = random_network(layout, trial);
        const SignedElement h = random_signed_of(layout, signs, rng);
        const std::vector<float> b = moved(layout, h, a);
        WeightMatcher matcher(layout, a, {.signs = signs});
        std::vector<float> aligned(a.size());
        const Match match = matcher.match(b, trial, aligned);
        EXPECT_EQ(aligned, a) << dims.size() << " layers, trial " << trial;
        EXPECT_TRUE(is_identity(compose(match.element, h)));
        EXPECT_NEAR(match.cosine_after, 1, 1e-12);
      }
}

TEST(WeightMatching, UndoesItUnderNoise) {
  Rng rng(3);
  const symmetry::Layout layout = symmetry::mlp_layout({2, 32, 32, 1});
  for (uint64_t trial = 0; trial < 10; ++trial) {
    const std::vector<float> a = random_network(layout, trial);
    const SignedElement h = random_signed(layout, rng);
    std::vector<float> b = moved(layout, h, a);
    for (float& x : b) x += static_cast<float>(0.1 * rng.normal());
    WeightMatcher matcher(layout, a, {.signs = true});
    std::vector<float> aligned(a.size());
    EXPECT_TRUE(is_identity(compose(matcher.match(b, trial, aligned).element, h))) << trial;
  }
}

TEST(WeightMatching, TheObjectiveNeverFallsAndIsTheTrueOne) {
  for (const bool signs : {false, true})
    for (const auto& dims : kShapes)
      for (uint64_t trial = 0; trial < 10; ++trial) {
        const symmetry::Layout layout = symmetry::mlp_layout(dims);
        const std::vector<float> a = random_network(layout, trial), b = random_network(layout, 1000 + trial);
        WeightMatcher matcher(layout, a, {.signs = signs});
        std::vector<float> aligned(a.size());
        const Match match = matcher.match(b, trial, aligned);
        ASSERT_GE(match.sweeps(), 1);
        for (size_t s = 1; s < match.objective.size(); ++s)
          EXPECT_GE(match.objective[s], match.objective[s - 1]) << s;
        // It ended because nothing moved.
        EXPECT_EQ(match.objective.back(), match.objective[match.objective.size() - 2]);
        EXPECT_EQ(aligned, moved(layout, match.element, b));
        const double norms = std::sqrt(inner(a, a) * inner(b, b));
        EXPECT_NEAR(match.objective.front(), inner(a, b), 1e-12 * norms);
        EXPECT_NEAR(match.objective.back(), inner(a, aligned), 1e-12 * norms);
        EXPECT_NEAR(match.cosine_before, inner(a, b) / norms, 1e-12);
        EXPECT_NEAR(match.cosine_after, inner(a, aligned) / norms, 1e-12);
        if (!signs) {
          EXPECT_EQ(match.element.sign, signed_identity(layout).sign);
        }
      }
}

// With one hidden layer there is nothing to alternate: the best of all orders and signs is found.
TEST(WeightMatching, OneHiddenLayerIsSolvedExactly) {
  const symmetry::Layout layout = symmetry::mlp_layout({2, 4, 2});
  for (const bool signs : {false, true})
    for (uint64_t trial = 0; trial < 20; ++trial) {
      const std::vector<float> a = random_network(layout, trial), b = random_network(layout, 1000 + trial);
      double best = -1e30;
      SignedElement g = signed_identity(layout);
      std::vector<int32_t>& order = g.order.permutation[0];
      do
        for (int mask = 0; mask < (signs ? 16 : 1); ++mask) {
          for (size_t i = 0; i < 4; ++i) g.sign[0][i] = mask >> i & 1 ? -1.f : 1.f;
          best = std::max(best, inner(a, moved(layout, g, b)));
        }
      while (std::next_permutation(order.begin(), order.end()));
      WeightMatcher matcher(layout, a, {.signs = signs});
      std::vector<float> aligned(a.size());
      EXPECT_NEAR(matcher.match(b, trial, aligned).objective.back(), best, 1e-5) << trial;
    }
}

// A group on both axes of one tensor: the gains only approximate the objective there, and still it never falls.
TEST(WeightMatching, AGroupOnBothAxesOfATensor) {
  symmetry::Layout layout;
  layout.groups = {{"h", 9}};
  layout.tensors = {{"recurrent", {9, 9}, {0, 0}},
                    {"kernel", {3, 9, 4}, {symmetry::kFree, 0, symmetry::kFree}}};
  Rng rng(4);
  for (uint64_t trial = 0; trial < 20; ++trial) {
    const std::vector<float> a = random_network(layout, trial), b = random_network(layout, 1000 + trial);
    WeightMatcher matcher(layout, a, {.signs = true});
    std::vector<float> aligned(a.size());
    const Match match = matcher.match(b, trial, aligned);
    for (size_t s = 1; s < match.objective.size(); ++s) EXPECT_GE(match.objective[s], match.objective[s - 1]);
    EXPECT_EQ(aligned, moved(layout, match.element, b));
    const SignedElement h = random_signed(layout, rng);
    matcher.match(moved(layout, h, a), trial, aligned);
    EXPECT_EQ(aligned, a);
  }
}

TEST(WeightMatching, DependsOnTheNetworkTheSeedAndTheStreamAlone) {
  const symmetry::Layout layout = symmetry::mlp_layout({2, 16, 16, 16, 16, 16, 16, 1});
  const std::vector<float> a = random_network(layout, 1), b = random_network(layout, 2),
                           c = random_network(layout, 3);
  WeightMatcher used(layout, a, {.signs = true}), fresh(layout, a, {.signs = true});
  std::vector<float> first(a.size()), second(a.size());
  used.match(c, 0, first);
  used.match(b, 7, first);
  fresh.match(b, 7, second);
  EXPECT_EQ(first, second);
  bool differs = false;
  for (uint64_t stream = 0; stream < 20; ++stream) {
    fresh.match(b, stream, second);
    differs = differs || first != second;
  }
  EXPECT_TRUE(differs) << "the order of the groups is never another one";
}

TEST(WeightMatching, StopsAtMaxSweeps) {
  const symmetry::Layout layout = symmetry::mlp_layout({2, 32, 32, 1});
  const std::vector<float> a = random_network(layout, 1), b = random_network(layout, 2);
  std::vector<float> aligned(a.size());
  EXPECT_EQ(WeightMatcher(layout, a, {.max_sweeps = 1}).match(b, 0, aligned).sweeps(), 1);
}

TEST(WeightMatching, ZerosAndNumbersBeyondFloat) {
  const symmetry::Layout layout = symmetry::mlp_layout({2, 5, 1});
  const std::vector<float> a = random_network(layout, 1), zero(a.size());
  std::vector<float> aligned(a.size());
  const Match match = WeightMatcher(layout, a, {.signs = true}).match(zero, 0, aligned);
  EXPECT_EQ(match.cosine_after, 0);
  EXPECT_TRUE(is_identity(match.element));
  const std::vector<float> huge(a.size(), 3e38f);
  expect_error(ErrorKind::bad_value, [&] { WeightMatcher(layout, huge, {}).match(huge, 0, aligned); });
  expect_error(ErrorKind::mismatch, [&] { WeightMatcher(layout, std::vector<float>(3), {}); });
  expect_error(ErrorKind::mismatch,
               [&] { WeightMatcher(layout, a, {}).match(std::vector<float>(3), 0, aligned); });
}

}  // namespace
}  // namespace dws::align
