// Many networks in one basis: the running sum against the sum over pairs, consistency, fixed points, recovery.
#include "align/universe.h"

#include <gtest/gtest.h>

#include <cmath>

#include "align/match_frank_wolfe.h"
#include "align/polish.h"
#include "core/parallel.h"
#include "found.h"
#include "testing.h"

namespace dws::align {
namespace {

using dws::testing::Found;
using dws::testing::found;
using dws::testing::random_numbers;
using symmetry::NetworkElement;

Population strangers(const Found& f, int count) {
  const Numbers like = read_numbers(f.spec, f.network);
  Population p{.spec = f.spec, .scored = scored_tensors(f.spec, f.network), .networks = {}};
  for (int i = 0; i < count; ++i) p.networks.push_back(random_numbers(like, static_cast<uint64_t>(i)));
  return p;
}
NetworkElement random_of(const symmetry::Spec& spec, uint64_t seed, bool scales = false) {
  Rng rng(seed);
  return symmetry::random_element(spec, {.order = true, .sign = true, .scale = scales, .phase = false}, rng);
}

TEST(Universe, TheRunningSumIsTheSumOverPairs) {
  for (const char* name : {"cnn", "encoder_pre_norm"}) {
    SCOPED_TRACE(name);
    const Found f = found(name);
    const Population p = strangers(f, 4);
    const UniverseObjective objective(p, true);
    const SoftAction& action = objective.action();
    std::vector<SoftElement> points;
    for (uint64_t x = 0; x < 4; ++x)
      points.push_back(
          between(action.corner(random_of(f.spec, x)), action.corner(random_of(f.spec, 10 + x)), 0.3));
    std::vector<SoftElement> gradient;
    const double value = objective.gradient(points, gradient);
    double sum = 0;
    std::vector<SoftElement> slow(4, action.zero());
    for (size_t x = 0; x < 4; ++x)
      for (size_t y = 0; y < 4; ++y) {
        if (x == y) continue;
        const double one =
            action.add_gradient(points[x], action.act(points[y], p.networks[y]), p.networks[x], slow[x]);
        if (x < y) sum += one;
      }
    EXPECT_NEAR(value, sum, 1e-5 * std::abs(sum) + 1e-3);
    EXPECT_NEAR(objective.value(points), sum, 1e-5 * std::abs(sum) + 1e-3);
    int compared = 0;
    for (size_t x = 0; x < 4; ++x)
      for (size_t g = 0; g < slow[x].size(); ++g)
        for (size_t c = 0; c < slow[x][g].size(); ++c)
          for (size_t i = 0; i < slow[x][g][c].size(); ++i, ++compared)
            ASSERT_NEAR(gradient[x][g][c][i], slow[x][g][c][i], 1e-3 * (1 + std::abs(slow[x][g][c][i])));
    EXPECT_GT(compared, 0);
  }
}

class EachMethod : public ::testing::TestWithParam<UniverseMethod> {};

TEST_P(EachMethod, NetworksOfOneFunctionMeet) {
  for (const char* name : {"mlp_relu", "mlp_tanh", "resnet", "decoder"}) {
    SCOPED_TRACE(name);
    const Found f = found(name);
    const Numbers a = read_numbers(f.spec, f.network);
    Population p{.spec = f.spec, .scored = scored_tensors(f.spec, f.network), .networks = {a}};
    for (uint64_t x = 1; x < 4; ++x) p.networks.push_back(act(f.spec, random_of(f.spec, x, true), a));
    const UniverseMatch match = match_universe(p, {.method = GetParam()});
    EXPECT_TRUE(match.fixed);
    const double norm = inner_product(p.scored, a, a);
    for (size_t x = 0; x < 4; ++x)
      EXPECT_NEAR(inner_product(p.scored, a, act(f.spec, match.elements[x], p.networks[x])), norm,
                  1e-4 * norm)
          << x;
    for (const auto& e : match.elements[0]) EXPECT_TRUE(symmetry::is_identity(e));
  }
}

TEST_P(EachMethod, RisesIsConsistentAndEndsWhereNothingMoves) {
  const Found f = found("cnn");
  const Population p = strangers(f, 4);
  UniverseOptions options{.method = GetParam()};
  options.match.kinds = {.order = true, .sign = true, .scale = false, .phase = false};
  const UniverseMatch match = match_universe(p, options);
  EXPECT_TRUE(match.fixed);
  EXPECT_GT(match.objective.size(), 1u);
  for (size_t i = 1; i < match.objective.size(); ++i) EXPECT_GT(match.objective[i], match.objective[i - 1]);
  const std::vector<NetworkElement> none(4, symmetry::identity_element(f.spec));
  EXPECT_GT(match.objective.back(), p.objective(none));
  // The first one's basis is only another place to look from.
  EXPECT_NEAR(p.objective(match.elements), match.objective.back(), 1e-5 * match.objective.back());
  EXPECT_EQ(match.steps > 0, GetParam() == UniverseMethod::c2m3);

  // A to B to C to A.
  const auto between = [&](size_t from, size_t to) {
    return symmetry::compose(f.spec, symmetry::inverse(f.spec, match.elements[to]), match.elements[from]);
  };
  const NetworkElement around =
      symmetry::compose(f.spec, between(3, 1), symmetry::compose(f.spec, between(2, 3), between(1, 2)));
  int moved = 0;
  for (size_t g = 0; g < around.size(); ++g) {
    EXPECT_TRUE(symmetry::is_identity(around[g])) << f.spec.groups[g].name;
    moved += !symmetry::is_identity(match.elements[1][g]);
  }
  EXPECT_GT(moved, 0);

  // One more round moves nothing.
  std::vector<Numbers> at;
  for (size_t x = 0; x < 4; ++x) at.push_back(act(f.spec, match.elements[x], p.networks[x]));
  for (size_t x = 0; x < 4; ++x) {
    Numbers mean = at[x];
    for (size_t t = 0; t < mean.tensors.size(); ++t) {
      if (!p.scored[t]) continue;
      auto sum = std::make_shared<std::vector<float>>(mean.tensors[t].size(), 0.f);
      for (size_t y = 0; y < 4; ++y)
        for (size_t k = 0; y != x && k < sum->size(); ++k) (*sum)[k] += at[y].tensors[t][k] / 3;
      mean.held[t] = sum;
      mean.tensors[t] = *sum;
    }
    const Polished more = polish({p.spec, p.scored, mean, at[x]}, none[x], options.match.kinds, 100, 0);
    EXPECT_LE(more.after, more.before * (1 + 1e-6)) << x;
  }
}
INSTANTIATE_TEST_SUITE_P(Methods, EachMethod,
                         ::testing::Values(UniverseMethod::c2m3, UniverseMethod::mergemany));

TEST(Universe, TheSameBitsOnOneThreadAndTwo) {
  const Found f = found("cnn");
  const Population p = strangers(f, 3);
  std::vector<UniverseMatch> matches;
  for (const int count : {1, 2}) {
    set_threads(count);
    matches.push_back(match_universe(p, {.frank_wolfe = {.max_steps = 10}}));
  }
  set_threads(0);
  EXPECT_EQ(matches[0].objective, matches[1].objective);
  for (size_t g = 0; g < f.spec.groups.size(); ++g)
    EXPECT_EQ(matches[0].elements[2][g].order, matches[1].elements[2][g].order);
}

TEST(Universe, OneNetworkIsNoUniverse) {
  const Found f = found("cnn");
  testing::expect_error(
      ErrorKind::usage, [&] { (void)match_universe(strangers(f, 1), {}); }, "at least two");
  const std::vector<bool> scored = scored_tensors(f.spec, f.network);
  EXPECT_GT(universe_memory(f.spec, scored, 8), 2 * universe_memory(f.spec, scored, 2));
}

// Frank-Wolfe for two ends no lower than weight matching, and at the function it came from.
TEST(MatchFrankWolfe, NoLowerThanWeightMatching) {
  int improved = 0;
  for (const char* name : {"mlp_relu", "cnn", "mlp_sine", "encoder_pre_norm"}) {
    SCOPED_TRACE(name);
    const Found f = found(name);
    const Population p = strangers(f, 2);
    const Pair pair(f.spec, p.scored, p.networks[0], p.networks[1]);
    const NetworkMatchOptions options{.kinds = {.order = true, .sign = true, .scale = false, .phase = false}};
    const NetworkMatch found_match = match_frank_wolfe(pair, options);
    const NetworkMatch weights = match_networks(pair, options);
    const std::vector<double>& objective = found_match.objective;
    ASSERT_EQ(objective.size(), 3u);
    EXPECT_TRUE(objective[0] <= objective[1] && objective[1] <= objective[2]);
    EXPECT_NEAR(pair.objective(found_match.element) - pair.objective(symmetry::identity_element(f.spec)),
                objective[2] - objective[0], 1e-4 * std::abs(objective[2]));
    EXPECT_GE(found_match.cosine_after, weights.cosine_after - 1e-7);
    EXPECT_GT(found_match.steps, 0);
    improved += objective[2] > objective[1];
  }
  EXPECT_GT(improved, 0);
}

TEST(MatchFrankWolfe, ARandomElementIsUndone) {
  for (const char* name : {"mlp_relu", "mlp_sine", "resnet", "decoder"}) {
    SCOPED_TRACE(name);
    const Found f = found(name);
    const Numbers a = read_numbers(f.spec, f.network);
    Rng rng(3);
    const Pair pair(f.spec, scored_tensors(f.spec, f.network), a,
                    act(f.spec, symmetry::random_element(f.spec, {}, rng), a));
    const NetworkMatch match = match_frank_wolfe(pair, {.kinds = {}});
    EXPECT_GT(match.cosine_after, 1 - 1e-6);
  }
}

}  // namespace
}  // namespace dws::align
