// Every primitive against its scalar twin: values in float and double, and derivatives of the twin by complex
// step, exact to rounding, against the tape's in double.
#include "twins.h"

#include <gtest/gtest.h>

#include <set>

#include "harness.h"

namespace dws::test {
namespace {

template <class N, class T>
TwinInput<N> twin_input(const std::vector<Tensor<T>>& x) {
  TwinInput<N> in;
  for (const auto& t : x) {
    in.shapes.push_back(t.shape());
    in.x.emplace_back(t.span().begin(), t.span().end());
  }
  return in;
}

class ScalarTwin : public testing::TestWithParam<size_t> {
 protected:
  const Case& c = cases()[GetParam()];
  const Twin* twin = twin_of(c.primitive, c.label);

  void SetUp() override { ASSERT_NE(twin, nullptr) << c.primitive << " " << c.label; }

  // What only moves or copies numbers is exact.
  template <class T>
  double tolerance() const {
    for (const char* name : {"reshape", "concat", "slice", "transpose", "relu"})
      if (c.primitive == name) return 0;
    return std::is_same_v<T, double> ? 1e-12 : 1e-5;
  }

  template <class T>
  void expect_values() {
    for (const auto* shapes : {&c.shapes, &c.wide}) {
      const std::vector<Tensor<T>> x = cast<T>(draw(c, *shapes));
      const Result<T> got = run_case<T>(c, x);
      const auto want = twin->real(twin_input<double>(x));
      ASSERT_EQ(got.outputs.size(), want.size());
      for (size_t k = 0; k < want.size(); ++k) {
        Tensor<double> y(got.outputs[k].shape());
        ASSERT_EQ(static_cast<size_t>(y.size()), want[k].size());
        std::copy(want[k].begin(), want[k].end(), y.data());
        SCOPED_TRACE(std::string(c.primitive) + " " + c.label + ", output " + std::to_string(k));
        DWS_EXPECT_NEAR(got.outputs[k], y, tolerance<T>());
      }
    }
  }
};

TEST_P(ScalarTwin, HasTheTapesValues) {
  expect_values<double>();
  expect_values<float>();
}

TEST_P(ScalarTwin, HasTheTapesDerivativesByComplexStep) {
  using Complex = std::complex<double>;
  const double h = 1e-100;
  const std::vector<Tensor<double>> x = draw(c, c.shapes);
  const Result<double> tape = run_case(c, x);
  std::vector<Shape> shapes;
  for (const auto& y : tape.outputs) shapes.push_back(y.shape());
  const auto seeds = draw_normal(shapes, 99);  // those of run_case
  TwinInput<Complex> z = twin_input<Complex>(x);
  for (size_t i = 0; i < x.size(); ++i) {
    Tensor<double> want(x[i].shape());
    for (int64_t j = 0; j < want.size(); ++j) {
      Complex& element = z.x[i][static_cast<size_t>(j)];
      element += Complex(0, h);
      const auto y = twin->complex(z);
      ASSERT_EQ(y.size(), seeds.size());
      for (size_t k = 0; k < y.size(); ++k) {
        ASSERT_EQ(y[k].size(), static_cast<size_t>(seeds[k].size()));
        for (size_t n = 0; n < y[k].size(); ++n)
          want[j] += seeds[k][static_cast<int64_t>(n)] * (y[k][n].imag() / h);
      }
      element -= Complex(0, h);
    }
    SCOPED_TRACE(std::string(c.primitive) + " " + c.label + ", input " + std::to_string(i));
    DWS_EXPECT_NEAR(tape.grads[i], want, 1e-12);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ScalarTwin, testing::Range(size_t{0}, cases().size()));

TEST(ScalarTwins, ThereIsOneForEveryPrimitive) {
  std::set<std::string_view> seen;
  for (const Twin& twin : twins()) seen.insert(twin.primitive);
  EXPECT_FALSE(primitive_names().empty());
  for (const std::string_view name : primitive_names())
    EXPECT_TRUE(seen.count(name)) << name << " has no complex-step case";
}

}  // namespace
}  // namespace dws::test
