// A random element of each exported network's symmetry is found again from the numbers alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/text.h"
#include "models.h"
#include "unit/exported_models.h"

namespace dws::align {
namespace {

using symmetry::NetworkElement;

class Recovery : public ::testing::TestWithParam<std::string> {};

TEST_P(Recovery, OfARandomElement) {
  const Model model(GetParam());
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Rng rng(seed);
    const NetworkElement g = symmetry::random_element(model.spec, {}, rng);
    const Pair pair(model.spec, model.scored, model.numbers, act(model.spec, g, model.numbers));
    const NetworkMatch match = match_networks(pair, {});
    const Wrong wrong = compare(model.spec, symmetry::inverse(model.spec, g), match.element);
    EXPECT_GT(wrong.items, 0);
    EXPECT_EQ(wrong.orders, 0) << "of " << wrong.items;
    EXPECT_EQ(wrong.signs, 0);
    EXPECT_EQ(wrong.turns, 0);
    EXPECT_EQ(wrong.scales, 0);
    // And does the same to every number, of running statistics too.
    const Numbers back = act(model.spec, match.element, pair.b);
    const std::vector<bool> touched = symmetry::touched(model.spec);
    int checked = 0;
    for (size_t t = 0; t < touched.size(); ++t) {
      if (!touched[t]) continue;
      const auto x = model.numbers.tensors[t], y = back.tensors[t];
      double largest = 0, difference = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        largest = std::max(largest, std::abs(double{x[i]}));
        difference = std::max(difference, std::abs(double{x[i]} - y[i]));
      }
      EXPECT_LE(difference, 1e-4 * largest) << model.spec.tensors[t].name;
      ++checked;
    }
    EXPECT_GT(checked, 1);
    EXPECT_GT(match.cosine_after, 1 - 1e-6);
    EXPECT_LT(match.cosine_before, match.cosine_after);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Recovery, ::testing::ValuesIn(exported_models()),
                         [](const auto& test) { return test.param; });

// With more and more noise on B fewer are found, and what is found never is worse than B as it is.
TEST(RecoveryLadder, FallsGracefully) {
  for (const std::string name : {"resnet", "encoder_pre_norm", "mlp_tanh"}) {
    const Model model(name);
    Rng rng(11);
    const NetworkElement g = symmetry::random_element(model.spec, {.scale = false}, rng);
    const NetworkElement expected = symmetry::inverse(model.spec, g);
    std::vector<double> found;
    for (const double noise : {0.0, 0.02, 0.1, 3.0}) {
      Numbers b = act(model.spec, g, model.numbers);
      for (size_t t = 0; t < b.tensors.size(); ++t) {
        if (!model.scored[t]) continue;
        auto numbers = std::make_shared<std::vector<float>>(b.tensors[t].begin(), b.tensors[t].end());
        double square = 0;
        for (const float x : *numbers) square += double{x} * x;
        const double level = noise * std::sqrt(square / static_cast<double>(numbers->size()));
        for (float& x : *numbers) x += static_cast<float>(level * rng.normal());
        b.held[t] = numbers;
        b.tensors[t] = *numbers;
      }
      const Pair pair(model.spec, model.scored, model.numbers, b);
      const NetworkMatch match = match_networks(pair, {.kinds = {.scale = false}});
      const Wrong wrong = compare(model.spec, expected, match.element);
      found.push_back(1 - static_cast<double>(wrong.orders) / static_cast<double>(wrong.items));
      EXPECT_GE(match.cosine_after, match.cosine_before) << name << ' ' << noise;
    }
    EXPECT_EQ(found[0], 1) << name;
    EXPECT_EQ(found[1], 1) << name;
    EXPECT_GE(found[2], 0.9) << name;
    EXPECT_LT(found[3], 0.9) << name;
  }
}

}  // namespace
}  // namespace dws::align
