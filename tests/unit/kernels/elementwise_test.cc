#include "kernels/elementwise.h"

#include "core/text.h"
#include "harness.h"
#include "kernels/norm.h"

namespace dws::kernels {
namespace {

TEST(Elementwise, AddReluMatchTheTwin) {
  for (int64_t n : kSizes) {
    const auto a = random_values(n, 1), b = random_values(n, 2), old = random_values(n, 3);
    check_against_twin({text("add {}", n), {a, b}, {old}},
                       [&](auto in, auto out, auto) { add(n, in[0], in[1], out[0]); });
    check_against_twin({text("relu {}", n), {a}, {old}},
                       [&](auto in, auto out, auto) { relu(n, in[0], out[0]); });
  }
}

TEST(Elementwise, AccumulatingKernelsMatchTheTwin) {
  for (int64_t n : kSizes)
    for (bool accumulate : {false, true}) {
      const auto a = random_values(n, 1), b = random_values(n, 2), old = random_values(n, 3);
      check_against_twin({text("scale {} {}", n, accumulate), {a}, {old}}, [&](auto in, auto out, auto) {
        scale(n, Element<decltype(out[0])>(0.75), in[0], out[0], accumulate);
      });
      check_against_twin(
          {text("relu_backward {} {}", n, accumulate), {a, b}, {old}},
          [&](auto in, auto out, auto) { relu_backward(n, in[0], in[1], out[0], accumulate); });
      for (double p : {0.0, 0.1, 0.5, 1.0})
        check_against_twin(
            {text("dropout {} {} {}", n, p, accumulate), {a}, {old}}, [&](auto in, auto out, auto) {
              dropout(n, p, uint64_t{0x123456789ABCDEF0}, uint64_t{1} << 40, in[0], out[0], accumulate);
            });
    }
}

TEST(Elementwise, ReluLetsNaNThrough) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  double twin[1] = {nan};
  relu<double>(1, twin, twin);
  EXPECT_TRUE(std::isnan(twin[0]));
  for (Isa isa : available_isas()) {
    set_isa(isa);
    std::vector<float> x(37, -1.0f), one(1, 1.0f), none(1, 0.0f);
    x[3] = x[36] = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> y = x;
    relu<float>(37, y.data(), y.data());
    EXPECT_TRUE(std::isnan(y[3]) && std::isnan(y[36]) && y[4] == 0) << to_string(isa);
    affine<float>(37, 1, x.data(), one.data(), none.data(), true, x.data());
    EXPECT_TRUE(std::isnan(x[3]) && std::isnan(x[36]) && x[4] == 0) << to_string(isa);
  }
}

TEST(Elementwise, SoftmaxLetsNaNThrough) {
  for (size_t at : {0, 3, 36}) {
    std::vector<double> x = random_values(37, 1);
    x[at] = std::numeric_limits<double>::quiet_NaN();
    const std::vector<float> narrow(x.begin(), x.end());
    softmax<double>(1, 37, x.data(), x.data());
    for (double p : x) EXPECT_TRUE(std::isnan(p)) << "twin, " << at;
    for (Isa isa : available_isas()) {
      set_isa(isa);
      std::vector<float> y = narrow;
      softmax<float>(1, 37, y.data(), y.data());
      for (float p : y) EXPECT_TRUE(std::isnan(p)) << to_string(isa) << ", " << at;
    }
  }
  set_isa(best_isa());
}

TEST(Elementwise, InAndOutMayBeTheSame) {
  const auto a = random_values(67, 1), b = random_values(67, 2);
  check_against_twin({"add in place", {b}, {a}}, [&](auto in, auto out, auto) {
    add<Element<decltype(out[0])>>(67, out[0], in[0], out[0]);
  });
  check_against_twin({"relu in place", {}, {a}},
                     [&](auto, auto out, auto) { relu<Element<decltype(out[0])>>(67, out[0], out[0]); });
  check_against_twin({"softmax in place", {}, {a}}, [&](auto, auto out, auto) {
    softmax<Element<decltype(out[0])>>(1, 67, out[0], out[0]);
  });
}

TEST(Elementwise, DropoutReadsTheWordsOfPhilox) {
  const double p = 0.3;
  const std::vector<float> ones(1000, 1.0f);
  for (Isa isa : available_isas()) {
    set_isa(isa);
    std::vector<float> y(1000, -1.0f);
    dropout<float>(1000, p, 5, 9, ones.data(), y.data(), false);
    Rng rng(5, 9);
    int kept = 0;
    for (size_t i = 0; i < y.size(); ++i) {
      const bool keep = static_cast<double>(rng.next_u32()) >= p * 0x1p32;
      ASSERT_EQ(y[i], keep ? static_cast<float>(1 / (1 - p)) : 0.0f) << to_string(isa) << " at " << i;
      kept += keep;
    }
    EXPECT_GT(kept, 640);
    EXPECT_LT(kept, 760);
  }
  set_isa(best_isa());
}

TEST(Elementwise, RowsMatchTheTwin) {
  for (int64_t rows : {0, 1, 3, 64, 65, 200})
    for (int64_t C : {0, 1, 2, 7, 10, 15, 16, 17, 33, 64, 259}) {
      const auto x = random_values(rows * C, 1), v = random_values(C, 2), dy = random_values(rows * C, 3);
      const std::string shape = text("{} x {}", rows, C);
      check_against_twin({"add_row_vector " + shape, {x, v}, {dy}},
                         [&](auto in, auto out, auto) { add_row_vector(rows, C, in[0], in[1], out[0]); });
      check_against_twin({"softmax " + shape, {x}, {dy}, {}, 4 * kEps},
                         [&](auto in, auto out, auto) { softmax(rows, C, in[0], out[0]); });
      for (bool accumulate : {false, true}) {
        check_against_twin({"column_sums " + shape, {x}, {v}, {}, kEps * (16 + static_cast<double>(rows))},
                           [&](auto in, auto out, auto) { column_sums(rows, C, in[0], out[0], accumulate); });
        check_against_twin(
            {"softmax_backward " + shape, {x, dy}, {x}, {}, kEps * (8 + static_cast<double>(C) / 4)},
            [&](auto in, auto out, auto) { softmax_backward(rows, C, in[0], in[1], out[0], accumulate); });
      }
    }
}

TEST(Elementwise, SoftmaxOfWideRangesIsRelativelyExact) {
  // Logits down to -120 below the largest; what the twin puts above float's normal range agrees to a few
  // units.
  std::vector<float> x;
  for (int i = 0; i < 241; ++i) x.push_back(static_cast<float>(i) * -0.5f + 3.0f);
  const std::vector<double> wide(x.begin(), x.end());
  std::vector<double> want(x.size());
  softmax<double>(1, static_cast<int64_t>(x.size()), wide.data(), want.data());
  for (Isa isa : available_isas()) {
    set_isa(isa);
    std::vector<float> y(x.size());
    softmax<float>(1, static_cast<int64_t>(x.size()), x.data(), y.data());
    int checked = 0;
    for (size_t i = 0; i < x.size(); ++i)
      if (want[i] > 1e-37) {
        ++checked;
        ASSERT_LE(std::abs(y[i] - want[i]), 6 * kEps * want[i]) << to_string(isa) << " at " << i;
      } else {
        ASSERT_LE(y[i], 2e-37f);
      }
    EXPECT_GT(checked, 150);
  }
  set_isa(best_isa());
}

}  // namespace
}  // namespace dws::kernels
