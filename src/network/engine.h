// The fast executor: a network's function in float32 on many samples, in pieces of the batch, each piece on one core with
// its own memory, so that activations stay in cache. The reference executor (executor.h) is its judge.
//
// The plan is made once: what depends on stored tensors alone is worked out beforehand, norms at inference are folded
// into the products before them, cheap operators are done while their numbers are near. Tensors are read through
// pointers, so that a curve of networks runs without a new plan. An operator that has no fast form runs by its
// reference function, piece by piece, and slow() names it.
//
// Not here: batch statistics of training, networks whose samples look at one another, files' outputs of integers beyond
// 2^24.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "network/network.h"

namespace dws::network {

struct EngineOptions {
  // For each of network.graph.inputs the shape of one sample: what stands behind the batch axis, which is the first.
  std::vector<std::vector<int64_t>> samples{};
  // Values whose numbers an observer is shown: they are worked out as the graph has them, not folded away.
  std::vector<int> watched{};
  // Samples a piece; 0: as many as the cache takes. A batch axis that the file fixes is obeyed. Bits may depend on it.
  int64_t piece = 0;
};

// What an observer is shown of one piece: `count` samples from number `first` on, `size` numbers each.
struct Observed {
  int value = kNone;  // number in Network::values
  const float* numbers = nullptr;
  int64_t size = 0, first = 0, count = 0;
  int lane = 0;
};
// Called at the moment that a watched value is known, by the worker that made it. Calls of one lane come one after
// another, in the order of samples, whatever the number of threads; calls of several lanes at the same time.
// Sums are kept a lane and joined at the end: the same bits on any number of threads.
using Observer = std::function<void(const Observed&)>;

class Engine {
 public:
  // Reads samples [first, first + count) of an input to `to` (count, sample), converted to float. Any thread.
  using Fill = std::function<void(int input, int64_t first, int64_t count, float* to)>;
  // Is given the outputs of samples [first, first + count): numbers[o] (count, output_size(o)). Any thread.
  using Take = std::function<void(int64_t first, int64_t count, const std::vector<const float*>& numbers)>;

  // Refers to the network, which must outlive it. Throws Error: an operator nobody knows, shapes that do not fit
  // (Error{mismatch}), outputs that have no batch axis.
  Engine(const Network& network, const EngineOptions& options);
  ~Engine();
  Engine(Engine&&) noexcept;

  int64_t piece() const noexcept;
  int64_t output_size(int output) const noexcept;                      // numbers a sample
  const std::vector<int64_t>& output_dims(int output) const noexcept;  // of one piece, batch axis first
  // Operators without a fast form, as messages name them; of networks that run by the reference executor as a whole, the
  // reason.
  const std::vector<std::string>& slow() const noexcept;
  // Multiply-adds of products and convolutions a sample, twice.
  double flops() const noexcept;

  // A floating tensor's numbers from now on, in place of the network's own: constants[constant].elements() of them, which
  // must stay where they are until the next set(). They are read when run() begins. nullptr: the network's own again.
  void set(int constant, const float* numbers);

  // Runs all samples; `lanes` is how many pieces are under way at most, 0: any number.
  void run(int64_t samples, const Fill& fill, const Take& take);
  // The same up to the last watched value, for who wants no outputs.
  void observe(int64_t samples, const Fill& fill, const Observer& observer, int lanes = 16);
  // Both.
  void run(int64_t samples, const Fill& fill, const Take& take, const Observer& observer, int lanes = 16);

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace dws::network
