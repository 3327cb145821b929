// What Resize and Upsample do: along one axis after another, each number a weighted sum of a few.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "network/context.h"

namespace dws::network {

struct Resampling {
  struct Settings {
    std::string mode, coordinates, nearest;
    double cubic = -0.75, outside_value = 0;
    bool exclude_outside = false;
  };
  struct Tap {
    int64_t from;
    double weight;
  };
  using Taps = std::vector<Tap>;  // of one output place; none: the value for what is outside
  // From (outer, n, inner) to (outer, lines, inner).
  struct Axis {
    int64_t outer = 1, n = 1, inner = 1;
    std::vector<Taps> lines{};
  };

  Settings settings{};
  std::vector<int64_t> from{}, to{};
  std::vector<double> scales{}, roi{};  // an entry an axis; starts, then ends, of what is cropped
  // Those that change, in the order in which they are stretched.
  std::vector<Axis> axes() const;
};

// Of a node Resize or Upsample. Throws through `c`; UnknownShape where its scales or sizes are not known.
Resampling resampling(const Context& c);

}  // namespace dws::network
