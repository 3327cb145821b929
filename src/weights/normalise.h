// Input normalisation that respects the symmetry: one mean and deviation for each tensor and each index of
// its free axes (an input coordinate, an output neuron), pooled over the permuted axes and over networks.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "symmetry/layout.h"

namespace dws::weights {

struct Normaliser {
  std::vector<float> mean, scale;  // one a parameter (equal within an orbit); y = (x - mean) * scale
  void apply(std::span<const float> x, std::span<float> y) const noexcept;
  static Normaliser identity(int64_t params);
};

// Over networks 0 .. count-1, read by `read(i, out)`. Sums in double, in order: the same on any number of
// threads. A deviation of zero gives scale 1.
Normaliser fit_normaliser(const symmetry::Layout& layout, int64_t count,
                          const std::function<void(int64_t, std::span<float>)>& read);

}  // namespace dws::weights
