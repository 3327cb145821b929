// A DWS network reading networks: the forward pass of `dws classify` and a whole step of `dws train`.
#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "bench.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "metanets/registry.h"
#include "train/optimizer.h"
#include "train/predict.h"

namespace dws::tools {
namespace {

constexpr int64_t kBatch = 128, kShards = 16, kClasses = 10;  // what `dws train` does unless told otherwise

// The default model and a batch of random networks 2-32-32-1.
struct Setup {
  MlpArch arch{{2, 32, 32, 1}};
  std::unique_ptr<Model<float>> model;
  weights::Normaliser normaliser = weights::Normaliser::identity(arch.param_count());
  Buffer<float> x{static_cast<size_t>(kBatch * arch.param_count())},
      targets{static_cast<size_t>(kBatch * kClasses)};

  explicit Setup(int64_t channels) {
    Json config = Json::object();
    config.set("hidden", channels);
    model = make_model<float>("dws", arch, kClasses, config);
    model->init(1);
    Rng rng(2);
    for (float& v : x) v = static_cast<float>(rng.normal());
    for (int64_t i = 0; i < kBatch; ++i) targets[static_cast<size_t>(i * kClasses + i % kClasses)] = 1;
  }
};

Json rates(int64_t channels, double seconds) {
  Json result = Json::object();
  result.set("threads", threads());
  result.set("channels", channels);
  result.set("networks_per_second", static_cast<double>(kBatch) / seconds);
  return result;
}

Json forward(const BenchContext& context, int64_t channels) {
  const Setup setup(channels);
  const int64_t params = setup.arch.param_count();
  train::Predictor predictor(*setup.model, setup.normaliser);
  std::vector<float> logits(static_cast<size_t>(kBatch * kClasses));
  const auto read = [&](int64_t i, std::span<float> out) {
    std::copy_n(setup.x.data() + i * params, params, out.data());
  };
  return rates(channels, best_seconds(context.seconds, [&] { predictor.run(kBatch, read, logits); }));
}

// Forward, backward, the sum over shards and AdamW.
Json step(const BenchContext& context, int64_t channels) {
  Setup setup(channels);
  ParamSet<float>& params = setup.model->params();
  const int64_t inputs = setup.arch.param_count(), count = kBatch / kShards;
  std::vector<Buffer<float>> gradients, statistics;
  std::vector<float*> parts;
  for (int64_t s = 0; s < kShards; ++s) {
    gradients.emplace_back(static_cast<size_t>(params.size()));
    statistics.emplace_back(static_cast<size_t>(params.buffer_size()));
  }
  for (Buffer<float>& gradient : gradients) parts.push_back(gradient.data());
  std::vector<std::unique_ptr<Tape<float>>> tapes;
  for (int i = 0; i < std::max(1, threads()); ++i) tapes.push_back(std::make_unique<Tape<float>>());
  train::Adamw optimizer(params, {});
  int64_t t = 0;
  const auto shard = [&](int64_t s) {
    Buffer<float>& gradient = gradients[static_cast<size_t>(s)];
    std::fill(gradient.begin(), gradient.end(), 0.0f);
    Tape<float>& tape = *tapes[static_cast<size_t>(worker_index())];
    tape.reset();
    tape.set_training(true);
    tape.bind_gradients(gradient.data());
    const Var<float> logits =
        setup.model->forward(tape, {setup.x.data() + s * count * inputs, Shape{count, inputs}},
                             statistics[static_cast<size_t>(s)].data());
    const View<const float> targets{setup.targets.data() + s * count * kClasses, Shape{count, kClasses}};
    tape.backward(ops::cross_entropy(logits, targets, 1.0f / static_cast<float>(kBatch)));
  };
  return rates(channels, best_seconds(context.seconds, [&] {
                 parallel_for(kShards, shard);
                 tree_sum(parts.data(), static_cast<int>(kShards), params.size(), parts[0]);
                 optimizer.step(params, parts[0], 1, 1e-4, ++t);
               }));
}

}  // namespace

std::vector<BenchCase> bench_train() {
  std::vector<BenchCase> cases;
  for (const int64_t channels : {32, 64}) {
    cases.push_back({"dws.forward." + std::to_string(channels),
                     [channels](const BenchContext& context) { return forward(context, channels); }});
    cases.push_back({"dws.training_step." + std::to_string(channels),
                     [channels](const BenchContext& context) { return step(context, channels); }});
  }
  return cases;
}

}  // namespace dws::tools
