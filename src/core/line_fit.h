// Straight lines through measured points.
#pragma once

#include <span>

namespace dws {

// y = intercept + slope x. r_squared is the share of y's variance that the line explains, 1 when there is none.
struct Line {
  double intercept = 0, slope = 0, r_squared = 0;
};

// Ordinary least squares. Throws Error{mismatch} for sizes that differ, Error{empty} for fewer than two points
// or for points that all have one x.
Line fit_line(std::span<const double> x, std::span<const double> y);

// The p of y = c x^p: the slope of a line through the logarithms. Throws as fit_line() does, and
// Error{bad_value} for numbers that are not positive.
double fit_exponent(std::span<const double> x, std::span<const double> y);

}  // namespace dws
