#include "kernels/special.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/isa.h"
#include "kernels/ref/special.h"

namespace dws::kernels {
namespace {

// fast(n, x, y) against twin(n, x, y) in double: |difference| <= relative |y| + absolute, on every instruction set and over
// odd sizes.
template <class Fast, class Twin>
void compare(double reach, double relative, double absolute, const Fast& fast, const Twin& twin) {
  for (const Isa isa : {Isa::portable, Isa::avx2, Isa::avx512}) {
    set_isa(isa);
    for (const int64_t n : {0, 1, 3, 15, 17, 31, 257, 1000}) {
      std::vector<float> x(static_cast<size_t>(n)), y(x.size() + 1, -7.0f);
      for (size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(reach * std::sin(1.7 * static_cast<double>(i) + 0.3));
      std::vector<double> wide(x.begin(), x.end()), expected(x.size());
      twin(n, wide.data(), expected.data());
      fast(n, x.data(), y.data());
      for (size_t i = 0; i < x.size(); ++i)
        ASSERT_LE(std::abs(static_cast<double>(y[i]) - expected[i]),
                  relative * std::abs(expected[i]) + absolute)
            << x[i] << " " << to_string(isa);
      EXPECT_EQ(y[x.size()], -7.0f);
      fast(n, x.data(), x.data());
      y.pop_back();
      EXPECT_EQ(x, y);
    }
  }
  set_isa(best_isa());
  const float none = NAN;
  float got = 0;
  fast(1, &none, &got);
  EXPECT_TRUE(std::isnan(got));
}

TEST(Special, Exp) {
  compare(80, 5e-7, 0, exp, ref::exp<double>);
  const float far[] = {-100, 100, 0};
  float got[3];
  exp(3, far, got);
  EXPECT_EQ(got[0], 0);
  EXPECT_TRUE(std::isinf(got[1]));
  EXPECT_EQ(got[2], 1);
}
// The product with alpha is rounded before the exponential: up to 68, half a unit in the last place of which is 4e-6.
TEST(Special, Sigmoid) {
  compare(
      40, 8e-6, 0, [](int64_t n, const float* x, float* y) { sigmoid(n, 1.702f, x, y); },
      [](int64_t n, const double* x, double* y) { ref::sigmoid(n, static_cast<double>(1.702f), x, y); });
}
TEST(Special, Erf) {
  compare(5, 0, 4e-7, erf, ref::erf<double>);
}
TEST(Special, Gelu) {
  compare(6, 0, 1.5e-6, gelu_erf, ref::gelu_erf<double>);
}

}  // namespace
}  // namespace dws::kernels
