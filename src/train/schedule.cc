#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace dws::train {

double learning_rate(const Schedule& s, int64_t step) noexcept {
  if (step < s.warmup) return s.peak * static_cast<double>(step + 1) / static_cast<double>(s.warmup);
  const double share =
      static_cast<double>(step - s.warmup) / static_cast<double>(std::max<int64_t>(1, s.total - s.warmup));
  return s.floor + (s.peak - s.floor) * 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, share)));
}

}  // namespace dws::train
