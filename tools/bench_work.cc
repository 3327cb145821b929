#include "bench_work.h"

#include <algorithm>

#include "autograd/ops.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "train/trainer.h"

namespace dws::tools {
namespace {

constexpr int64_t kClasses = 10;
constexpr int64_t kSmallestShard = 4;  // as the trainer has it

Json config_of(const DwsSize& size) {
  Json config = Json::object();
  config.set("hidden", size.channels);
  config.set("layers", size.layers);
  return config;
}

}  // namespace

DwsWork::DwsWork(const DwsSize& size)
    : size_(size),
      arch_{size.dims},
      model_(make_model<float>("dws", arch_, kClasses, config_of(size))),
      normaliser_(weights::Normaliser::identity(arch_.param_count())),
      x_(static_cast<size_t>(size.batch * arch_.param_count())),
      targets_(static_cast<size_t>(size.batch * kClasses)),
      logits_(static_cast<size_t>(size.batch * kClasses)),
      predictor_(std::make_unique<train::Predictor>(*model_, normaliser_)) {
  model_->init(1);
  Rng rng(2);
  for (float& v : x_) v = static_cast<float>(rng.normal());
  for (int64_t i = 0; i < size.batch; ++i) targets_[static_cast<size_t>(i * kClasses + i % kClasses)] = 1;
  shards_ = std::max<int64_t>(1, std::min(train::TrainOptions().shards, size.batch / kSmallestShard));
  for (int i = 0; i < std::max(1, threads()); ++i) workers_.push_back(std::make_unique<Worker>());
}

void DwsWork::forward() {
  const int64_t params = arch_.param_count();
  const auto read = [&](int64_t i, std::span<float> out) {
    std::copy_n(x_.data() + i * params, params, out.data());
  };
  predictor_->run(size_.batch, read, logits_);
}

void DwsWork::run_shard(int64_t shard, bool training) {
  const int64_t first = size_.batch * shard / shards_, count = size_.batch * (shard + 1) / shards_ - first;
  const int64_t inputs = arch_.param_count();
  Buffer<float>& gradient = gradients_[static_cast<size_t>(shard)];
  if (training) std::fill(gradient.begin(), gradient.end(), 0.0f);
  Tape<float>& tape = workers_[static_cast<size_t>(worker_index())]->tape;
  tape.reset();
  tape.set_training(training);
  tape.bind_gradients(gradient.data());
  const Var<float> logits =
      model_->forward(tape, {x_.data() + first * inputs, Shape{count, inputs}},
                      training ? statistics_[static_cast<size_t>(shard)].data() : nullptr);
  if (!training) return;
  const View<const float> targets{targets_.data() + first * kClasses, Shape{count, kClasses}};
  tape.backward(ops::cross_entropy(logits, targets, 1.0f / static_cast<float>(size_.batch)));
}

// Not needed by forward(), whose networks may be large.
void DwsWork::make_arrays() {
  if (!gradients_.empty()) return;
  for (int64_t s = 0; s < shards_; ++s) {
    gradients_.emplace_back(static_cast<size_t>(model_->params().size()));
    statistics_.emplace_back(static_cast<size_t>(model_->params().buffer_size()));
  }
}

void DwsWork::recorded_forward() {
  make_arrays();
  parallel_for(shards_, [&](int64_t s) { run_shard(s, false); });
}

void DwsWork::training_step() {
  ParamSet<float>& params = model_->params();
  if (!optimizer_) optimizer_ = std::make_unique<train::Adamw>(params, train::AdamwOptions());
  make_arrays();
  std::vector<float*> parts;
  for (Buffer<float>& gradient : gradients_) parts.push_back(gradient.data());
  parallel_for(shards_, [&](int64_t s) { run_shard(s, true); });
  tree_sum(parts.data(), static_cast<int>(shards_), params.size(), parts[0]);
  optimizer_->step(params, parts[0], 1, 1e-4, ++steps_);
}

void DwsWork::start_profile() {
  for (const auto& worker : workers_) {
    worker->profile.clear();
    worker->tape.set_profile(&worker->profile);
  }
}

Profile DwsWork::profile() const {
  Profile sum;
  for (const auto& worker : workers_) sum.add(worker->profile);
  return sum;
}

Flops DwsWork::flops() const {
  Flops flops =
      dws_flops(weights::WeightSpace::mlp(size_.dims), kClasses, DwsConfig::from_json(config_of(size_)));
  flops.forward *= static_cast<double>(size_.batch);
  flops.training *= static_cast<double>(size_.batch);
  return flops;
}

}  // namespace dws::tools
