// Signs, phases and factors of neurons leave the function as it is.
#include "symmetry/neuron.h"

#include <gtest/gtest.h>

#include <cmath>

#include "testing.h"

namespace dws::symmetry {
namespace {

using dws::testing::throws_error;

constexpr double kOmega = 3;

double activate(const std::string& activation, double z) {
  if (activation == "siren") return std::sin(kOmega * z);
  return activation == "tanh" ? std::tanh(z) : std::max(z, 0.0);
}

// The network itself, in double.
std::vector<double> run(const std::vector<int64_t>& dims, const std::string& activation,
                        const std::vector<double>& params, std::vector<double> x) {
  const double* p = params.data();
  for (size_t l = 0; l + 1 < dims.size(); ++l) {
    const size_t in = size_t(dims[l]), out = size_t(dims[l + 1]);
    std::vector<double> y(p + in * out, p + in * out + out);
    for (size_t o = 0; o < out; ++o) {
      for (size_t i = 0; i < in; ++i) y[o] += p[o * in + i] * x[i];
      if (l + 2 < dims.size()) y[o] = activate(activation, y[o]);
    }
    p += in * out + out;
    x = y;
  }
  return x;
}

// The largest change of outputs by `products` random elements in a row; -1 when the parameters stayed.
double change(const std::string& activation, const NeuronDraw& draw, int products) {
  double worst = -1;
  for (const std::vector<int64_t>& dims : {std::vector<int64_t>{2, 7, 5, 3}, {3, 4, 2}, {1, 3, 4, 5, 6, 1}}) {
    const Layout layout = mlp_layout(dims);
    Rng rng(5);
    std::vector<double> params(static_cast<size_t>(layout.param_count())), x(static_cast<size_t>(dims[0]));
    for (double& v : params) v = rng.normal();
    for (double& v : x) v = rng.normal();
    std::vector<double> moved = params;
    for (int i = 0; i < products; ++i) act(layout, random_neuron_element(layout, draw, rng), moved.data());
    if (moved == params) return -1;
    const std::vector<double> a = run(dims, activation, params, x), b = run(dims, activation, moved, x);
    for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  }
  return worst;
}

TEST(Neuron, TheFunctionStaysAsItIs) {
  const NeuronDraw sign{.sign = true}, phase{.turns = 3, .omega = kOmega}, scale{.scale = 2},
      both{.sign = true, .turns = 1, .omega = kOmega};
  for (const int products : {1, 4}) {
    for (const auto& [activation, draw] :
         {std::pair{"siren", sign}, {"siren", phase}, {"siren", both}, {"tanh", sign}, {"relu", scale}}) {
      const double d = change(activation, draw, products);
      EXPECT_TRUE(d >= 0 && d <= 1e-10) << activation << " " << d;
    }
  }
  // The test sees what is no symmetry.
  EXPECT_GT(change("relu", sign, 1), 1e-3);
  EXPECT_GT(change("tanh", phase, 1), 1e-3);
  EXPECT_GT(change("siren", scale, 1), 1e-3);
  EXPECT_GT(change("siren", {.turns = 1, .omega = 2 * kOmega}, 1), 1e-3);
}

TEST(Neuron, KindsOfActivations) {
  EXPECT_TRUE(neuron_kinds("siren").sign && neuron_kinds("siren").phase && !neuron_kinds("siren").scale);
  EXPECT_TRUE(neuron_kinds("tanh").sign && !neuron_kinds("tanh").phase && !neuron_kinds("tanh").scale);
  EXPECT_TRUE(!neuron_kinds("relu").sign && !neuron_kinds("relu").phase && neuron_kinds("relu").scale);
  EXPECT_FALSE(neuron_kinds("gelu").sign || neuron_kinds("gelu").phase || neuron_kinds("gelu").scale);
}

TEST(Neuron, DrawsEverySignAndTurnEquallyOften) {
  const Layout layout = mlp_layout({2, 1000, 3});
  Rng rng(6);
  const NeuronElement g = random_neuron_element(layout, {.sign = true, .turns = 1, .omega = kOmega}, rng);
  int negative = 0, turned = 0;
  for (size_t i = 0; i < 1000; ++i) {
    negative += g.incoming[0][i] < 0;
    turned += g.shift[0][i] != 0;
    const bool odd = g.shift[0][i] != 0;
    EXPECT_EQ(g.outgoing[0][i], odd ? -g.incoming[0][i] : g.incoming[0][i]);
  }
  EXPECT_NEAR(negative, 500, 80);
  EXPECT_NEAR(turned, 667, 80);
}

TEST(Neuron, RefusesElementsOfOtherLayouts) {
  const Layout a = mlp_layout({1, 3, 1}), b = mlp_layout({1, 4, 1}), c = mlp_layout({1, 3, 3, 1});
  Rng rng(7);
  std::vector<double> x(100);
  for (const Layout& other : {b, c})
    EXPECT_TRUE(throws_error(ErrorKind::mismatch,
                             [&] { act(a, random_neuron_element(other, {.sign = true}, rng), x.data()); }));
}

}  // namespace
}  // namespace dws::symmetry
