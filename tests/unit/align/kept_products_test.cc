// Products kept from visit to visit are those computed anew, whatever has been reordered since.
#include "align/kept_products.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "align/descent.h"
#include "align/slices.h"
#include "models.h"

namespace dws::align {
namespace {

constexpr symmetry::Draw kOrders{.order = true, .sign = false, .scale = false, .phase = false};

Numbers other_numbers(const Model& model, uint64_t seed) {
  Rng rng(seed);
  Numbers b = model.numbers;
  for (size_t t = 0; t < b.tensors.size(); ++t) {
    if (!model.spec.tensors[t].parameter) continue;
    auto numbers = std::make_shared<std::vector<float>>(b.tensors[t].size());
    for (float& x : *numbers) x = static_cast<float>(rng.normal());
    b.held[t] = numbers;
    b.tensors[t] = *numbers;
  }
  return b;
}

TEST(KeptProducts, AreThoseComputedAnew) {
  for (const std::string name : {"mlp_relu", "cnn", "cnn_batch_norm", "resnet", "unet", "dense"}) {
    const Model model(name);
    const Pair pair(model.spec, model.scored, model.numbers, other_numbers(model, 2));
    const Problem problem = make_problem(pair, kOrders);
    ASSERT_TRUE(KeptProducts::possible(problem)) << name;
    const Standing start = standing(problem, pair);
    KeptProducts kept(problem, start.a, start.b);
    Rng rng(7);
    Packed packed;
    for (int round = 0; round < 40; ++round) {
      // Long cycles, short ones, and none.
      const auto moved = static_cast<size_t>(rng.below(problem.units.size()));
      std::vector<int32_t> order(kept.order(moved).begin(), kept.order(moved).end());
      if (round % 4 == 0)
        rng.shuffle(std::span<int32_t>(order));
      else
        std::swap(order[0], order[static_cast<size_t>(rng.below(order.size()))]);
      kept.reorder(moved, order);
      const auto u = static_cast<size_t>(rng.below(problem.units.size()));
      const Unit& unit = problem.units[u];
      Standing numbers = start;
      for (size_t v = 0; v < problem.units.size(); ++v) {
        Step step{.order = {kept.order(v).begin(), kept.order(v).end()},
                  .choices = {},
                  .changed = std::vector<int64_t>(static_cast<size_t>(problem.units[v].size)),
                  .nested = {}};
        std::iota(step.changed.begin(), step.changed.end(), 0);
        if (v != u) move_unit(problem, problem.units[v], step, numbers);
      }
      std::vector<float> expected(static_cast<size_t>(unit.size * unit.size), 0.f);
      for (const Place& p : unit.places) {
        const auto f = static_cast<size_t>(p.field);
        add_products(Walk(problem.fields[f], p, unit.size), {}, numbers.a[f].data(), numbers.b[f].data(),
                     expected, packed);
      }
      const auto gains = kept.gains(u, nullptr);
      double largest = 0;
      for (const float x : expected) largest = std::max(largest, std::abs(double{x}));
      for (size_t k = 0; k < expected.size(); ++k)
        ASSERT_NEAR(gains[k], expected[k], 1e-5 * largest) << name << ' ' << round << ' ' << k;
    }
  }
}

TEST(KeptProducts, AreNotForUnitsThatFlip) {
  const Model model("mlp_sine");
  const Pair pair(model.spec, model.scored, model.numbers, other_numbers(model, 2));
  EXPECT_FALSE(KeptProducts::possible(make_problem(pair, {})));
}

}  // namespace
}  // namespace dws::align
