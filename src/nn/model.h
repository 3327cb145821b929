// What every network that reads networks has in common. The trainer and the commands know no more than this.
#pragma once

#include <cstdint>
#include <string_view>

#include "autograd/tape.h"
#include "core/json.h"

namespace dws {

// T is float (product) or double (twin in tests). A model reads a batch of networks of one architecture as
// flat vectors x (B, P), each W_0, b_0, W_1, b_1, ... row-major (out, in), already normalised
// (weights/normalise.h).
template <class T>
class Model {
 public:
  virtual ~Model() = default;
  virtual std::string_view kind() const noexcept = 0;  // "dws"; the registry's name
  virtual Json config() const = 0;                     // enough for the registry to build it again
  virtual int64_t input_size() const noexcept = 0;     // P
  virtual int64_t output_size() const noexcept = 0;    // classes
  // Whether outputs are the same for permuted inputs; false for the flat MLP.
  virtual bool invariant() const noexcept = 0;
  virtual void init(uint64_t seed) = 0;
  // Logits (B, output_size()). `batch_stats`, of params().buffer_size() elements, receives this shard's value
  // of every buffer (BatchNorm mean and variance) when the tape is in training mode; null otherwise.
  // Reentrant: shards run at the same time on their own tapes.
  virtual Var<T> forward(Tape<T>& tape, View<const T> x, T* batch_stats) const = 0;

  ParamSet<T>& params() noexcept { return params_; }
  const ParamSet<T>& params() const noexcept { return params_; }

 protected:
  ParamSet<T> params_;
};

}  // namespace dws
