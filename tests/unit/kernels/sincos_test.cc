// The vector sine, cosine and tanh against the double functions of the standard library, on every instruction
// set.
#include "kernels/sincos.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/isa.h"

namespace dws::kernels {
namespace {

class Sincos : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    set_isa(GetParam());
    if (isa() != GetParam()) GTEST_SKIP() << "this processor has no " << to_string(GetParam());
  }
  void TearDown() override { set_isa(best_isa()); }
};

// Distance in units of the last place of the float nearest to `exact`.
double distance(float value, double exact) {
  int exponent = 0;
  std::frexp(std::max(std::fabs(static_cast<float>(exact)), std::numeric_limits<float>::min()), &exponent);
  return std::fabs(value - exact) / std::ldexp(1.0, exponent - 24);
}

struct Worst {
  double ulps = 0;
  float at = 0;
  int64_t checked = 0;
  void add(float x, float value, double exact) {
    ++checked;
    const double e = distance(value, exact);
    if (!(e <= ulps)) ulps = e, at = x;
  }
};

// Every `step`-th float of both signs with magnitude in [low, high], and the neighbours of multiples of pi/2.
std::vector<float> arguments(float low, float high, uint32_t step) {
  std::vector<float> x;
  for (uint32_t bits = std::bit_cast<uint32_t>(low); bits <= std::bit_cast<uint32_t>(high); bits += step) {
    x.push_back(std::bit_cast<float>(bits));
    x.push_back(-x.back());
  }
  for (int n = 1; n * M_PI / 2 < high; ++n)
    for (int d = -4; d <= 4; ++d) {
      const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(n * M_PI / 2));
      x.push_back(std::bit_cast<float>(bits + static_cast<uint32_t>(d)));
    }
  return x;
}

TEST_P(Sincos, IsWithinTwoUlps) {
  const std::vector<float> x = arguments(0x1p-40f, 1e4f, 499);
  std::vector<float> s(x.size()), c(x.size());
  sincos(static_cast<int64_t>(x.size()), x.data(), s.data(), c.data());
  Worst sine, cosine;
  for (size_t i = 0; i < x.size(); ++i) {
    sine.add(x[i], s[i], std::sin(static_cast<double>(x[i])));
    cosine.add(x[i], c[i], std::cos(static_cast<double>(x[i])));
  }
  EXPECT_GT(sine.checked, 1000000);
  EXPECT_TRUE(sine.ulps <= 2) << sine.ulps << " ulp at " << sine.at;
  EXPECT_TRUE(cosine.ulps <= 2) << cosine.ulps << " ulp at " << cosine.at;
}

TEST_P(Sincos, TanhIsWithinTwoUlps) {
  const std::vector<float> x = arguments(0x1p-40f, 100.0f, 499);
  std::vector<float> y(x.size());
  tanh(static_cast<int64_t>(x.size()), x.data(), y.data());
  Worst worst;
  for (size_t i = 0; i < x.size(); ++i) worst.add(x[i], y[i], std::tanh(static_cast<double>(x[i])));
  EXPECT_GT(worst.checked, 500000);
  EXPECT_TRUE(worst.ulps <= 2) << worst.ulps << " ulp at " << worst.at;
}

TEST_P(Sincos, ZeroAndPaddingAreExact) {
  const float x[2] = {0.0f, -0.0f};
  float s[2], c[2], t[2];
  sincos(2, x, s, c);
  tanh(2, x, t);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(s[i], 0.0f);
    EXPECT_EQ(c[i], 1.0f);
    EXPECT_EQ(t[i], 0.0f);
  }
}

TEST_P(Sincos, NanAndInfinityStayVisible) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const float x[3] = {nan, inf, -inf};
  float s[3], c[3], t[3];
  sincos(3, x, s, c);
  tanh(3, x, t);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(s[i]) && std::isnan(c[i])) << i;
  EXPECT_TRUE(std::isnan(t[0]));
  EXPECT_EQ(t[1], 1.0f);
  EXPECT_EQ(t[2], -1.0f);
}

// Every length up to three vectors, at every misalignment; nothing beyond the end is touched.
TEST_P(Sincos, AnyLengthAndAlignment) {
  for (int n = 0; n <= 48; ++n)
    for (int shift = 0; shift < 3; ++shift) {
      std::vector<float> x(64, 0.75f), s(64, 7.0f), c(64, 7.0f), t(64, 7.0f);
      sincos(n, x.data() + shift, s.data() + shift, c.data() + shift);
      tanh(n, x.data() + shift, t.data() + shift);
      for (int i = 0; i < 64; ++i) {
        const bool inside = i >= shift && i < shift + n;
        ASSERT_NEAR(s[static_cast<size_t>(i)], inside ? std::sin(0.75f) : 7.0f, 1e-6f) << n << " " << i;
        ASSERT_NEAR(c[static_cast<size_t>(i)], inside ? std::cos(0.75f) : 7.0f, 1e-6f) << n << " " << i;
        ASSERT_NEAR(t[static_cast<size_t>(i)], inside ? std::tanh(0.75f) : 7.0f, 1e-6f) << n << " " << i;
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Isas, Sincos, ::testing::Values(Isa::portable, Isa::avx2, Isa::avx512),
                         [](const auto& instance) { return std::string(to_string(instance.param)); });

}  // namespace
}  // namespace dws::kernels
