// Running a model on many networks: in evaluation mode, over all workers, the same bits for any number of
// them.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "nn/model.h"
#include "train/dataset.h"
#include "train/metrics.h"
#include "weights/normalise.h"

namespace dws::train {

class Predictor {
 public:
  // Both outlive the object; the model's parameters may change between calls.
  Predictor(const Model<float>& model, const weights::Normaliser& normaliser);
  // Networks 0 .. count-1, each given by `read(i, out)` as raw numbers (P); logits (count, outputs) out.
  // `read` is called from several threads. What read() throws is thrown.
  void run(int64_t count, const std::function<void(int64_t, std::span<float>)>& read,
           std::span<float> logits);
  // Mean loss and accuracy on labelled networks.
  Tally evaluate(const Part& part);

 private:
  struct Worker {
    Tape<float> tape;
    Buffer<float> raw, x;
  };
  const Model<float>& model_;
  const weights::Normaliser& normaliser_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace dws::train
