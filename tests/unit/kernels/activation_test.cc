#include "kernels/activation.h"

#include "core/text.h"
#include "harness.h"
#include "kernels/ref/activation.h"

namespace dws::kernels {
namespace {

TEST(SmoothActivation, MatchesTheTwin) {
  for (const int64_t n : kSizes) {
    auto x = random_values(n, 1);
    for (double& v : x) v *= 8;
    const auto y = random_values(n, 2), dy = random_values(n, 3), old = random_values(n, 4);
    check_against_twin({text("gelu {}", n), {x}, {old}, {}, 16 * kEps},
                       [&](auto in, auto out, auto) { gelu(n, in[0], out[0]); });
    for (bool accumulate : {false, true}) {
      check_against_twin(
          {text("gelu backward {}", n), {x, dy}, {old}, {}, 64 * kEps},
          [&](auto in, auto out, auto) { gelu_backward(n, in[0], in[1], out[0], accumulate); });
      check_against_twin({text("tanh backward {}", n), {y, dy}, {old}}, [&](auto in, auto out, auto) {
        tanh_backward(n, in[0], in[1], out[0], accumulate);
      });
    }
  }
}

TEST(SmoothActivation, FarOutGeluIsALine) {
  const float x[] = {-1e30f, -50.0f, 50.0f, 1e30f}, ones[] = {1, 1, 1, 1};
  for (Isa isa : available_isas()) {
    set_isa(isa);
    float y[4], dx[4];
    gelu(4, x, y);
    gelu_backward(4, x, ones, dx, false);
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(y[i], x[i] > 0 ? x[i] : 0.0f) << to_string(isa) << " " << x[i];
      EXPECT_EQ(dx[i], x[i] > 0 ? 1.0f : 0.0f) << to_string(isa) << " " << x[i];
    }
  }
  set_isa(best_isa());
}

TEST(SmoothActivation, BackwardIsTheDerivativeByComplexStep) {
  auto x = random_values(33, 1);
  for (double& v : x) v *= 4;
  const auto dy = random_values(33, 2);
  std::vector<double> y(33), dx(33);
  ref::tanh(33, x.data(), y.data());
  ref::tanh_backward(33, y.data(), dy.data(), dx.data(), false);
  expect_close("tanh", dx,
               complex_step(x, dy, [](const Complex* in, Complex* out) { ref::tanh(33, in, out); }), 1e-12);
  ref::gelu_backward(33, x.data(), dy.data(), dx.data(), false);
  expect_close("gelu", dx,
               complex_step(x, dy, [](const Complex* in, Complex* out) { ref::gelu(33, in, out); }), 1e-12);
}

}  // namespace
}  // namespace dws::kernels
