#include "core/line_fit.h"

#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace dws {

Line fit_line(std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size())
    throw Error(ErrorKind::mismatch, text("a line through {} x and {} y", x.size(), y.size()));
  const double n = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    mean_x += x[i] / n;
    mean_y += y[i] / n;
  }
  // Around the means: differences of large sums would lose the digits that matter.
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
  }
  if (x.size() < 2 || !(xx > 0))
    throw Error(ErrorKind::empty, text("a line needs two different x, got {} points", x.size()));
  Line line;
  line.slope = xy / xx;
  line.intercept = mean_y - line.slope * mean_x;
  line.r_squared = yy > 0 ? xy * xy / (xx * yy) : 1;
  return line;
}

double fit_exponent(std::span<const double> x, std::span<const double> y) {
  const auto logarithms = [](std::span<const double> values) {
    std::vector<double> logs;
    for (const double v : values) {
      if (!(v > 0)) throw Error(ErrorKind::bad_value, text("a power law through {}", v));
      logs.push_back(std::log(v));
    }
    return logs;
  };
  return fit_line(logarithms(x), logarithms(y)).slope;
}

}  // namespace dws
