#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/rng.h"
#include "train/schedule.h"

namespace dws::train {
namespace {

// The update written out in double, one number at a time.
struct Reference {
  double w, m = 0, v = 0, vmax = 0;
  void step(double g, double lr, double decay, const AdamwOptions& o, int64_t t) {
    w *= 1 - lr * decay;
    m = o.beta1 * m + (1 - o.beta1) * g;
    v = o.beta2 * v + (1 - o.beta2) * g * g;
    vmax = std::max(vmax, v);
    const double second = (o.amsgrad ? vmax : v) / (1 - std::pow(o.beta2, double(t)));
    w -= lr * (m / (1 - std::pow(o.beta1, double(t)))) / (std::sqrt(second) + o.eps);
  }
};

TEST(Adamw, AgreesWithTheFormulaAndKeepsDecayToWeights) {
  for (bool amsgrad : {false, true}) {
    ParamSet<float> params;
    params.add("a.weight", {3, 5}, true);
    params.add("a.bias", {5}, false);
    params.add("a.norm", {2}, false);
    params.add("b.weight", {5, 7}, true);
    params.freeze();
    AdamwOptions options;
    options.weight_decay = 0.3;
    options.amsgrad = amsgrad;
    Adamw adamw(params, options);
    Rng rng(1);
    std::vector<Reference> reference;
    for (float& w : params.values().span()) {
      w = static_cast<float>(rng.normal());
      reference.push_back({w});
    }
    std::vector<float> g(reference.size());
    for (int64_t t = 1; t <= 10; ++t) {
      const double lr = 0.01 * static_cast<double>(t);
      for (size_t i = 0; i < g.size(); ++i) {
        g[i] = static_cast<float>(rng.normal() / static_cast<double>(t));
        reference[i].step(0.5 * g[i], lr, i < 15 || i >= 22 ? 0.3 : 0, options, t);
      }
      adamw.step(params, g.data(), 0.5, lr, t);
    }
    double worst = 0;
    for (size_t i = 0; i < reference.size(); ++i)
      worst = std::max(worst, std::abs(params.values().data[i] - reference[i].w));
    EXPECT_TRUE(worst <= 2e-6 && !reference.empty()) << worst;
  }
}

// PyTorch's SGD(momentum, weight_decay, nesterov=True), written out in double.
TEST(Sgd, AgreesWithTheFormulaAndKeepsDecayToWeights) {
  ParamSet<float> params;
  params.add("a.weight", {3, 5}, true);
  params.add("a.bias", {5}, false);
  params.freeze();
  Sgd sgd(params, 0.8, 0.3);
  Rng rng(1);
  std::vector<double> w, v(20);
  for (float& x : params.values().span()) w.push_back(x = static_cast<float>(rng.normal()));
  std::vector<float> g(20);
  for (int64_t t = 1; t <= 10; ++t) {
    for (size_t i = 0; i < 20; ++i) {
      g[i] = static_cast<float>(rng.normal());
      const double slope = 0.5 * g[i] + (i < 15 ? 0.3 : 0) * w[i];
      v[i] = 0.8 * v[i] + slope;
      w[i] -= 0.05 * (slope + 0.8 * v[i]);
    }
    sgd.step(params, g.data(), 0.5, 0.05, t);
  }
  double worst = 0;
  for (size_t i = 0; i < w.size(); ++i) worst = std::max(worst, std::abs(params.values().data[i] - w[i]));
  EXPECT_TRUE(worst <= 2e-6 && !w.empty()) << worst;
  EXPECT_EQ(sgd.state().at(0).data.size(), 20u);
}

TEST(Clip, BringsTheNormDown) {
  EXPECT_EQ(clip_scale(0.5, 1), 1);
  EXPECT_EQ(clip_scale(100, 0), 1);
  EXPECT_NEAR(clip_scale(4, 1) * 4, 1, 1e-5);
}

TEST(Average, FollowsSlowlyAfterAQuickStart) {
  std::vector<float> average{0}, value{1};
  update_average(average, value, 0.999, 0);
  EXPECT_NEAR(average[0], 0.9, 1e-6);
  average = {0};
  update_average(average, value, 0.999, 1'000'000);
  EXPECT_NEAR(average[0], 0.001, 1e-6);
}

TEST(Schedule, RisesThenFallsToTheFloor) {
  const Schedule s{.peak = 2, .floor = 0.5, .warmup = 4, .total = 104};
  EXPECT_DOUBLE_EQ(learning_rate(s, 0), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(s, 3), 2);
  EXPECT_DOUBLE_EQ(learning_rate(s, 4), 2);
  EXPECT_NEAR(learning_rate(s, 54), 1.25, 1e-12);
  EXPECT_NEAR(learning_rate(s, 103), 0.5, 1e-3);
  for (int64_t i = 5; i < 104; ++i) EXPECT_LT(learning_rate(s, i), learning_rate(s, i - 1));
}

}  // namespace
}  // namespace dws::train
