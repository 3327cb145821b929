// The descent: it never falls, ends where the plain loop ends, and does not depend on threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "../network/graph_maker.h"
#include "align/descent.h"
#include "core/parallel.h"
#include "models.h"

namespace dws::align {
namespace {

using symmetry::Draw;
using symmetry::NetworkElement;

// Another network of the model's architecture: numbers of its own, of the same size.
Numbers other(const Model& model, uint64_t seed) {
  Rng rng(seed);
  Numbers b = model.numbers;
  for (size_t t = 0; t < b.tensors.size(); ++t) {
    if (!model.spec.tensors[t].parameter) continue;
    auto numbers = std::make_shared<std::vector<float>>(b.tensors[t].begin(), b.tensors[t].end());
    for (float& x : *numbers) x = static_cast<float>(0.5 * rng.normal()) + 0.2f * x;
    b.held[t] = numbers;
    b.tensors[t] = *numbers;
  }
  return b;
}

constexpr const char* kModels[] = {"mlp_relu",
                                   "mlp_sine",
                                   "cnn_batch_norm",
                                   "resnet",
                                   "group_norm",
                                   "separable",
                                   "encoder_pre_norm",
                                   "decoder",
                                   "fused_norms",
                                   "lstm",
                                   "lstm_bidirectional",
                                   "encoder_fused",
                                   "fused_attention_grouped",
                                   "shuffle"};

TEST(NetworkDescent, NeverFallsAndSaysWhatItsElementDoes) {
  for (const std::string name : kModels) {
    const Model model(name);
    const Pair pair(model.spec, model.scored, model.numbers, other(model, 3));
    const Problem problem = make_problem(pair, {});
    Descent descent(problem, standing(problem, pair));
    Rng rng(1);
    descent.descend(100, rng);
    const std::vector<double>& scores = descent.scores();
    ASSERT_GT(scores.size(), 1u) << name;
    EXPECT_GT(scores.back(), scores.front()) << name;
    for (size_t i = 1; i < scores.size(); ++i) EXPECT_GE(scores[i], scores[i - 1]) << name;
    // The last sweep found nothing.
    EXPECT_EQ(scores.back(), scores[scores.size() - 2]) << name;
    // The numbers as they stand are those of the element, and the score is theirs.
    EXPECT_NEAR(score(problem, descent.numbers()), scores.back(), 1e-5 * std::abs(scores.back())) << name;
    const Numbers after = act(model.spec, descent.element(), pair.b);
    for (size_t f = 0; f < problem.fields.size(); ++f) {
      const auto& x = descent.numbers().b[f];
      const auto y = after.tensors[static_cast<size_t>(problem.fields[f].tensor)];
      for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], 1e-4) << name << ' ' << f;
    }
  }
}

// All products computed anew, nothing kept: what the descent must agree with. Orders alone.
double plain(const Problem& problem, Standing numbers, Rng rng) {
  std::vector<size_t> units(problem.units.size());
  std::iota(units.begin(), units.end(), size_t{0});
  Packed packed;
  double best = score(problem, numbers);
  for (bool progress = true; progress;) {
    progress = false;
    rng.shuffle(std::span<size_t>(units));
    for (const size_t u : units) {
      const Unit& unit = problem.units[u];
      std::vector<float> gain(static_cast<size_t>(unit.size * unit.size), 0.f);
      for (const Place& p : unit.places) {
        const auto f = static_cast<size_t>(p.field);
        add_products(Walk(problem.fields[f], p, unit.size), {}, numbers.a[f].data(), numbers.b[f].data(),
                     gain, packed);
      }
      AssignmentSolver solver;
      Step step{.order = solver.solve(unit.size, gain).column, .choices = {}, .changed = {}, .nested = {}};
      for (int64_t i = 0; i < unit.size; ++i) step.changed.push_back(i);
      Standing trial = numbers;
      move_unit(problem, unit, step, trial);
      const double now = score(problem, trial);
      if (!(now > best + 1e-9 * std::abs(best))) continue;
      best = now;
      numbers = std::move(trial);
      progress = true;
    }
  }
  return best;
}

TEST(NetworkDescent, EndsWhereThePlainLoopEnds) {
  const Draw orders{.order = true, .sign = false, .scale = false, .phase = false};
  for (const std::string name :
       {"mlp_relu", "mlp_gelu", "cnn", "cnn_batch_norm", "resnet", "unet", "dense", "shuffle"}) {
    const Model model(name);
    for (uint64_t seed = 1; seed <= 4; ++seed) {
      const Pair pair(model.spec, model.scored, model.numbers, other(model, seed));
      const Problem problem = make_problem(pair, orders);
      Descent descent(problem, standing(problem, pair));
      Rng rng(seed);
      descent.descend(100, rng);
      const double expected = plain(problem, standing(problem, pair), Rng(seed));
      EXPECT_NEAR(descent.score(), expected, 1e-5 * std::abs(expected)) << name << ' ' << seed;
    }
  }
}

TEST(NetworkDescent, TheSameBitsOnAnyNumberOfThreads) {
  const int before = threads();
  for (const std::string name : {"resnet", "encoder_pre_norm", "mlp_sine"}) {
    const Model model(name);
    const Pair pair(model.spec, model.scored, model.numbers, other(model, 5));
    std::vector<NetworkMatch> found;
    for (const int count : {1, 3}) {
      set_threads(count);
      found.push_back(match_networks(pair, {.restarts = 1}));
    }
    EXPECT_EQ(found[0].objective, found[1].objective) << name;
    EXPECT_EQ(found[0].cosine_after, found[1].cosine_after) << name;
    EXPECT_EQ(symmetry::to_json(model.spec, found[0].element).dump(),
              symmetry::to_json(model.spec, found[1].element).dump());
    EXPECT_GT(found[0].cosine_after, found[0].cosine_before);
    EXPECT_GE(found[0].starts, 2);
  }
  set_threads(before);
}

TEST(NetworkDescent, RestartsAreNeverWorse) {
  const Model model("cnn");
  const Pair pair(model.spec, model.scored, model.numbers, other(model, 8));
  const Draw orders{.order = true, .sign = false, .scale = false, .phase = false};
  const NetworkMatch once = match_networks(pair, {.kinds = orders});
  const NetworkMatch often = match_networks(pair, {.kinds = orders, .restarts = 20});
  EXPECT_GT(often.objective.back(), once.objective.back());
  EXPECT_EQ(often.objective.front(), once.objective.front());
  EXPECT_NEAR(pair.objective(often.element), often.objective.back(), 1e-5 * often.objective.back());
}

// Running statistics are far larger than weights; they go along, and do not say where.
TEST(NetworkDescent, RunningStatisticsAreMovedAndNotScored) {
  const Model model("cnn_batch_norm");
  Rng rng(2);
  const NetworkElement g =
      symmetry::random_element(model.spec, {.sign = false, .scale = false, .phase = false}, rng);
  Numbers b = act(model.spec, g, model.numbers);
  int statistics = 0;
  for (size_t t = 0; t < b.tensors.size(); ++t) {
    if (model.spec.tensors[t].name.find("running") == std::string::npos) continue;
    EXPECT_FALSE(model.scored[t]);
    ++statistics;
    auto numbers = std::make_shared<std::vector<float>>(b.tensors[t].begin(), b.tensors[t].end());
    for (size_t i = 0; i < numbers->size(); ++i) (*numbers)[i] = static_cast<float>(1000 * i);
    b.held[t] = numbers;
    b.tensors[t] = *numbers;
  }
  EXPECT_EQ(statistics, 4);
  const Pair pair(model.spec, model.scored, model.numbers, b);
  const NetworkMatch match =
      match_networks(pair, {.kinds = {.order = true, .sign = false, .scale = false, .phase = false}});
  EXPECT_EQ(compare(model.spec, symmetry::inverse(model.spec, g), match.element).orders, 0);
  const Numbers after = act(model.spec, match.element, b);
  for (size_t t = 0; t < b.tensors.size(); ++t) {
    if (model.spec.tensors[t].name.find("running") != std::string::npos) {
      EXPECT_FALSE(std::ranges::equal(after.tensors[t], b.tensors[t]));
    }
  }
}

// Nothing but one kind may be asked for.
TEST(NetworkDescent, KindsThatAreNotAskedForStay) {
  const Model model("mlp_sine");
  const Pair pair(model.spec, model.scored, model.numbers, other(model, 4));
  for (int kind = 0; kind < 3; ++kind) {
    const NetworkMatch match = match_networks(
        pair, {.kinds = {.order = kind == 0, .sign = kind == 1, .scale = false, .phase = kind == 2}});
    const Wrong moved = compare(model.spec, symmetry::identity_element(model.spec), match.element);
    EXPECT_EQ(moved.orders > 0, kind == 0);
    EXPECT_EQ(moved.signs > 0, kind == 1);
    EXPECT_EQ(moved.turns > 0, kind == 2);
  }
}

TEST(NetworkPair, GainsAreDifferencesOfTheObjective) {
  for (const std::string name : {"cnn", "encoder_pre_norm", "separable", "group_norm"}) {
    const Model model(name);
    const Pair pair(model.spec, model.scored, model.numbers, other(model, 6));
    Rng rng(9);
    NetworkElement g =
        symmetry::random_element(model.spec, {.sign = false, .scale = false, .phase = false}, rng);
    for (size_t n = 0; n < g.size(); ++n) {
      const symmetry::NetworkGroup& group = model.spec.groups[n];
      NetworkElement without = g;
      without[n] = symmetry::identity_element(model.spec)[n];
      const std::vector<float> gains = pair.gains(static_cast<int>(n), g);
      double expected = 0;
      for (int64_t b = 0; b < group.blocks; ++b)
        for (int64_t i = 0; i < group.size; ++i) {
          const auto row = static_cast<size_t>((b * group.size + i) * group.size);
          expected +=
              double{gains[row + static_cast<size_t>(g[n].order[static_cast<size_t>(b * group.size + i)])]} -
              gains[row + static_cast<size_t>(i)];
        }
      // A group that others lie within takes them along, so that its own gains are not all of it.
      const bool outer = std::ranges::any_of(
          model.spec.groups, [&](const auto& other) { return other.by == static_cast<int>(n); });
      if (outer) continue;
      EXPECT_NEAR(pair.objective(g) - pair.objective(without), expected, 1e-3 * (1 + std::abs(expected)))
          << name << ' ' << group.name;
    }
  }
}

TEST(NetworkPair, WhatCannotBeCompared) {
  const Model model("mlp_relu"), wider("mlp_sine"), other("mlp_layer_norm");
  EXPECT_THROW(Pair(model.spec, model.net, wider.net), Error);
  EXPECT_THROW(Pair(other.spec, other.net, model.net), Error);
  network::Network broken = model.net;
  std::vector<std::vector<std::byte>> held;
  for (network::Constant& c : broken.constants) {
    if (c.name != "2.weight") continue;
    held.emplace_back(c.bytes.begin(), c.bytes.end());
    constexpr float kNotANumber = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(held.back().data() + 5 * sizeof(float), &kNotANumber, sizeof(float));
    c.bytes = held.back();
  }
  try {
    Pair(model.spec, model.net, broken);
    FAIL() << "taken for numbers";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_value);
    EXPECT_NE(std::string(e.what()).find("tensor '2.weight': number 5 is not a number"), std::string::npos)
        << e.what();
  }
}

}  // namespace
}  // namespace dws::align
