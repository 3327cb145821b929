// The learning rate over a run: a straight rise, then half a cosine down to a floor.
#pragma once

#include <cstdint>

namespace dws::train {

struct Schedule {
  double peak = 1e-3, floor = 0;
  int64_t warmup = 0, total = 1;  // steps
};

// Rate of step 0, 1, ..., total - 1.
double learning_rate(const Schedule& schedule, int64_t step) noexcept;

}  // namespace dws::train
