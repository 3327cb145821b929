// Whole models: what permutations do to their outputs, their gradients, and that they can learn.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "metanets/dws_net.h"
#include "metanets/registry.h"
#include "metanets/stats_net.h"
#include "testing.h"

namespace dws {
namespace {

using dws::testing::throws_error;

std::vector<double> random_numbers(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<double> x(static_cast<size_t>(count));
  for (double& v : x) v = rng.normal();
  return x;
}

std::vector<double> permuted(const symmetry::Layout& layout, const std::vector<double>& x, uint64_t seed) {
  Rng rng(seed);
  std::vector<double> y(x.size());
  const size_t n = static_cast<size_t>(layout.param_count());
  for (size_t b = 0; b < x.size(); b += n)  // every network its own element
    symmetry::act(layout, symmetry::random_element(layout, rng), x.data() + b, y.data() + b);
  return y;
}

struct Result {
  std::vector<double> logits, gradient;
};

Result run(const Model<double>& model, const std::vector<double>& x, bool training) {
  Tape<double> tape;
  tape.set_training(training);
  Result result;
  result.gradient.resize(static_cast<size_t>(model.params().size()));
  tape.bind_gradients(result.gradient.data());
  const int64_t batch = static_cast<int64_t>(x.size()) / model.input_size(), classes = model.output_size();
  std::vector<double> stats(static_cast<size_t>(model.params().buffer_size()));
  const Var<double> y =
      model.forward(tape, {x.data(), Shape{batch, model.input_size()}}, training ? stats.data() : nullptr);
  result.logits.assign(y.data(), y.data() + y.shape().size());
  std::vector<double> targets(static_cast<size_t>(batch * classes), 0.0);
  for (int64_t b = 0; b < batch; ++b) targets[size_t(b * classes + b % classes)] = 1;
  tape.backward(ops::cross_entropy(y, View<const double>{targets.data(), y.shape()}, 1.0 / double(batch)));
  return result;
}

double difference(const std::vector<double>& a, const std::vector<double>& b) {
  double error = 0, scale = 1e-300;
  if (a.size() != b.size() || a.empty()) return HUGE_VAL;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i])) return HUGE_VAL;
    error = std::max(error, std::abs(a[i] - b[i]));
    scale = std::max(scale, std::abs(b[i]));
  }
  return error / scale;
}

const std::vector<std::string> kConfigs = {
    "{}",
    R"({"reduction": "mean", "norm": "layer", "residual": true})",
    R"({"reduction": "sum", "norm": "none", "layers": 2, "head": []})",
    R"({"set_layer": "sab", "hidden": 8, "heads": 4, "layers": 3})",
    R"({"diagonal": true, "layer_skip": true, "input_skip": true, "hidden": 8})",
    R"({"blocks": ["weight_self", "bias_to_bias"], "bias": false, "final_norm": false, "hidden": 8})"};

TEST(DwsNet, PermutedNetworksGetTheSameLogitsAndGradients) {
  for (const std::string& text : kConfigs)
    for (const auto& dims : {std::vector<int64_t>{2, 6, 5, 3}, {2, 4, 4, 4, 1}, {3, 5, 2}, {3, 2}}) {
      const Json config = Json::parse(text, "config");
      const auto model = make_model<double>("dws", MlpArch{dims}, 3, config);
      model->init(3);
      Rng rng(4);
      for (double& v : model->params().values().span()) v += 0.02 * rng.normal();
      const auto layout = symmetry::mlp_layout(dims);
      const auto x = random_numbers(4 * layout.param_count(), 5);
      for (bool training : {false, true}) {
        const Result base = run(*model, x, training);
        for (uint64_t seed : {1u, 2u}) {
          const Result there = run(*model, permuted(layout, x, seed), training);
          EXPECT_LE(difference(there.logits, base.logits), 1e-10) << text;
          EXPECT_LE(difference(there.gradient, base.gradient), 1e-9) << text;
        }
        // Not because everything is constant: another network has other logits, and the gradient is not zero.
        EXPECT_GT(difference(run(*model, random_numbers(4 * layout.param_count(), 6), training).logits,
                             base.logits),
                  1e-4)
            << text;
        EXPECT_GT(*std::max_element(base.gradient.begin(), base.gradient.end()), 1e-6) << text;
      }
    }
}

TEST(DwsNet, FloatFollowsDouble) {
  const MlpArch arch{{2, 8, 8, 1}};
  const auto a = make_model<float>("dws", arch, 3, Json());
  const auto b = make_model<double>("dws", arch, 3, Json());
  a->init(9);
  b->init(9);
  const auto x = random_numbers(5 * arch.param_count(), 10);
  const std::vector<float> narrow(x.begin(), x.end());
  const std::vector<double> same(narrow.begin(), narrow.end());
  Tape<float> tape;
  const Var<float> y = a->forward(tape, {narrow.data(), Shape{5, arch.param_count()}}, nullptr);
  const std::vector<double> logits(y.data(), y.data() + y.shape().size());
  EXPECT_LE(difference(logits, run(*b, same, false).logits), 1e-5);
}

TEST(Models, OnlyTheMlpSeesTheOrderOfNeurons) {
  const MlpArch arch{{2, 6, 5, 3}};
  const auto layout = symmetry::mlp_layout(arch.dims);
  const auto x = random_numbers(4 * arch.param_count(), 7), moved = permuted(layout, x, 8);
  for (const std::string& kind : model_names()) {
    const auto model = make_model<double>(kind, arch, 3, Json());
    const double d = difference(run(*model, moved, false).logits, run(*model, x, false).logits);
    if (model->invariant())
      EXPECT_LE(d, 1e-10) << kind;
    else
      EXPECT_GT(d, 1e-3) << kind;
  }
}

// Plain gradient descent must lower the loss of every model on a handful of networks.
TEST(Models, Learn) {
  const MlpArch arch{{2, 5, 4, 1}};
  const auto x = random_numbers(6 * arch.param_count(), 11);
  std::vector<std::pair<std::string, std::string>> cases;
  for (const std::string& kind : model_names()) cases.emplace_back(kind, "{}");
  for (const std::string& config : kConfigs) cases.emplace_back("dws", config);
  for (const auto& [kind, config] : cases) {
    const auto model = make_model<double>(kind, arch, 3, Json::parse(config, "config"));
    model->init(1);
    const auto loss = [&](const std::vector<double>& logits) {
      double sum = 0;
      for (size_t b = 0; b < 6; ++b) {
        double z = 0;
        for (size_t k = 0; k < 3; ++k) z += std::exp(logits[b * 3 + k]);
        sum += std::log(z) - logits[b * 3 + b % 3];
      }
      return sum / 6;
    };
    const double before = loss(run(*model, x, true).logits);
    for (int step = 0; step < 30; ++step) {
      const Result r = run(*model, x, true);
      double norm = 0;
      for (double g : r.gradient) norm = std::hypot(norm, g);
      for (size_t i = 0; i < r.gradient.size(); ++i)
        model->params().values().data[i] -= 0.1 * r.gradient[i] / std::max(1.0, norm);
    }
    const double after = loss(run(*model, x, true).logits);
    EXPECT_LT(after, 0.7 * before) << kind << " " << config;
  }
}

TEST(DwsNet, BlocksAndDepthChangeTheParameters) {
  const auto size = [](const char* config) {
    return make_model<float>("dws", MlpArch{{2, 32, 32, 1}}, 10, Json::parse(config, "config"))
        ->params()
        .size();
  };
  const int64_t all = size("{}");
  EXPECT_LT(size(R"({"diagonal": true})"), all);
  EXPECT_LT(size(R"({"blocks": ["weight_self"]})"), size(R"({"diagonal": true})"));
  EXPECT_GT(size(R"({"layers": 5})"), all);
  EXPECT_GT(size(R"({"layer_skip": true})"), all);
  EXPECT_GT(size(R"({"set_layer": "sab"})"), all);
}

// Every option does something: the same seed and input give other logits in training.
TEST(DwsNet, EveryOptionMatters) {
  const MlpArch arch{{2, 5, 4, 3}};
  const auto x = random_numbers(4 * arch.param_count(), 12);
  const auto logits = [&](const std::string& config) {
    const auto model = make_model<double>("dws", arch, 3, Json::parse(config, "config"));
    model->init(2);
    return run(*model, x, true).logits;
  };
  const std::string base = R"({"hidden": 8, "set_layer": "ds")", sab = R"({"hidden": 8, "set_layer": "sab")";
  for (const char* option : {R"("layers": 3)", R"("reduction": "mean")", R"("norm": "layer")",
                             R"("norm": "none")", R"("dropout": 0.5)", R"("residual": true)", R"("head": [])",
                             R"("final_norm": false)", R"("blocks": ["weight_self"])", R"("diagonal": true)",
                             R"("layer_skip": true)", R"("input_skip": true)"})
    EXPECT_GT(difference(logits(base + ", " + option + "}"), logits(base + "}")), 1e-6) << option;
  EXPECT_GT(difference(logits(sab + "}"), logits(base + "}")), 1e-6);
  EXPECT_GT(difference(logits(sab + R"(, "heads": 4})"), logits(sab + "}")), 1e-6);
  EXPECT_GT(difference(logits(sab + R"(, "broadcast_last": true})"), logits(sab + "}")), 1e-6);
  const auto count = [&](const char* config) {
    return make_model<double>("dws", arch, 3, Json::parse(config, "config"))->params().size();
  };
  EXPECT_GT(count("{}"), count(R"({"bias": false})"));  // biases start at zero
}

// residual: the second layer's result is added to the first's.
TEST(DwsNet, ResidualAddsWhatALayerRead) {
  const auto space = weights::WeightSpace::mlp({2, 4, 3, 1});
  DwsConfig config;
  config.hidden = 4;
  config.layers = 2;
  config.residual = true;
  const DwsNet<double> net(space, 3, config);
  const auto x = random_numbers(2 * space.param_count(), 13);
  Tape<double> tape;
  std::vector<nn::WeightFeatures<double>> trace;
  const auto h = net.equivariant(tape, {x.data(), Shape{2, space.param_count()}}, nullptr, &trace);
  ASSERT_EQ(trace.size(), 3u);
  const auto y = net.layers()[1].forward(tape, net.params(), trace[1]);
  const Tensor<double> got = nn::unfold(space, h), sum = nn::unfold(space, nn::add(trace[0], y));
  EXPECT_LE(difference({got.data(), got.data() + got.size()}, {sum.data(), sum.data() + sum.size()}), 1e-14);
}

TEST(StatsNet, StatisticsOfAKnownTensor) {
  const auto layout = symmetry::mlp_layout({1, 4, 1});
  // W_0 = 4, 1, 3, 2; everything else constant.
  std::vector<double> x = {4, 1, 3, 2};
  x.resize(static_cast<size_t>(layout.param_count()), 7.0);
  const Tensor<double> s =
      tensor_statistics(layout, View<const double>{x.data(), Shape{1, layout.param_count()}});
  ASSERT_EQ(s.size(), 4 * kTensorStatistics);
  const std::vector<double> expected = {2.5, std::sqrt(1.25), 1, 1.75, 2.5, 3.25, 4, 7, 0, 7, 7, 7, 7, 7};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(s[int64_t(i)], expected[i], 1e-14) << i;
}

}  // namespace
}  // namespace dws
