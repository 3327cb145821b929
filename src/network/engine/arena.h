// Where the values that flow lie in a worker's memory: two that are never needed at the same time share a place.
#pragma once

#include <cstdint>
#include <vector>

#include "network/engine/plan.h"

namespace dws::network::engine {

struct Arena {
  int64_t size = 0, scratch_at = 0;  // floats
  int64_t activations = 0;           // of it, without scratch
  std::vector<int64_t> offsets;      // by value; -1: not here
  // Writes the addresses of all values that flow.
  void place(float* memory, std::vector<float*>& values) const;
};
// `inputs` are there from the start, `kept` until the end.
Arena lay_out(const Builder::Result& built, const std::vector<int>& inputs, const std::vector<int>& kept);

}  // namespace dws::network::engine
