#include "nn/reduction.h"

#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/text.h"

namespace dws::nn {

std::vector<std::string> reduction_names() {
  return {"max", "mean", "sum"};
}

ops::Reduction parse_reduction(std::string_view name) {
  if (name == "max") return ops::Reduction::max;
  if (name == "mean") return ops::Reduction::mean;
  if (name == "sum") return ops::Reduction::sum;
  throw Error(ErrorKind::usage, text("unknown reduction '{}': expected max, mean or sum", escaped(name)));
}

const char* reduction_name(ops::Reduction kind) noexcept {
  return kind == ops::Reduction::max ? "max" : kind == ops::Reduction::mean ? "mean" : "sum";
}

double pooled_gain(ops::Reduction kind, int64_t count) noexcept {
  const double n = static_cast<double>(count);
  if (kind == ops::Reduction::max) return std::sqrt(1.0 + 2.0 * std::log(n));
  // E x = 1 / sqrt(2 pi), E x^2 = 1 / 2: the mean of n has second moment (1/2) (1/n + (1 - 1/n) / pi).
  const double mean = std::sqrt(1.0 / n + (1.0 - 1.0 / n) * std::numbers::inv_pi);
  return kind == ops::Reduction::mean ? mean : n * mean;
}

}  // namespace dws::nn
