// The fused path of a DWS network against the plain ops it stands for.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "autograd/fallback.h"
#include "autograd/ops.h"
#include "metanets/registry.h"
#include "testing.h"

namespace dws {
namespace {

template <class T>
struct TrunkResult {
  std::vector<T> logits, gradient, statistics;
};

template <class T>
TrunkResult<T> run(const Model<T>& model, const std::vector<T>& x, bool training, bool fallback,
                   bool gradient) {
  set_use_fallbacks(fallback);
  TrunkResult<T> result;
  Tape<T> tape;
  for (int repeat = 0; repeat < 2; ++repeat) {  // the second time in memory that was used before
    tape.reset();
    tape.set_training(training);
    result.gradient.assign(static_cast<size_t>(model.params().size()), T(0));
    result.statistics.assign(static_cast<size_t>(model.params().buffer_size()), T(0));
    tape.bind_gradients(gradient ? result.gradient.data() : nullptr);
    const int64_t batch = static_cast<int64_t>(x.size()) / model.input_size();
    const Var<T> y = model.forward(tape, {x.data(), Shape{batch, model.input_size()}},
                                   training ? result.statistics.data() : nullptr);
    result.logits.assign(y.data(), y.data() + y.shape().size());
    std::vector<T> targets(result.logits.size(), T(0));
    for (int64_t b = 0; b < batch; ++b)
      targets[size_t(b * model.output_size() + b % model.output_size())] = 1;
    if (gradient)
      tape.backward(ops::cross_entropy(y, View<const T>{targets.data(), y.shape()}, T(1) / T(batch)));
  }
  set_use_fallbacks(false);
  return result;
}

template <class T>
double difference(const std::vector<T>& a, const std::vector<T>& b) {
  double error = 0, scale = 1e-300;
  if (a.size() != b.size() || a.empty()) return HUGE_VAL;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i])) return HUGE_VAL;
    error = std::max(error, std::abs(double(a[i]) - double(b[i])));
    scale = std::max(scale, std::abs(double(b[i])));
  }
  return error / scale;
}

// The model with every parameter away from its start, norms' scales of both signs among them.
template <class T>
std::unique_ptr<Model<T>> model_of(const std::vector<int64_t>& dims, const std::string& config, bool stir) {
  auto model = make_model<T>("dws", MlpArch{dims}, 3, Json::parse(config, "config"));
  model->init(3);
  Rng rng(4);
  const double size = stir ? 0.3 : 0.02;
  for (T& v : model->params().values().span()) v += static_cast<T>(size * rng.normal());
  for (int i = 0; stir && i < model->params().count(); ++i)
    if (model->params().info(i).name.ends_with("gamma"))
      for (T& v : model->params().value(i).span()) v = static_cast<T>(rng.normal());
  for (int i = 0; i < model->params().buffer_count(); ++i)
    for (T& v : model->params().buffer(i).span())
      v = static_cast<T>(std::abs(double(v)) + 0.3 * rng.uniform());
  return model;
}

template <class T>
std::vector<T> networks(int64_t numbers) {
  Rng rng(5);
  std::vector<T> x(static_cast<size_t>(numbers));
  for (T& v : x) v = static_cast<T>(static_cast<float>(rng.normal()));
  return x;
}

const std::vector<std::string> kTrunkConfigs = {R"({"hidden": 5, "layers": 3})",
                                                R"({"hidden": 16, "layers": 4, "final_norm": false})",
                                                R"({"hidden": 7, "layers": 1, "bias": false})",
                                                R"({"hidden": 6, "layers": 2, "norm": "none", "head": []})"};
const std::vector<std::vector<int64_t>> kTrunkDims = {{2, 6, 5, 3}, {1, 4, 3, 7, 2, 1}, {3, 5, 2}, {3, 2}};

TEST(DwsTrunk, IsThePlainOpsInDouble) {
  for (const std::string& config : kTrunkConfigs)
    for (const auto& dims : kTrunkDims)
      for (bool training : {false, true}) {
        const auto model = model_of<double>(dims, config, true);
        const auto x = networks<double>(6 * model->input_size());
        const auto plain = run(*model, x, training, true, true),
                   fused = run(*model, x, training, false, true);
        const std::string what = config + " " + std::to_string(dims.size()) + (training ? " training" : "");
        EXPECT_LE(difference(fused.logits, plain.logits), 1e-11) << what;
        EXPECT_LE(difference(fused.gradient, plain.gradient), 1e-10) << what;
        if (!plain.statistics.empty()) {
          EXPECT_LE(difference(fused.statistics, plain.statistics), 1e-11) << what;
        }
        // Without a gradient two levels take turns and blocks are small.
        EXPECT_LE(difference(run(*model, x, training, false, false).logits, plain.logits), 1e-11) << what;
      }
}

TEST(DwsTrunk, FloatFollowsThePlainOps) {
  for (const char* config : {"{}", R"({"hidden": 20, "layers": 5})"})
    for (const auto& dims : {std::vector<int64_t>{2, 32, 32, 1}, {2, 9, 150, 11, 3}}) {
      const auto model = model_of<float>(dims, config, false);
      const auto x = networks<float>(5 * model->input_size());
      for (bool training : {false, true}) {
        const auto plain = run(*model, x, training, true, true),
                   fused = run(*model, x, training, false, true);
        EXPECT_LE(difference(fused.logits, plain.logits), 2e-5) << config;
        EXPECT_LE(difference(fused.gradient, plain.gradient), 2e-3) << config;
        EXPECT_GT(
            difference(fused.gradient,
                       run(*model, networks<float>(4 * model->input_size()), training, false, true).gradient),
            1e-2);
      }
    }
}

}  // namespace
}  // namespace dws
