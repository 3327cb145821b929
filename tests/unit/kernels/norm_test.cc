#include "kernels/norm.h"

#include <algorithm>

#include "core/text.h"
#include "harness.h"

namespace dws::kernels {
namespace {

const int64_t kRows[] = {0, 1, 3, 63, 64, 65, 200};
const int64_t kColumns[] = {0, 1, 2, 7, 15, 16, 17, 33, 64};

TEST(Norm, ColumnSumsMatchTheTwin) {
  for (int64_t rows : kRows)
    for (int64_t C : kColumns) {
      const auto x = random_values(rows * C, 1), shift = random_values(C, 2), y = random_values(rows * C, 3),
                 dy = random_values(rows * C, 4);
      const double error = kEps * (16 + static_cast<double>(rows) / 2);
      const std::vector<double> none(static_cast<size_t>(2 * C), -1);
      // The sums are double whatever T is: they travel through a vector of their own.
      const auto collect = [&](auto call) {
        return [&, call](auto in, auto out, auto) {
          std::vector<double> sums(static_cast<size_t>(2 * C), 99.0);
          call(in, sums.data(), sums.data() + C);
          std::copy(sums.begin(), sums.end(), out[0]);
        };
      };
      check_against_twin(
          {text("column_moments {} x {}", rows, C), {x, shift}, {none}, {}, 8 * error},
          collect([&](auto in, double* s, double* q) { column_moments(rows, C, in[0], in[1], s, q); }));
      for (bool with_relu : {false, true})
        check_against_twin(
            {text("affine_backward_sums {} x {}", rows, C), {x, shift, y, dy}, {none}, {}, 2 * error},
            collect([&](auto in, double* s, double* q) {
              affine_backward_sums(rows, C, in[0], in[1], with_relu ? in[2] : nullptr, in[3], s, q);
            }));
    }
}

TEST(Norm, ManyRowsDoNotDrift) {
  const int64_t rows = 200000;
  const std::vector<float> x(static_cast<size_t>(rows), 1.1f), shift(1, 0.0f);
  for (Isa isa : available_isas()) {
    set_isa(isa);
    double sum = 0, square = 0;
    column_moments<float>(rows, 1, x.data(), shift.data(), &sum, &square);
    EXPECT_NEAR(sum / rows, double{1.1f}, 1e-6) << to_string(isa);
    EXPECT_NEAR(square / rows, double{1.1f} * double{1.1f}, 1e-6) << to_string(isa);
  }
  set_isa(best_isa());
}

TEST(Norm, AffineMatchesTheTwin) {
  for (int64_t rows : kRows)
    for (int64_t C : kColumns)
      for (bool flag : {false, true}) {
        const auto x = random_values(rows * C, 1), y = random_values(rows * C, 2),
                   dy = random_values(rows * C, 3);
        const auto p = random_values(C, 4), q = random_values(C, 5), r = random_values(C, 6);
        const std::string shape = text("{} x {} {}", rows, C, flag);
        check_against_twin({"affine " + shape, {x, p, q}, {y}}, [&](auto in, auto out, auto) {
          affine(rows, C, in[0], in[1], in[2], flag, out[0]);
        });
        for (bool accumulate : {false, true})
          check_against_twin({"affine_backward " + shape, {x, y, dy, p, q, r}, {dy}},
                             [&](auto in, auto out, auto) {
                               affine_backward(rows, C, in[0], flag ? in[1] : nullptr, in[2], in[3], in[4],
                                               in[5], out[0], accumulate);
                             });
      }
}

TEST(Norm, LayerNormMatchesTheTwin) {
  for (int64_t rows : kRows)
    for (int64_t C : kColumns) {
      if (C == 0) continue;
      const auto x = random_values(rows * C, 1), gamma = random_values(C, 2), beta = random_values(C, 3);
      const auto dy = random_values(rows * C, 4), spare = random_values(rows, 5);
      const std::string shape = text("{} x {}", rows, C);
      const double eps = 0.125;  // of float and double alike, and large, so that rstd < 3
      check_against_twin({"layer_norm " + shape, {x, gamma, beta}, {dy, spare, spare}, {}, 32 * kEps},
                         [&](auto in, auto out, auto) {
                           using T = Element<decltype(out[0])>;
                           layer_norm(rows, C, in[0], in[1], in[2], T(eps), out[0], out[1], out[2]);
                         });
      std::vector<double> mean(spare), rstd(spare), y(x);
      layer_norm<double>(rows, C, x.data(), gamma.data(), beta.data(), eps, y.data(), mean.data(),
                         rstd.data());
      for (double& v : mean) v = static_cast<float>(v);
      for (double& v : rstd) v = static_cast<float>(v);
      for (bool accumulate : {false, true})
        for (int given = 0; given < 4; ++given)
          check_against_twin({"layer_norm_backward " + shape,
                              {x, gamma, mean, rstd, dy},
                              {y, beta, beta},
                              {},
                              kEps * (64 + static_cast<double>(rows))},
                             [&](auto in, auto out, auto) {
                               layer_norm_backward(rows, C, in[0], in[1], in[2], in[3], in[4], out[0],
                                                   accumulate, given & 1 ? out[1] : nullptr,
                                                   given & 2 ? out[2] : nullptr);
                             });
    }
}

}  // namespace
}  // namespace dws::kernels
