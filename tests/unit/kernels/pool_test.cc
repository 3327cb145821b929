#include "kernels/pool.h"

#include <algorithm>

#include "core/text.h"
#include "harness.h"
#include "kernels/ref/pool.h"

namespace dws::kernels {
namespace {

const Pool2d kPools[] = {
    {.height = 1, .width = 1},
    {.height = 8, .width = 8, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2},
    {.height = 9,
     .width = 7,
     .kernel_h = 3,
     .kernel_w = 3,
     .stride_h = 2,
     .stride_w = 2,
     .pad_top = 1,
     .pad_left = 1,
     .pad_bottom = 1,
     .pad_right = 1},
    {.height = 6,
     .width = 40,
     .kernel_h = 3,
     .kernel_w = 2,
     .stride_w = 3,
     .pad_top = 2,
     .pad_right = 1,
     .count_pads = true},
    {.height = 9, .width = 8, .kernel_h = 2, .kernel_w = 3, .pad_left = 2, .dilation_h = 3, .dilation_w = 2},
    {.height = 5, .width = 4, .kernel_h = 5, .kernel_w = 4},  // everything
};

TEST(Pool, MatchesTheTwin) {
  for (const Pool2d& p : kPools)
    for (int64_t outer : {0, 1, 3})
      for (int64_t inner : {1, 2, 15, 16, 17, 35}) {
        const int64_t size = outer * p.height * p.width * inner, out_size = outer * p.places() * inner;
        const std::string what = text("{} {}x{} {}", outer, p.height, p.width, inner);
        // Ties too: the first of equals.
        for (const auto& x : {random_values(size, 1), tied_values(size, 2)})
          check_against_twin(
              {"max " + what, {x}, {random_values(out_size, 3)}, {out_size}, 0.0},
              [&](auto in, auto out, auto index) { max_pool2d(p, outer, inner, in[0], out[0], index[0]); });
        check_against_twin(
            {"max alone " + what, {random_values(size, 1)}, {random_values(out_size, 3)}, {}, 0.0},
            [&](auto in, auto out, auto) {
              max_pool2d(p, outer, inner, in[0], out[0], static_cast<int32_t*>(nullptr));
            });
        check_against_twin(
            {"mean " + what, {random_values(size, 1)}, {random_values(out_size, 3)}, {}, 32 * kEps},
            [&](auto in, auto out, auto) { mean_pool2d(p, outer, inner, in[0], out[0]); });
        std::vector<double> y(static_cast<size_t>(out_size));
        std::vector<int32_t> index(y.size());
        ref::max_pool2d(p, outer, inner, random_values(size, 1).data(), y.data(), index.data());
        for (bool accumulate : {false, true}) {
          check_against_twin({"max backward " + what, {random_values(out_size, 4)}, {random_values(size, 5)}},
                             [&](auto in, auto out, auto) {
                               max_pool2d_backward(p, outer, inner, in[0], index.data(), out[0], accumulate);
                             });
          check_against_twin({"mean backward " + what,
                              {random_values(out_size, 4)},
                              {random_values(size, 5)},
                              {},
                              32 * kEps},
                             [&](auto in, auto out, auto) {
                               mean_pool2d_backward(p, outer, inner, in[0], out[0], accumulate);
                             });
        }
      }
}

TEST(Pool, NothingButInfinityAndNaN) {
  const Pool2d p{.height = 2, .width = 4, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const float x[] = {-inf, -inf, 1, nan, -inf, -inf, 2, 0};
  for (Isa isa : available_isas()) {
    set_isa(isa);
    float y[2] = {7, 7};
    int32_t index[2] = {7, 7};
    max_pool2d(p, 1, 1, x, y, index);
    EXPECT_EQ(y[0], -inf) << to_string(isa);
    EXPECT_EQ(index[0], 0) << to_string(isa);
    EXPECT_TRUE(std::isnan(y[1])) << to_string(isa) << ": " << y[1];
    EXPECT_EQ(index[1], 3) << to_string(isa);
  }
  set_isa(best_isa());
}

TEST(Pool, BackwardIsTheDerivativeByComplexStep) {
  for (const Pool2d& p : kPools) {
    const int64_t outer = 2, inner = 2, size = outer * p.height * p.width * inner;
    const auto x = random_values(size, 1), dy = random_values(outer * p.places() * inner, 2);
    std::vector<double> y(dy.size()), dx(x.size());
    std::vector<int32_t> index(y.size());
    ref::max_pool2d(p, outer, inner, x.data(), y.data(), index.data());
    ref::max_pool2d_backward(p, outer, inner, dy.data(), index.data(), dx.data(), false);
    expect_close("max", dx,
                 complex_step(x, dy,
                              [&](const Complex* in, Complex* out) {
                                ref::max_pool2d(p, outer, inner, in, out, static_cast<int32_t*>(nullptr));
                              }),
                 1e-12);
    ref::mean_pool2d_backward(p, outer, inner, dy.data(), dx.data(), false);
    expect_close(
        "mean", dx,
        complex_step(x, dy,
                     [&](const Complex* in, Complex* out) { ref::mean_pool2d(p, outer, inner, in, out); }),
        1e-12);
  }
}

}  // namespace
}  // namespace dws::kernels
