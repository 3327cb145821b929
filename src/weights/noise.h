// Perturbations that do change the function.
#pragma once

#include <cstdint>

#include "core/rng.h"
#include "symmetry/layout.h"

namespace dws::weights {

// x (layout.param_count()) += amount * sd(t) * n, n standard normal for each number on its own, sd(t) the
// deviation of the network's own tensor t. A tensor of one number has none and stays as it is.
void add_noise(const symmetry::Layout& layout, double amount, Rng& rng, float* x);

// Each of `count` numbers is 0 with probability p, else divided by 1 - p, so that means stay; 0 <= p < 1.
void drop_weights(int64_t count, double p, Rng& rng, float* x);

}  // namespace dws::weights
