// The values that do not change from sample to sample: stored tensors, what follows from them alone, folded weights.
#pragma once

#include <map>
#include <vector>

#include "core/buffer.h"
#include "network/engine/plan.h"

namespace dws::network::engine {

class Fixed {
 public:
  // Refers to both. `kept`: outputs, which may be fixed too.
  Fixed(const Network& network, const Builder::Result& built, const std::vector<int>& kept);

  void set(int constant, const float* numbers);
  // Works out whatever follows from tensors that were set since.
  void prepare();
  // By value; null for those that flow.
  const std::vector<float*>& numbers() const noexcept { return numbers_; }

 private:
  void load(int value);
  ArrayPtr array_of(int value);

  const Network& network_;
  const Builder::Result& built_;
  std::vector<char> needed_, changed_;    // by value
  std::map<int, const float*> replaced_;  // by constant
  std::vector<ArrayPtr> arrays_;          // of fixed nodes' outputs, by value
  std::vector<Buffer<float>> own_;        // by value
  std::vector<float*> numbers_;           // by value
};

}  // namespace dws::network::engine
