// Noise and dropout: how large, where, how often.
#include "weights/noise.h"

#include <gtest/gtest.h>

#include <cmath>

namespace dws::weights {
namespace {

// Mean, deviation, skew and kurtosis of numbers.
struct Moments {
  double mean = 0, deviation = 0, third = 0, fourth = 0;
  explicit Moments(const std::vector<double>& x) {
    const auto n = static_cast<double>(x.size());
    for (double v : x) mean += v / n;
    for (double v : x) deviation += (v - mean) * (v - mean) / n;
    deviation = std::sqrt(deviation);
    for (double v : x) third += std::pow((v - mean) / deviation, 3) / n;
    for (double v : x) fourth += std::pow((v - mean) / deviation, 4) / n;
  }
};

TEST(Noise, IsNormalOfEachTensorsOwnDeviation) {
  const symmetry::Layout layout = symmetry::mlp_layout({2, 40, 30, 1});
  // Tensors of very different deviation, none of mean 0: both must not matter.
  std::vector<float> x(static_cast<size_t>(layout.param_count()));
  Rng rng(1);
  size_t at = 0;
  std::vector<double> deviations;
  for (size_t t = 0; t < layout.tensors.size(); ++t) {
    std::vector<double> values;
    for (int64_t i = 0; i < layout.tensors[t].size(); ++i) {
      x[at] = static_cast<float>(10.0 + std::pow(10.0, 1 - static_cast<double>(t)) * rng.normal());
      values.push_back(static_cast<double>(x[at++]));
    }
    deviations.push_back(Moments(values).deviation);
  }
  std::vector<std::vector<double>> differences(layout.tensors.size());
  for (uint64_t trial = 0; trial < 300; ++trial) {
    std::vector<float> y = x;
    Rng noise(2, trial);
    add_noise(layout, 0.1, noise, y.data());
    at = 0;
    for (size_t t = 0; t < layout.tensors.size(); ++t)
      for (int64_t i = 0; i < layout.tensors[t].size(); ++i, ++at)
        differences[t].push_back(static_cast<double>(y[at]) - static_cast<double>(x[at]));
  }
  for (size_t t = 0; t < layout.tensors.size(); ++t) {
    if (layout.tensors[t].size() == 1) {
      for (double d : differences[t]) EXPECT_EQ(d, 0);
      continue;
    }
    const Moments m(differences[t]);
    const double expected = 0.1 * deviations[t];
    EXPECT_NEAR(m.deviation / expected, 1, 0.03) << t;
    EXPECT_NEAR(m.mean / expected, 0, 0.05) << t;
    if (expected < 1e-4) continue;  // beside 10 that is a few steps of a float
    EXPECT_NEAR(m.third, 0, 0.1) << t;
    EXPECT_NEAR(m.fourth, 3, 0.2) << t;
  }
}

TEST(Noise, HasTheTailsOfTheNormal) {
  const symmetry::Layout layout = symmetry::mlp_layout({1, 1000, 999});
  std::vector<float> x(static_cast<size_t>(layout.param_count()));
  for (size_t i = 0; i < x.size(); ++i) x[i] = i % 2 == 0 ? 1.0f : -1.0f;  // deviation 1
  constexpr int kTrials = 3;
  const double edges[] = {0.1, 0.5, 1, 2, 3, 3.7, 4.2};
  double beyond[7][2] = {}, count = 0;
  for (uint64_t trial = 0; trial < kTrials; ++trial) {
    std::vector<float> y = x;
    Rng rng(6, trial);
    add_noise(layout, 1, rng, y.data());
    for (size_t i = 2000; i < 2000 + 999000; ++i, ++count) {  // the matrix between
      const double n = static_cast<double>(y[i]) - static_cast<double>(x[i]);
      for (size_t e = 0; e < 7; ++e)
        if (std::abs(n) > edges[e]) ++beyond[e][n > 0];
    }
  }
  for (size_t e = 0; e < 7; ++e)
    for (const double got : beyond[e]) {
      const double expected = count * std::erfc(edges[e] / std::sqrt(2.0)) / 2;
      EXPECT_NEAR(got, expected, 5 * std::sqrt(expected)) << edges[e];
    }
}

TEST(Noise, DiffersFromNumberToNumber) {
  const symmetry::Layout layout = symmetry::mlp_layout({2, 8, 1});
  std::vector<float> x(static_cast<size_t>(layout.param_count()));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  std::vector<float> y = x;
  Rng rng(3);
  add_noise(layout, 1, rng, y.data());
  for (size_t i = 1; i < 16; ++i) EXPECT_NE(y[i] - x[i], y[0] - x[0]);
}

TEST(Dropout, DropsTheShareAskedForAnywhere) {
  constexpr int64_t kCount = 97;
  for (const double p : {0.01, 0.3, 0.9}) {
    std::vector<int> dropped(kCount, 0);
    int total = 0, pairs = 0;
    constexpr int kTrials = 4000;
    for (uint64_t trial = 0; trial < kTrials; ++trial) {
      std::vector<float> x(kCount, 2.0f);
      Rng rng(4, trial);
      drop_weights(kCount, p, rng, x.data());
      for (size_t i = 0; i < x.size(); ++i) {
        if (x[i] == 0)
          ++dropped[i];
        else
          ASSERT_FLOAT_EQ(x[i], static_cast<float>(2 / (1 - p)));
        pairs += i > 0 && x[i] == 0 && x[i - 1] == 0;
      }
    }
    const double spread = 5 * std::sqrt(p * (1 - p) * kTrials);
    for (int d : dropped) {
      EXPECT_NEAR(d, p * kTrials, spread);
      total += d;
    }
    EXPECT_NEAR(total, p * kTrials * kCount, 5 * std::sqrt(p * (1 - p) * kTrials * kCount));
    // Neighbours are dropped on their own.
    EXPECT_NEAR(pairs, p * p * kTrials * (kCount - 1), 0.05 * p * kTrials * (kCount - 1));
  }
}

TEST(Dropout, NoneLeavesAll) {
  std::vector<float> x{1, 2, 3};
  Rng rng(5);
  drop_weights(3, 0, rng, x.data());
  EXPECT_EQ(x, (std::vector<float>{1, 2, 3}));
}

}  // namespace
}  // namespace dws::weights
