// How good a classifier is on labelled data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "format/labelled.h"
#include "network/engine.h"

namespace dws::network {

// What a network's output holds for each class.
enum class OutputKind { logits, probabilities, log_probabilities };
OutputKind parse_output_kind(const std::string& name);  // throws Error{usage}
const char* to_string(OutputKind kind) noexcept;
// By the operator that makes the first output: Softmax, LogSoftmax, or anything else.
OutputKind output_kind(const Network& network);

struct Evaluation {
  int64_t samples = 0, correct = 0;
  double loss = 0;         // mean cross-entropy, in nats
  double calibration = 0;  // expected calibration error, 15 bins of equal width (Guo et al. 2017)
  double seconds = 0;      // of running and counting
  double accuracy() const noexcept {
    return samples ? static_cast<double>(correct) / static_cast<double>(samples) : 0;
  }
};

// Runs a network of one input whose first output is (N, classes).
class Evaluator {
 public:
  struct Options {
    std::optional<OutputKind> output{};
    std::vector<int> watched{};
    int64_t piece = 0;
  };
  // Refers to both. Samples take the shape of the network's input where they have as many numbers. Throws Error{mismatch}
  // where they do not fit, Error{bad_value} for a label beyond the classes.
  Evaluator(const Network& network, const LabelledData& data, const Options& options);

  Engine& engine() noexcept { return engine_; }
  OutputKind output() const noexcept { return kind_; }
  int64_t classes() const noexcept { return engine_.output_size(0); }
  // The same bits on any number of threads. An output that is no number makes the loss no number.
  Evaluation run();
  // What run() gives the engine to read with.
  Engine::Fill fill() const;

 private:
  const LabelledData& data_;
  Engine engine_;
  OutputKind kind_;
};

// The shape that samples of `data` take as the network's input. Throws Error{mismatch}.
std::vector<int64_t> sample_dims(const Network& network, const LabelledData& data);

}  // namespace dws::network
