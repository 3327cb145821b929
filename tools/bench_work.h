// A DWS network at work on random networks: what the bench times.
#pragma once

#include <memory>
#include <vector>

#include "autograd/profile.h"
#include "metanets/dws_flops.h"
#include "metanets/registry.h"
#include "train/optimizer.h"
#include "train/predict.h"

namespace dws::tools {

struct DwsSize {
  std::vector<int64_t> dims{2, 32, 32, 1};  // of the networks read
  int64_t channels = 32, layers = DwsConfig().layers, batch = 128;
};

// Uses threads() as they are when it is made.
class DwsWork {
 public:
  explicit DwsWork(const DwsSize& size);

  // The forward pass of `dws classify` on the batch.
  void forward();
  // A step of `dws train`: forward, backward, the sum over shards and AdamW; shards as there.
  void training_step();
  // The forward pass in evaluation mode as a tape with derivatives records it, for a profile: `forward()`
  // leaves no names behind.
  void recorded_forward();

  // From here on, tapes of training_step() and recorded_forward() are timed.
  void start_profile();
  Profile profile() const;  // of all threads together

  const DwsSize& size() const noexcept { return size_; }
  int64_t shards() const noexcept { return shards_; }
  int64_t weights() const noexcept { return arch_.param_count(); }  // of a network read
  Flops flops() const;                                              // of the batch

 private:
  struct Worker {
    Tape<float> tape;
    Profile profile;
  };
  void make_arrays();
  void run_shard(int64_t shard, bool training);

  DwsSize size_;
  MlpArch arch_;
  std::unique_ptr<Model<float>> model_;
  weights::Normaliser normaliser_;
  Buffer<float> x_, targets_;
  std::vector<float> logits_;
  std::unique_ptr<train::Predictor> predictor_;
  int64_t shards_ = 1, steps_ = 0;
  std::vector<Buffer<float>> gradients_, statistics_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<train::Adamw> optimizer_;
};

}  // namespace dws::tools
