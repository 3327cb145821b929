#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>

#include "autograd/ops.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "core/text.h"
#include "kernels/optimizer.h"

namespace dws::train {

namespace {

constexpr float kMomentum = 0.1F;  // of BatchNorm's running statistics (Ioffe & Szegedy 2015, as in PyTorch)
constexpr int64_t kSmallestShard = 4;  // below, statistics of a shard would be noise

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Part i of n of `count` things: sizes differ by one at most and none is empty while n <= count.
int64_t cut(int64_t count, int64_t i, int64_t n) {
  return count * i / n;
}

const Part& at_least_two(const Part& train) {
  if (train.size() < 2)
    throw Error(ErrorKind::empty,
                text("training needs at least 2 {}, got {}", train.data->noun(), train.size()));
  return train;
}

}  // namespace

Trainer::Trainer(Model<float>& model, const weights::Normaliser& normaliser,
                 std::unique_ptr<const SampleReader> reader, const Part& train, const Part& val,
                 const TrainOptions& options, std::string checkpoint, Json identity)
    : model_(model),
      train_(train),
      val_(val),
      options_(options),
      checkpoint_(std::move(checkpoint)),
      identity_(std::move(identity)),
      reader_(std::move(reader)),
      optimizer_(make_optimizer(model.params(), options.optimizer, options.adamw, options.momentum)),
      predictor_(model, normaliser),
      batches_(at_least_two(train), options.seed) {
  options_.check();
  steps_per_epoch_ = (train_.size() + options_.batch - 1) / options_.batch;
  const int64_t total = steps_per_epoch_ * options_.epochs;
  const double warmup = options_.warmup < 1 ? options_.warmup * static_cast<double>(total) : options_.warmup;
  schedule_ = {options_.lr, options_.lr * options_.lr_floor, std::min<int64_t>(std::llround(warmup), total),
               total};

  const int64_t largest = (train_.size() + steps_per_epoch_ - 1) / steps_per_epoch_;
  const int64_t shards = std::max<int64_t>(1, std::min(options_.shards, largest / kSmallestShard));
  const auto params = static_cast<size_t>(model_.params().size());
  const auto buffers = static_cast<size_t>(model_.params().buffer_size());
  for (int64_t s = 0; s < shards; ++s) {
    gradients_.emplace_back(params);
    statistics_.emplace_back(buffers);
  }
  tallies_.resize(static_cast<size_t>(shards));
  const auto inputs = static_cast<size_t>(model_.input_size());
  // A batch of one sample less may be cut into fewer shards, larger ones then.
  int64_t longest = (largest + shards - 1) / shards;
  if (largest > 1) {
    const int64_t fewer = std::max<int64_t>(1, std::min(shards, (largest - 1) / kSmallestShard));
    longest = std::max(longest, (largest - 1 + fewer - 1) / fewer);
  }
  const auto rows = static_cast<size_t>(longest);
  for (int i = 0; i < std::max(1, threads()); ++i) {
    workers_.push_back(std::make_unique<Worker>());
    workers_.back()->scratch =
        Buffer<float>(static_cast<size_t>(reader_->scratch_size(model_.output_size())));
    workers_.back()->x = Buffer<float>(inputs * rows);
    workers_.back()->targets = Buffer<float>(static_cast<size_t>(model_.output_size()) * rows);
  }
  if (options_.ema > 0) {
    ema_ = Buffer<float>(params);
    std::copy_n(model_.params().values().data, params, ema_.data());
    ema_buffers_ = Buffer<float>(buffers);
    std::copy_n(model_.params().buffer_values().data, buffers, ema_buffers_.data());
  }
  if (!val_.empty()) {
    best_params_ = Buffer<float>(params);
    best_buffers_ = Buffer<float>(buffers);
  }
}

void Trainer::run_shard(int64_t shard, int64_t shards, int64_t begin, int64_t end) {
  Worker& worker = *workers_[static_cast<size_t>(worker_index())];
  const int64_t first = begin + cut(end - begin, shard, shards),
                last = begin + cut(end - begin, shard + 1, shards);
  const int64_t count = last - first, inputs = model_.input_size(), classes = model_.output_size();
  const auto smooth = static_cast<float>(options_.label_smoothing / static_cast<double>(classes)),
             rest = static_cast<float>(1 - options_.label_smoothing);
  const auto target_of = [&](int64_t i) {
    return std::span<float>(worker.targets.data() + i * classes, static_cast<size_t>(classes));
  };
  for (int64_t i = 0; i < count; ++i) {
    reader_->read(order_[static_cast<size_t>(first + i)], at_.epoch, worker.scratch.span(),
                  {worker.x.data() + i * inputs, static_cast<size_t>(inputs)}, target_of(i));
    for (float& t : target_of(i)) t = smooth + rest * t;
  }

  Buffer<float>& gradient = gradients_[static_cast<size_t>(shard)];
  std::fill(gradient.begin(), gradient.end(), 0.0F);
  // Buffers a model does not report stay as they are.
  Buffer<float>& statistics = statistics_[static_cast<size_t>(shard)];
  std::copy_n(model_.params().buffer_values().data, statistics.size(), statistics.data());

  Tape<float>& tape = worker.tape;
  tape.reset();
  tape.set_recording(true);
  tape.set_training(true);
  tape.set_seed(stream_id("train.dropout", options_.seed, static_cast<uint64_t>(at_.step),
                          static_cast<uint64_t>(shard)));
  tape.bind_gradients(gradient.data());
  const Var<float> logits = model_.forward(tape, {worker.x.data(), Shape{count, inputs}}, statistics.data());
  const View<const float> targets{worker.targets.data(), Shape{count, classes}};
  const Var<float> loss = ops::cross_entropy(logits, targets, 1.0F / static_cast<float>(end - begin));

  Tally& tally = tallies_[static_cast<size_t>(shard)];
  tally = {static_cast<double>(*loss.data()) * static_cast<double>(end - begin), 0, count};
  // Of a mixture, the class it holds most of.
  for (int64_t i = 0; i < count; ++i)
    tally.correct +=
        argmax({logits.data() + i * classes, static_cast<size_t>(classes)}) == argmax(target_of(i));
  tape.backward(loss);
}

void Trainer::train_step() {
  const int64_t begin = cut(train_.size(), at_.step_in_epoch, steps_per_epoch_);
  const int64_t end = cut(train_.size(), at_.step_in_epoch + 1, steps_per_epoch_);
  const int64_t shards = std::max<int64_t>(
      1, std::min<int64_t>(static_cast<int64_t>(gradients_.size()), (end - begin) / kSmallestShard));
  order_ = batches_.take(at_.epoch, begin, end);
  parallel_for(shards, [&](int64_t s) { run_shard(s, shards, 0, end - begin); });
  batches_.done(at_.epoch, end);
  apply_gradient(static_cast<int>(shards), end - begin);
}

void Trainer::apply_gradient(int shards, int64_t count) {
  lr_ = learning_rate(schedule_, at_.step);
  Tally batch;
  for (int s = 0; s < shards; ++s) batch.add(tallies_[static_cast<size_t>(s)]);
  std::vector<float*> parts;
  for (int s = 0; s < shards; ++s) parts.push_back(gradients_[static_cast<size_t>(s)].data());
  ParamSet<float>& params = model_.params();
  float* gradient = parts[0];
  tree_sum(parts.data(), shards, params.size(), gradient);
  const double norm = std::sqrt(kernels::sum_squares(params.size(), gradient));
  if (!std::isfinite(batch.loss) || !std::isfinite(norm))
    throw Error(
        ErrorKind::bad_value,
        text("the {} is not a finite number at epoch {}, step {} (learning rate {})",
             std::isfinite(batch.loss) ? "gradient" : "loss", at_.epoch + 1, at_.step + 1, number(lr_)),
        saved_ ? text("lower --lr or --clip; the last good state is in {}", checkpoint_)
               : std::string("lower --lr or --clip"));
  optimizer_->step(params, gradient, clip_scale(norm, options_.clip), lr_, at_.step + 1);
  float* running = params.buffer_values().data;
  for (size_t i = 0; i < static_cast<size_t>(params.buffer_size()); ++i) {
    float sum = 0;
    for (int s = 0; s < shards; ++s) sum += statistics_[static_cast<size_t>(s)][i];
    running[i] = (1 - kMomentum) * running[i] + kMomentum * (sum / static_cast<float>(shards));
  }
  if (!ema_.empty()) {
    update_average(ema_.span(), params.values().span(), options_.ema, at_.step);
    update_average(ema_buffers_.span(), params.buffer_values().span(), options_.ema, at_.step);
  }
  at_.tally.add(batch);
  at_.norm_sum += norm;
  at_.step_networks += static_cast<double>(count);
  ++at_.step;
  ++at_.step_in_epoch;
}

void Trainer::swap_average() noexcept {
  std::span<float> values = model_.params().values().span(), buffers = model_.params().buffer_values().span();
  std::swap_ranges(values.begin(), values.end(), ema_.begin());
  std::swap_ranges(buffers.begin(), buffers.end(), ema_buffers_.begin());
}

void Trainer::finish_epoch(const std::function<void(const EpochRecord&)>& on_epoch) {
  EpochRecord record;
  record.epoch = at_.epoch + 1;
  record.step = at_.step;
  record.train = at_.tally;
  record.lr = lr_;
  record.grad_norm = at_.norm_sum / static_cast<double>(steps_per_epoch_);
  record.noun = train_.data->noun();
  record.samples_per_second = static_cast<double>(at_.tally.count) / std::max(1e-9, at_.epoch_seconds);
  record.seconds = at_.seconds;
  if (!val_.empty()) {
    if (!ema_.empty()) swap_average();
    record.val = predictor_.evaluate(val_);
    const Tally &now = *record.val, &best = at_.best;
    record.best = at_.best_epoch < 0 || now.correct > best.correct ||
                  (now.correct == best.correct && now.loss < best.loss);
    if (record.best) {
      at_.best = now;
      at_.best_epoch = at_.epoch + 1;
      std::copy_n(model_.params().values().data, best_params_.size(), best_params_.data());
      std::copy_n(model_.params().buffer_values().data, best_buffers_.size(), best_buffers_.data());
    }
    if (!ema_.empty()) swap_average();
  }
  if (on_epoch) on_epoch(record);
  ++at_.epoch;
  at_.step_in_epoch = 0;
  at_.epoch_seconds = 0;
}

std::string Trainer::note() const {
  std::string line = text("loss {:.3f} accuracy {:.3f}", at_.tally.mean_loss(), at_.tally.accuracy());
  if (at_.best_epoch >= 0) line += text(" best {:.3f}", at_.best.accuracy());
  return line;
}

TrainResult Trainer::run(const std::function<void(const EpochRecord&)>& on_epoch) {
  const auto start = Clock::now();
  const double before = at_.seconds;
  auto last_save = start;
  // In samples, so that the line shows samples a second.
  Progress progress("train", train_.data->noun(), options_.epochs * train_.size(),
                    at_.epoch * train_.size() + cut(train_.size(), at_.step_in_epoch, steps_per_epoch_));
  while (at_.epoch < options_.epochs) {
    if (at_.step_in_epoch == 0) {
      at_.tally = {};
      at_.norm_sum = 0;
      at_.epoch_seconds = 0;
    }
    const auto step_start = Clock::now();
    train_step();
    const double step_time = seconds_since(step_start);
    at_.step_seconds += step_time;
    at_.epoch_seconds += step_time;
    at_.seconds = before + seconds_since(start);
    progress.update(at_.epoch * train_.size() + cut(train_.size(), at_.step_in_epoch, steps_per_epoch_),
                    note());
    if (at_.step_in_epoch == steps_per_epoch_) {
      finish_epoch(on_epoch);
    }
    if (at_.epoch == options_.epochs) break;
    const bool stop = interrupted();
    if (stop || seconds_since(last_save) >= options_.checkpoint_every) {
      save();
      last_save = Clock::now();
    }
    if (stop)
      throw Error(ErrorKind::interrupted,
                  text("interrupted at epoch {} of {}, step {}; the state is saved in {}", at_.epoch + 1,
                       options_.epochs, at_.step, checkpoint_),
                  "run the same command with --resume to continue");
  }

  ParamSet<float>& params = model_.params();
  TrainResult result{.epoch = at_.epoch, .train = at_.tally, .val = {}, .steps = at_.step};
  if (at_.best_epoch >= 0) {
    std::copy(best_params_.begin(), best_params_.end(), params.values().data);
    std::copy(best_buffers_.begin(), best_buffers_.end(), params.buffer_values().data);
    result.epoch = at_.best_epoch;
    result.val = at_.best;
  } else if (!ema_.empty()) {
    swap_average();
  }
  result.seconds = before + seconds_since(start);
  result.samples_per_second = at_.step_networks / std::max(1e-9, at_.step_seconds);
  return result;
}

void Trainer::discard_checkpoint() noexcept {
  ::unlink(checkpoint_.c_str());
}

}  // namespace dws::train
