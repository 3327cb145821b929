#include "kernels/optimizer.h"

#include <algorithm>

#include "core/text.h"
#include "harness.h"

namespace dws::kernels {
namespace {

TEST(Adamw, MatchesTheTwin) {
  for (int64_t n : kSizes)
    for (bool amsgrad : {false, true}) {
      const AdamwStep step{1e-2, 0.9, 0.999, 1e-8, 0.1, 1 - 0.9 * 0.9, 1 - 0.999 * 0.999, amsgrad};
      auto square = random_values(n, 4), largest = random_values(n, 5);
      for (double& v : square) v = static_cast<float>(0.01 + v * v);
      for (double& v : largest) v = static_cast<float>(0.01 + v * v);
      check_against_twin({text("adamw {} {}", n, amsgrad),
                          {random_values(n, 1)},
                          {random_values(n, 2), random_values(n, 3), square, largest},
                          {},
                          8 * kEps},
                         [&](auto in, auto out, auto) {
                           using T = Element<decltype(out[0])>;
                           adamw(n, step, T(0.5), in[0], out[0], out[1], out[2], amsgrad ? out[3] : nullptr);
                         });
    }
}

TEST(Adamw, FirstStepIsTheSignTimesTheRate) {
  // With m = v = 0 the bias corrections cancel: m^ / sqrt(v^) = g / |g|.
  const AdamwStep step{0.25, 0.9, 0.999, 0.0, 0.0, 1 - 0.9, 1 - 0.999, false};
  for (Isa isa : available_isas()) {
    set_isa(isa);
    const float g[2] = {3.0f, -0.001f};
    float w[2] = {1, 1}, m[2] = {}, v[2] = {};
    adamw<float>(2, step, 1.0f, g, w, m, v, nullptr);
    EXPECT_NEAR(w[0], 0.75, 1e-6);
    EXPECT_NEAR(w[1], 1.25, 1e-6);
  }
  set_isa(best_isa());
}

TEST(SumSquares, MatchesTheTwin) {
  std::vector<int64_t> sizes = kSizes;
  for (int64_t n : {1023, 1024, 1025, 5000}) sizes.push_back(n);
  for (int64_t n : sizes) {
    const auto x = random_values(n, 1);
    const double want = sum_squares<double>(n, x.data());
    for (Isa isa : available_isas())
      for (size_t offset : {0, 1}) {
        set_isa(isa);
        std::vector<float> moved(offset);
        moved.insert(moved.end(), x.begin(), x.end());
        const double got = sum_squares<float>(n, moved.data() + offset);
        EXPECT_TRUE(std::abs(got - want) <= 4 * kEps * want)
            << n << " " << to_string(isa) << ": " << got << " " << want;
      }
  }
  set_isa(best_isa());
}

}  // namespace
}  // namespace dws::kernels
