// Every derivative rule against differences of its own forward pass, in double.
#include <gtest/gtest.h>

#include <set>

#include "core/rng.h"
#include "harness.h"

namespace dws::test {
namespace {

std::string title(const Case& c) {
  return std::string(c.primitive) + " " + c.label;
}

// Central differences at h and h/2, extrapolated to an error of order h^4.
double derivative(const Case& c, std::vector<Tensor<double>>& x,
                  const std::vector<Tensor<double>>& direction) {
  const auto along = [&](double h) {
    const auto moved = [&](double step) {
      std::vector<Tensor<double>> at = x;
      for (size_t i = 0; i < at.size(); ++i)
        for (int64_t j = 0; j < at[i].size(); ++j) at[i][j] += step * direction[i][j];
      return objective(c, at);
    };
    return (moved(h) - moved(-h)) / (2 * h);
  };
  const double h = 1e-3;
  return (4 * along(h / 2) - along(h)) / 3;
}

class Gradient : public testing::TestWithParam<size_t> {
 protected:
  const Case& c = cases()[GetParam()];
};

TEST_P(Gradient, AgreesWithDifferences) {
  std::vector<Tensor<double>> x = draw(c, c.shapes);
  const Result<double> result = run_case(c, x);
  for (size_t i = 0; i < x.size(); ++i) {
    Tensor<double> numeric(x[i].shape());
    std::vector<Tensor<double>> unit;
    for (const auto& t : x) unit.emplace_back(t.shape());
    for (int64_t j = 0; j < x[i].size(); ++j) {
      unit[i][j] = 1;
      numeric[j] = derivative(c, x, unit);
      unit[i][j] = 0;
    }
    SCOPED_TRACE(title(c) + ", input " + std::to_string(i));
    DWS_EXPECT_NEAR(result.grads[i], numeric, 1e-9);
    // Inputs that happen to lie where nothing flows would test nothing.
    const Distance size = distance(result.grads[i], Tensor<double>(x[i].shape()));
    EXPECT_GT(size.error, 1e-2);
  }
}

// <dy, J v> = <J^T dy, v> along a random v, at sizes where elementwise differences would take long.
TEST_P(Gradient, ProductWithARandomDirection) {
  // At the wide sizes some ReLU behind a norm always lies within a step of its corner.
  const auto& shapes = c.primitive == "norm_relu_dropout" ? c.shapes : c.wide;
  std::vector<Tensor<double>> x = draw(c, shapes);
  const auto v = draw_normal(shapes, 5);
  const Result<double> result = run_case(c, x);
  double product = 0, scale = 1;
  for (size_t i = 0; i < x.size(); ++i)
    for (int64_t j = 0; j < x[i].size(); ++j) {
      product += result.grads[i][j] * v[i][j];
      scale += std::abs(result.grads[i][j] * v[i][j]);
    }
  const double numeric = derivative(c, x, v);
  EXPECT_TRUE(scale > 1 && std::abs(product - numeric) <= 1e-9 * scale)
      << title(c) << ": " << product << " and " << numeric << ", scale " << scale;
}

TEST_P(Gradient, OverwritesWhatItFindsBehindANode) {
  const auto x = draw(c, c.shapes);
  const auto leaf = run_case(c, x), node = run_case(c, x, {.behind_node = true});
  for (size_t i = 0; i < x.size(); ++i) {
    SCOPED_TRACE(title(c) + ", input " + std::to_string(i));
    DWS_EXPECT_NEAR(node.grads[i], leaf.grads[i], 1e-14);
  }
}

TEST_P(Gradient, AddsToWhatIsThere) {
  const auto x = draw(c, c.shapes);
  auto want = run_case(c, x).grads;
  const auto got = run_case(c, x, {.behind_node = true, .prior = true}).grads;
  const auto before = prior_seeds(c.shapes);
  for (size_t i = 0; i < x.size(); ++i) {
    for (int64_t j = 0; j < x[i].size(); ++j) want[i][j] += before[i][j];
    SCOPED_TRACE(title(c) + ", input " + std::to_string(i));
    DWS_EXPECT_NEAR(got[i], want[i], 1e-14);
  }
}

TEST_P(Gradient, OfOneInputAlone) {
  const auto x = draw(c, c.shapes);
  const auto all = run_case(c, x);
  for (size_t i = 0; i < x.size(); ++i) {
    const auto alone = run_case(c, x, {.wanted = 1u << i});
    SCOPED_TRACE(title(c) + ", input " + std::to_string(i));
    DWS_EXPECT_NEAR(alone.grads[i], all.grads[i], 1e-14);
  }
}

TEST_P(Gradient, AddsUpOverOutputs) {
  const auto x = draw(c, c.shapes);
  const auto all = run_case(c, x);
  std::vector<Tensor<double>> sum;
  for (const auto& t : x) sum.emplace_back(t.shape());
  for (size_t k = 0; k < all.outputs.size(); ++k) {
    const auto one = run_case(c, x, {.roots = 1u << k, .behind_node = true});
    for (size_t i = 0; i < x.size(); ++i)
      for (int64_t j = 0; j < x[i].size(); ++j) sum[i][j] += one.grads[i][j];
  }
  for (size_t i = 0; i < x.size(); ++i) {
    SCOPED_TRACE(title(c));
    DWS_EXPECT_NEAR(sum[i], all.grads[i], 1e-13);
  }
}

// Values and gradients of the float tape follow the double tape within a few hundred roundings of the largest
// number.
TEST_P(Gradient, FloatFollowsDouble) {
  const auto x = draw(c, c.wide);
  const Result<double> wide = run_case<double>(c, x);
  const Result<float> narrow = run_case<float>(c, cast<float>(x));
  const double tolerance = 300 * static_cast<double>(std::numeric_limits<float>::epsilon());
  SCOPED_TRACE(title(c));
  ASSERT_EQ(wide.outputs.size(), narrow.outputs.size());
  for (size_t k = 0; k < wide.outputs.size(); ++k)
    DWS_EXPECT_NEAR(narrow.outputs[k], wide.outputs[k], tolerance);
  for (size_t i = 0; i < x.size(); ++i) DWS_EXPECT_NEAR(narrow.grads[i], wide.grads[i], tolerance);
}

INSTANTIATE_TEST_SUITE_P(Cases, Gradient, testing::Range(size_t{0}, cases().size()), [](const auto& tested) {
  std::string name = title(cases()[tested.param]);
  for (char& ch : name)
    if (!std::isalnum(static_cast<unsigned char>(ch))) ch = '_';
  return name + std::to_string(tested.param);
});

TEST(Primitives, EveryOneHasAGradientCase) {
  std::set<std::string_view> seen;
  for (const Case& c : cases()) {
    const auto nodes = run_case(c, draw(c, c.shapes)).nodes;
    // The case must really record what it claims to test.
    if (std::find(nodes.begin(), nodes.end(), c.primitive) != nodes.end()) seen.insert(c.primitive);
  }
  const auto names = primitive_names();
  EXPECT_FALSE(names.empty());
  for (const std::string_view name : names) EXPECT_TRUE(seen.count(name)) << name << " has no gradient case";
  for (const std::string_view name : seen)
    EXPECT_EQ(std::count(names.begin(), names.end(), name), 1)
        << name << " is missing from primitive_names()";
}

}  // namespace
}  // namespace dws::test
