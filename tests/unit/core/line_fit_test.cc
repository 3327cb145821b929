#include "core/line_fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "testing.h"

namespace dws {
namespace {

using testing::throws_error;

TEST(LineFit, FindsAnExactLine) {
  const std::vector<double> x = {1e6, 1e6 + 1, 1e6 + 5}, y = {3 - 2e6, 1 - 2e6, -7 - 2e6};
  const Line line = fit_line(x, y);
  EXPECT_NEAR(line.slope, -2, 1e-12);
  EXPECT_NEAR(line.intercept, 3, 1e-5);
  EXPECT_NEAR(line.r_squared, 1, 1e-12);
}

TEST(LineFit, LeastSquaresByHand) {
  // Means 1.5 and 2.25; sums of squares 5, 7.5 and 12.75.
  const std::vector<double> x = {0, 1, 2, 3}, y = {0, 2, 2, 5};
  const Line line = fit_line(x, y);
  EXPECT_NEAR(line.slope, 1.5, 1e-15);
  EXPECT_NEAR(line.intercept, 0, 1e-15);
  EXPECT_NEAR(line.r_squared, 7.5 * 7.5 / (5 * 12.75), 1e-15);
}

TEST(LineFit, AFlatLineExplainsAll) {
  const std::vector<double> x = {1, 2}, y = {4, 4};
  EXPECT_EQ(fit_line(x, y).r_squared, 1);
}

TEST(LineFit, FindsThePower) {
  std::vector<double> x, y;
  for (int i = 1; i < 6; ++i) {
    x.push_back(i);
    y.push_back(0.1 * std::pow(i, 1.7));
  }
  EXPECT_NEAR(fit_exponent(x, y), 1.7, 1e-12);
}

TEST(LineFit, RefusesWhatHasNoLine) {
  const std::vector<double> one = {1}, two = {1, 2}, same = {3, 3}, zero = {0, 1};
  EXPECT_TRUE(throws_error(ErrorKind::mismatch, [&] { fit_line(one, two); }));
  EXPECT_TRUE(throws_error(ErrorKind::empty, [&] { fit_line(one, one); }));
  EXPECT_TRUE(throws_error(ErrorKind::empty, [&] { fit_line(same, two); }));
  EXPECT_TRUE(throws_error(ErrorKind::bad_value, [&] { fit_exponent(two, zero); }));
}

}  // namespace
}  // namespace dws
