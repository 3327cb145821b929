// Curves between networks as a picture for a paper.
#pragma once

#include <string>
#include <vector>

#include "network/curve.h"

namespace dws::tools {

struct NamedCurve {
  std::string name;
  std::vector<network::CurvePoint> points;
  network::Barrier barrier;
};
// SVG: loss and accuracy against lambda side by side. The chord between the ends is drawn dashed, the place of the barrier
// marked. `ends`: what stands at lambda 0 and 1.
std::string curve_svg(const std::vector<NamedCurve>& curves, const std::string& first,
                      const std::string& last);

}  // namespace dws::tools
