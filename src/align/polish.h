// The end of other methods: coordinate descent from where they have come to.
#pragma once

#include <cstdint>

#include "align/pair.h"

namespace dws::align {

struct Polished {
  symmetry::NetworkElement element;  // of B
  // <A, g B> after `start` and at the end, phases' biases by distance as in match_network.h: the second is no less.
  double before = 0, after = 0;
};

// Weight matching's descent (descent.h) from `start`, of the kinds given; scales stay as they are.
Polished polish(const Pair& pair, const symmetry::NetworkElement& start, const symmetry::Draw& kinds,
                int max_sweeps, uint64_t seed);

}  // namespace dws::align
