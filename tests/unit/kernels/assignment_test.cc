#include "kernels/assignment.h"

#include <cmath>
#include <limits>

#include "core/text.h"
#include "harness.h"
#include "kernels/ref/assignment.h"

namespace dws::kernels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class AssignmentKernels : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    set_isa(GetParam());
    if (isa() != GetParam()) GTEST_SKIP() << "this processor has no " << to_string(GetParam());
  }
  void TearDown() override { set_isa(best_isa()); }
};

std::vector<float> narrow(const std::vector<double>& x) {
  return {x.begin(), x.end()};
}

TEST_P(AssignmentKernels, NetGainsAreTheTwins) {
  for (const int64_t n : kSizes)
    for (const bool ties : {false, true}) {
      const auto gain = narrow(ties ? tied_values(n, 1) : random_values(n, 1));
      const auto price = random_values(n, 2);
      std::vector<double> net(gain.size()), want(gain.size()), group(kNetGroups), want_group(kNetGroups);
      const double best = ref::net_gains(n, gain.data(), price.data(), want.data(), want_group.data());
      EXPECT_EQ(net_gains(n, gain.data(), price.data(), net.data(), group.data()), best) << n;
      EXPECT_EQ(net, want) << n;
      EXPECT_EQ(group, want_group) << n;
      EXPECT_EQ(net_gains(n, gain.data(), price.data(), net.data(), nullptr), best) << n;
    }
}

TEST_P(AssignmentKernels, NumbersThatAreNotFiniteShow) {
  for (const int64_t n : {1, 3, 8, 37, 64, 131})
    for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()})
      for (const int64_t at : {int64_t{0}, n / 2, n - 1}) {
        auto gain = narrow(random_values(n, 1));
        const std::vector<double> price(gain.size());
        std::vector<double> net(gain.size());
        float low = 0, high = 0;
        extremes(n, gain.data(), &low, &high);
        EXPECT_TRUE(std::isfinite(low) && std::isfinite(high));
        gain[static_cast<size_t>(at)] = odd;
        EXPECT_TRUE(std::isnan(net_gains(n, gain.data(), price.data(), net.data(), nullptr))) << n << at;
        extremes(n, gain.data(), &low, &high);
        EXPECT_TRUE(std::isnan(low) && std::isnan(high)) << n << at;
      }
}

TEST_P(AssignmentKernels, ExtremesAreTheTwins) {
  for (const int64_t n : kSizes) {
    if (n == 0) continue;
    for (const float shift : {-3.f, 0.f, 3.f}) {  // what is not there must not count as zero
      auto x = narrow(random_values(n, 1));
      for (float& v : x) v += shift;
      float low = 0, high = 0, want_low = 0, want_high = 0;
      extremes(n, x.data(), &low, &high);
      ref::extremes(n, x.data(), &want_low, &want_high);
      EXPECT_EQ(low, want_low) << n;
      EXPECT_EQ(high, want_high) << n;
    }
  }
}

TEST_P(AssignmentKernels, RelaxRowIsTheTwin) {
  for (const int64_t n : kSizes)
    for (const uint64_t seed : {1, 2, 3, 4}) {
      if (n == 0) continue;
      const bool ties = seed > 2;
      const auto gain = narrow(ties ? tied_values(n, seed) : random_values(n, seed));
      auto price = ties ? tied_values(n, seed + 10) : random_values(n, seed + 10);
      auto distance = ties ? tied_values(n, seed + 20) : random_values(n, seed + 20);
      std::vector<int32_t> owner, from(price.size(), 5);
      for (int64_t j = 0; j < n; ++j) {
        owner.push_back(j * 7 % 3 == 0 ? -1 : static_cast<int32_t>(j));
        if (j % 5 == 4) price[static_cast<size_t>(j)] = distance[static_cast<size_t>(j)] = kInfinity;
      }
      auto want_distance = distance;
      auto want_from = from;
      const int64_t want = ref::relax_row(n, gain.data(), price.data(), 0.25, 9, owner.data(),
                                          want_distance.data(), want_from.data());
      EXPECT_EQ(relax_row(n, gain.data(), price.data(), 0.25, 9, owner.data(), distance.data(), from.data()),
                want)
          << n << " " << seed;
      EXPECT_EQ(distance, want_distance) << n;
      EXPECT_EQ(from, want_from) << n;
    }
}

TEST(AssignmentKernel, SoftenRowMatchesTheTwin) {
  for (const int64_t n : kSizes) {
    if (n == 0) continue;
    const auto gain = random_values(n, 1), price = random_values(n, 2), mass = random_values(n, 3);
    for (const double sharpness : {0.5, 8.0})
      check_against_twin({text("soften_row {} {}", n, sharpness), {gain, price}, {mass}, {}, 32 * kEps},
                         [&]<class In, class Out>(In in, Out out, auto) {
                           using T = kernels::Element<decltype(out[0])>;
                           std::vector<T> e(static_cast<size_t>(n));
                           if constexpr (std::is_same_v<T, float>)
                             soften_row(n, in[0], in[1], static_cast<float>(sharpness), e.data(), out[0]);
                           else
                             ref::soften_row<T>(n, in[0], in[1], sharpness, e.data(), out[0]);
                         });
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, AssignmentKernels,
                         ::testing::Values(Isa::portable, Isa::avx2, Isa::avx512),
                         [](const auto& instance) { return std::string(to_string(instance.param)); });

}  // namespace
}  // namespace dws::kernels
