// Statistics that no permutation changes.
#include "weights/normalise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "testing.h"

namespace dws::weights {
namespace {

using dws::testing::throws_error;

std::vector<std::vector<float>> random_networks(const symmetry::Layout& layout, int count) {
  Rng rng(21);
  std::vector<std::vector<float>> networks;
  for (int n = 0; n < count; ++n) {
    networks.emplace_back();
    int64_t t = 0;
    for (const auto& tensor : layout.tensors) {
      ++t;
      for (int64_t e = 0; e < tensor.size(); ++e)
        networks.back().push_back(static_cast<float>(double(t) + (double(t) + double(e % 2)) * rng.normal()));
    }
  }
  return networks;
}

Normaliser fit(const symmetry::Layout& layout, const std::vector<std::vector<float>>& networks) {
  return fit_normaliser(layout, static_cast<int64_t>(networks.size()), [&](int64_t i, std::span<float> out) {
    std::copy(networks[size_t(i)].begin(), networks[size_t(i)].end(), out.begin());
  });
}

TEST(Normaliser, SubnormalDeviationsDoNotScale) {
  const symmetry::Layout layout = symmetry::mlp_layout({1, 1});
  const float tiny = std::numeric_limits<float>::denorm_min();
  const Normaliser n = fit(layout, {{-tiny, 1.0f}, {tiny, -1.0f}});
  ASSERT_EQ(n.scale.size(), 2u);
  EXPECT_EQ(n.scale[0], 1.0f);
  EXPECT_EQ(n.scale[1], 1.0f);
}

TEST(Normaliser, OneMeanAndDeviationForEachTensorAndFreeIndex) {
  const symmetry::Layout layout = symmetry::mlp_layout({2, 3, 2, 2});
  const auto networks = random_networks(layout, 50);
  const Normaliser n = fit(layout, networks);
  ASSERT_EQ(n.mean.size(), size_t(layout.param_count()));
  // W_0 (3, 2): columns are inputs, each with its own numbers, alike for all rows.
  EXPECT_EQ(n.mean[0], n.mean[2]);
  EXPECT_EQ(n.mean[1], n.mean[5]);
  EXPECT_NE(n.mean[0], n.mean[1]);
  // W_1 (2, 3) starts at 9: one number; W_2 (2, 2) at 17: one a row; b_2 at 21: its own each.
  for (size_t i = 10; i < 15; ++i) EXPECT_EQ(n.mean[i], n.mean[9]);
  EXPECT_EQ(n.scale[17], n.scale[18]);
  EXPECT_NE(n.scale[17], n.scale[19]);
  EXPECT_NE(n.mean[21], n.mean[22]);
  // By hand for input 1 of W_0.
  double sum = 0, square = 0;
  for (const auto& x : networks)
    for (size_t i : {1u, 3u, 5u}) sum += double(x[i]);
  const double mean = sum / 150;
  for (const auto& x : networks)
    for (size_t i : {1u, 3u, 5u}) square += (double(x[i]) - mean) * (double(x[i]) - mean);
  EXPECT_NEAR(n.mean[1], mean, 1e-6);
  EXPECT_NEAR(n.scale[1], 1 / std::sqrt(square / 150), 1e-6);
}

TEST(Normaliser, CommutesWithTheGroup) {
  const symmetry::Layout layout = symmetry::mlp_layout({2, 6, 5, 3});
  const auto networks = random_networks(layout, 20);
  const Normaliser n = fit(layout, networks);
  Rng rng(5);
  const symmetry::Element g = symmetry::random_element(layout, rng);
  std::vector<float> a(networks[0].size()), b(a.size()), c(a.size()), d(a.size());
  n.apply(networks[0], a);
  symmetry::act(layout, g, a.data(), b.data());
  symmetry::act(layout, g, networks[0].data(), c.data());
  n.apply(c, d);
  EXPECT_EQ(b, d);
  EXPECT_NE(a, b);
}

TEST(Normaliser, ConstantNumbersKeepScaleOne) {
  const symmetry::Layout layout = symmetry::mlp_layout({1, 2, 1});
  const std::vector<std::vector<float>> networks(7, std::vector<float>(size_t(layout.param_count()), 0.1f));
  const Normaliser n = fit(layout, networks);
  for (float scale : n.scale) EXPECT_EQ(scale, 1.0f);
  for (float mean : n.mean) EXPECT_EQ(mean, 0.1f);
}

TEST(Normaliser, IdentityChangesNothing) {
  const Normaliser n = Normaliser::identity(3);
  const std::vector<float> x = {1, -2, 3};
  std::vector<float> y(3);
  n.apply(x, y);
  EXPECT_EQ(x, y);
}

TEST(Normaliser, RefusesNothingAndInfinity) {
  const symmetry::Layout layout = symmetry::mlp_layout({1, 2, 1});
  EXPECT_TRUE(throws_error(ErrorKind::empty, [&] { fit(layout, {}); }));
  std::vector<std::vector<float>> networks(2, std::vector<float>(size_t(layout.param_count()), 1.0f));
  networks[1][3] = INFINITY;
  EXPECT_TRUE(throws_error(ErrorKind::bad_value, [&] { fit(layout, networks); }));
}

}  // namespace
}  // namespace dws::weights
