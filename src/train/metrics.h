// Loss and accuracy, counted so that parts add up in a fixed order.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/json.h"

namespace dws::train {

struct Tally {
  double loss = 0;  // sum over samples
  int64_t correct = 0, count = 0;
  void add(const Tally& other) noexcept {
    loss += other.loss;
    correct += other.correct;
    count += other.count;
  }
  double mean_loss() const noexcept { return count ? loss / static_cast<double>(count) : 0; }
  double accuracy() const noexcept {
    return count ? static_cast<double>(correct) / static_cast<double>(count) : 0;
  }
};

// Index of the first largest of `logits` (K).
int64_t argmax(std::span<const float> logits) noexcept;
// Throws Error{bad_value} naming the network when a logit is not a finite number: no class follows from it.
void require_finite(std::span<const float> logits, const std::string& network);
// -log softmax(logits)[label], in double.
double cross_entropy(std::span<const float> logits, int64_t label) noexcept;
// Softmax of `logits` (K) to `probabilities` (K), in double.
void softmax(std::span<const float> logits, std::span<double> probabilities) noexcept;

// What is known after an epoch; one line of the metrics file.
struct EpochRecord {
  int64_t epoch = 0, step = 0;  // both count from 1
  Tally train;                  // of the training forward passes: dropout and batch statistics included
  std::optional<Tally> val;
  double lr = 0;
  double grad_norm = 0;           // mean over steps, before clipping
  std::string noun = "networks";  // of what
  double samples_per_second = 0;
  double seconds = 0;    // since the run began, resumed parts added
  bool best = false;     // best on validation so far
  Json to_json() const;  // {"schema": "dws.train.epoch/1", ...}
};

}  // namespace dws::train
