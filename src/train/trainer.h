// Training a classifier of networks or of pictures, on labels or on distributions over classes.
//
// A batch is cut into shards, fixed by the options and not by the machine. A shard is one thread's work: it
// reads its samples, runs forward and backward on its own tape and leaves its gradient in its own array.
// Gradients are summed over a fixed tree, BatchNorm statistics averaged in order; so the bits of a model
// depend on seed, data and options, not on threads. All random numbers are functions of (seed, epoch, step,
// shard or sample): a run that was interrupted at any step and resumed gives the bits of one that was not.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/progress.h"
#include "nn/model.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/dataset.h"
#include "train/metrics.h"
#include "train/optimizer.h"
#include "train/predict.h"
#include "train/schedule.h"

namespace dws::train {

struct TrainOptions {
  int64_t epochs = 30;
  int64_t batch =
      128;  // samples a step, at most; an epoch's steps are of equal size, give or take one sample
  int64_t shards = 16;     // pieces of a batch; fewer when a piece would have less than 4 samples
  double lr = 2e-3;        // highest
  double lr_floor = 0.01;  // lowest at the end, as a share of lr
  double warmup = 0.05;    // below 1: share of all steps; otherwise steps
  double clip = 1;         // largest norm of a gradient; 0: none
  double ema = 0;          // decay of the running average of parameters and buffers; 0: none
  double label_smoothing = 0;
  OptimizerKind optimizer = OptimizerKind::adamw;
  AdamwOptions adamw;
  double momentum = 0.9;               // of SGD, which takes its decay from adamw.weight_decay
  weights::Augmentation augmentation;  // of networks
  weights::Mixup mixup;                // of networks
  uint64_t seed = 0;
  double checkpoint_every = 30;  // seconds between checkpoints; 0: after every step. Does not change results
  // Throws Error{usage} for values that make no sense.
  void check() const;
  // All that results depend on.
  Json to_json() const;
};

struct TrainResult {
  int64_t epoch = 0;         // whose parameters were kept
  Tally train;               // last epoch's training passes
  std::optional<Tally> val;  // of the kept parameters
  int64_t steps = 0;
  double seconds = 0;
  double samples_per_second = 0;  // training steps alone
};

class Trainer {
 public:
  // `model` is initialised; its outputs are the classes; all samples have labels below model.output_size().
  // `reader` gives the samples of `train`, at least two, as they are trained on; those of `val`, which may be empty,
  // are judged as they are, normalised. `checkpoint` is the file for unfinished state;
  // `identity` describes data and model for it. Everything named outlives the trainer.
  Trainer(Model<float>& model, const weights::Normaliser& normaliser,
          std::unique_ptr<const SampleReader> reader, const Part& train, const Part& val,
          const TrainOptions& options, std::string checkpoint, Json identity);

  // Goes on from the checkpoint file; the epochs finished so far are returned.
  int64_t resume();
  // Trains to the end and leaves in the model the parameters of the best epoch on validation (highest
  // accuracy, then lowest loss, then earliest), or without validation the last ones (their running average
  // with ema). `on_epoch` is called after each epoch, before its checkpoint. Throws Error{interrupted} on
  // SIGINT once the state is saved, Error{bad_value} when the loss is not finite.
  TrainResult run(const std::function<void(const EpochRecord&)>& on_epoch = {});
  // Removes the checkpoint file: call when the result is safe.
  void discard_checkpoint() noexcept;

 private:
  struct Worker {
    Tape<float> tape;
    Buffer<float> scratch, x, targets;
  };
  struct Position {
    int64_t epoch = 0, step = 0, step_in_epoch = 0;  // done so far
    Tally tally;                                     // of the running epoch
    double norm_sum = 0, seconds = 0, step_seconds = 0, step_networks = 0;
    double epoch_seconds = 0;  // in steps of the running epoch
    int64_t best_epoch = -1;
    Tally best;
  };

  void train_step();
  void run_shard(int64_t shard, int64_t shards, int64_t begin, int64_t end);
  void apply_gradient(int shards, int64_t count);
  // Exchanges the model's parameters and buffers with their running averages: averaged parameters see
  // features whose statistics are the averaged ones.
  void swap_average() noexcept;
  void finish_epoch(const std::function<void(const EpochRecord&)>& on_epoch);
  void save();
  std::vector<StateArray> arrays();
  Json settings() const;
  std::string note() const;

  Model<float>& model_;
  const Part &train_, &val_;
  TrainOptions options_;
  std::string checkpoint_;
  Json identity_;
  std::unique_ptr<const SampleReader> reader_;
  std::unique_ptr<Optimizer> optimizer_;
  Predictor predictor_;
  Schedule schedule_;
  int64_t steps_per_epoch_ = 1;
  Batches batches_;
  std::span<const int64_t> order_;  // the samples of the running step
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Buffer<float>> gradients_, statistics_;  // one a shard
  std::vector<Tally> tallies_;
  Buffer<float> ema_, ema_buffers_, best_params_, best_buffers_;
  Position at_;
  double lr_ = 0;
  bool saved_ = false;
};

}  // namespace dws::train
