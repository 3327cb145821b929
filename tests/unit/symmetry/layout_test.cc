// The layout of fully connected networks and the action of its group.
#include "symmetry/layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "testing.h"

namespace dws::symmetry {
namespace {

using dws::testing::throws_error;

std::vector<double> random_vector(int64_t n, uint64_t seed) {
  Rng rng(seed);
  std::vector<double> x(static_cast<size_t>(n));
  for (double& v : x) v = rng.normal();
  return x;
}

std::vector<double> moved(const Layout& layout, const Element& g, const std::vector<double>& x,
                          int64_t channels = 1) {
  std::vector<double> y(x.size(), NAN);
  act(layout, g, x.data(), y.data(), channels);
  return y;
}

// The network itself: tanh between layers.
std::vector<double> run(const std::vector<int64_t>& dims, const std::vector<double>& params,
                        std::vector<double> x) {
  const double* p = params.data();
  for (size_t l = 0; l + 1 < dims.size(); ++l) {
    const size_t in = size_t(dims[l]), out = size_t(dims[l + 1]);
    std::vector<double> y(p + in * out, p + in * out + out);
    for (size_t o = 0; o < out; ++o) {
      for (size_t i = 0; i < in; ++i) y[o] += p[o * in + i] * x[i];
      if (l + 2 < dims.size()) y[o] = std::tanh(y[o]);
    }
    p += in * out + out;
    x = y;
  }
  return x;
}

TEST(Layout, NamesGroupsAndSizes) {
  const Layout layout = mlp_layout({2, 5, 4, 1});
  ASSERT_EQ(layout.groups.size(), 2u);
  EXPECT_EQ(layout.groups[0].name, "hidden.0");
  EXPECT_EQ(layout.groups[0].size, 5);
  EXPECT_EQ(layout.groups[1].size, 4);
  ASSERT_EQ(layout.tensors.size(), 6u);
  EXPECT_EQ(layout.tensors[0].axis_group, (std::vector<int>{0, kFree}));
  EXPECT_EQ(layout.tensors[2].name, "layers.1.weight");
  EXPECT_EQ(layout.tensors[2].dims, (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(layout.tensors[2].axis_group, (std::vector<int>{1, 0}));
  EXPECT_EQ(layout.tensors[4].axis_group, (std::vector<int>{kFree, 1}));
  EXPECT_EQ(layout.tensors[5].axis_group, (std::vector<int>{kFree}));
  EXPECT_EQ(layout.param_count(), 10 + 5 + 20 + 4 + 4 + 1);
  EXPECT_EQ(mlp_layout({3, 2}).groups.size(), 0u);
  EXPECT_TRUE(throws_error(ErrorKind::usage, [] { mlp_layout({3}); }));
  EXPECT_TRUE(throws_error(ErrorKind::usage, [] { mlp_layout({3, 0, 1}); }));
}

TEST(Layout, ActionMovesRowsAndColumns) {
  const Layout layout = mlp_layout({1, 2, 3, 1});
  Element g = identity(layout);
  g.permutation[0] = {1, 0};
  g.permutation[1] = {2, 0, 1};
  std::vector<double> x(static_cast<size_t>(layout.param_count()));
  std::iota(x.begin(), x.end(), 0.0);
  // W_0 (2, 1), b_0 (2), W_1 (3, 2), b_1 (3), W_2 (1, 3), b_2 (1).
  const std::vector<double> expected = {1, 0, 3, 2, 9, 8, 5, 4, 7, 6, 12, 10, 11, 15, 13, 14, 16};
  EXPECT_EQ(moved(layout, g, x), expected);
}

TEST(Layout, TheFunctionStaysAsItIs) {
  int changed = 0;  // a random element may be the identity
  for (const std::vector<int64_t>& dims : {std::vector<int64_t>{2, 7, 5, 3}, {3, 4, 2}, {2, 3, 4, 5, 6, 1}}) {
    const Layout layout = mlp_layout(dims);
    Rng rng(3);
    for (int trial = 0; trial < 5; ++trial) {
      const std::vector<double> params = random_vector(layout.param_count(), 10 + uint64_t(trial));
      const Element g = random_element(layout, rng);
      const std::vector<double> p = moved(layout, g, params);
      changed += p != params;
      const std::vector<double> x = random_vector(dims.front(), 99), a = run(dims, params, x),
                                b = run(dims, p, x);
      for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(std::abs(a[i] - b[i]) <= 1e-12);
    }
  }
  EXPECT_GE(changed, 12);
}

TEST(Layout, GroupLaws) {
  const Layout layout = mlp_layout({2, 6, 5, 4, 3});
  Rng rng(4);
  const std::vector<double> x = random_vector(layout.param_count() * 3, 5);
  for (int trial = 0; trial < 10; ++trial) {
    const Element a = random_element(layout, rng), b = random_element(layout, rng);
    EXPECT_EQ(moved(layout, identity(layout), x, 3), x);
    EXPECT_EQ(moved(layout, inverse(a), moved(layout, a, x, 3), 3), x);
    EXPECT_EQ(moved(layout, compose(a, b), x, 3), moved(layout, a, moved(layout, b, x, 3), 3));
  }
}

TEST(Layout, ChannelsMoveTogether) {
  const Layout layout = mlp_layout({2, 4, 3, 1});
  Rng rng(6);
  const Element g = random_element(layout, rng);
  const std::vector<double> x = random_vector(layout.param_count(), 7);
  std::vector<double> wide;
  for (double v : x) wide.insert(wide.end(), {v, v + 100});
  const std::vector<double> y = moved(layout, g, x), w = moved(layout, g, wide, 2);
  for (size_t i = 0; i < y.size(); ++i) {
    EXPECT_EQ(w[2 * i], y[i]);
    EXPECT_EQ(w[2 * i + 1], y[i] + 100);
  }
}

TEST(Layout, RandomElementsArePermutationsAndReachAll) {
  const Layout layout = mlp_layout({1, 3, 1});
  Rng rng(8);
  std::vector<std::vector<int32_t>> seen;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<int32_t> p = random_element(layout, rng).permutation[0];
    if (std::find(seen.begin(), seen.end(), p) == seen.end()) seen.push_back(p);
    std::sort(p.begin(), p.end());
    EXPECT_EQ(p, (std::vector<int32_t>{0, 1, 2}));
  }
  EXPECT_EQ(seen.size(), 6u);
}

TEST(Layout, RefusesElementsOfOtherLayouts) {
  const Layout a = mlp_layout({1, 3, 1}), b = mlp_layout({1, 4, 1}), c = mlp_layout({1, 3, 3, 1});
  std::vector<double> x(100), y(100);
  EXPECT_TRUE(throws_error(
      ErrorKind::mismatch, [&] { act(a, identity(b), x.data(), y.data()); }, "hidden.0"));
  EXPECT_TRUE(throws_error(ErrorKind::mismatch, [&] { act(a, identity(c), x.data(), y.data()); }));
  EXPECT_TRUE(throws_error(ErrorKind::mismatch, [&] { compose(identity(a), identity(b)); }));
  EXPECT_TRUE(throws_error(ErrorKind::mismatch, [&] { compose(identity(a), identity(c)); }));
}

}  // namespace
}  // namespace dws::symmetry
