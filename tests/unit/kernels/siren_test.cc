// Coordinate networks: the twin against complex step, the fast kernels against the twin, padding, any point
// count.
#include "kernels/siren.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <limits>
#include <vector>

#include "core/rng.h"
#include "kernels/isa.h"
#include "kernels/ref/siren.h"

namespace dws::kernels {
namespace {

InrShape make_shape(std::vector<int64_t> dims, InrActivation activation) {
  InrShape shape;
  shape.layers = static_cast<int>(dims.size()) - 1;
  for (size_t i = 0; i < dims.size(); ++i) shape.dims[i] = dims[i];
  shape.activation = activation;
  return shape;
}

struct Problem {
  InrShape shape;
  int64_t points, stride;
  std::vector<float> x, target, natural;

  Problem(const InrShape& s, int64_t n, uint64_t seed) : shape(s), points(n), stride(inr_padded(n)) {
    Rng rng(seed);
    x.resize(static_cast<size_t>(stride * s.dims[0]));
    target.resize(static_cast<size_t>(stride * s.dims[s.layers]));
    for (float& v : x) v = static_cast<float>(rng.uniform(-1, 1));
    for (float& v : target) v = rng.uniform_float();
    for (int i = 0; i < s.layers; ++i) {
      const double bound = (s.activation == InrActivation::sine && i < s.layers - 1 ? 2.0 / 30 : 1.0) /
                           std::sqrt(static_cast<double>(s.dims[i]));
      for (int64_t k = 0; k < s.dims[i + 1] * (s.dims[i] + 1); ++k)
        natural.push_back(static_cast<float>(rng.uniform(-bound, bound)));
    }
  }
  std::vector<float> packed() const {
    std::vector<float> p(static_cast<size_t>(inr_packed_size(shape)));
    inr_pack(shape, natural.data(), p.data());
    return p;
  }
  std::vector<float> scratch() const {
    // NaN shows any read of what was not written first.
    return std::vector<float>(static_cast<size_t>(inr_scratch_size(shape)),
                              std::numeric_limits<float>::quiet_NaN());
  }
};

template <class To, class From>
std::vector<To> cast(const std::vector<From>& from) {
  return std::vector<To>(from.begin(), from.end());
}

TEST(SirenTwin, GradientAgreesWithComplexStep) {
  using C = std::complex<double>;
  const double step = 1e-30;
  for (InrActivation activation : {InrActivation::sine, InrActivation::relu, InrActivation::tanh})
    for (const std::vector<int64_t>& dims : {std::vector<int64_t>{2, 5, 1}, {2, 4, 3, 3}, {3, 3, 4, 2, 1}}) {
      const Problem problem(make_shape(dims, activation), 6, 11);
      const InrShape& shape = problem.shape;
      const auto x = cast<double>(problem.x), target = cast<double>(problem.target),
                 w = cast<double>(problem.natural);
      std::vector<double> gradient(w.size());
      ref::inr_loss<double>(shape, 6, x.data(), target.data(), problem.stride, 0.5, w.data(),
                            gradient.data());
      double scale = 0;
      for (double g : gradient) scale = std::max(scale, std::fabs(g));
      ASSERT_GT(scale, 1e-3);
      const auto xc = cast<C>(x), tc = cast<C>(target);
      for (size_t i = 0; i < w.size(); ++i) {
        auto wc = cast<C>(w);
        wc[i] += C(0, step);
        const C loss =
            ref::inr_loss<C>(shape, 6, xc.data(), tc.data(), problem.stride, C(0.5), wc.data(), nullptr);
        EXPECT_TRUE(std::fabs(loss.imag() / step - gradient[i]) <= 1e-12 * scale)
            << "parameter " << i << ": " << loss.imag() / step << " against " << gradient[i];
      }
    }
}

class Siren : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    set_isa(GetParam());
    if (isa() != GetParam()) GTEST_SKIP() << "this processor has no " << to_string(GetParam());
  }
  void TearDown() override { set_isa(best_isa()); }
};

const std::vector<std::vector<int64_t>> kNetworks = {{2, 32, 32, 1},     {2, 16, 1}, {3, 5, 7, 3},
                                                     {2, 33, 48, 17, 2}, {1, 1, 1},  {40, 24, 9, 1},
                                                     {2, 200, 200, 3}};

TEST_P(Siren, LossAndGradientEqualTheTwin) {
  for (InrActivation activation : {InrActivation::sine, InrActivation::relu, InrActivation::tanh})
    for (const auto& dims : kNetworks)
      for (int64_t points : {1, 16, 49, 100, 331}) {
        if (dims[1] > 100 && points > 50) continue;
        const Problem problem(make_shape(dims, activation), points, static_cast<uint64_t>(points));
        const InrShape& shape = problem.shape;
        const auto x = cast<double>(problem.x), target = cast<double>(problem.target),
                   w = cast<double>(problem.natural);
        std::vector<double> want(w.size());
        const double loss = ref::inr_loss<double>(shape, points, x.data(), target.data(), problem.stride, 0.5,
                                                  w.data(), want.data());
        const std::vector<float> packed = problem.packed();
        std::vector<float> gradient(packed.size(), -1.0f), got(w.size()), scratch = problem.scratch();
        const double fast = inr_loss(shape, points, problem.x.data(), problem.target.data(), 0.5f,
                                     packed.data(), gradient.data(), scratch.data());
        // Residuals carry the rounding of outputs near one, whatever their own size.
        EXPECT_TRUE(std::fabs(fast - loss) <= 1e-6 * (loss + std::sqrt(loss))) << fast << " against " << loss;
        scratch = problem.scratch();
        EXPECT_EQ(fast, inr_loss(shape, points, problem.x.data(), problem.target.data(), 0.5f, packed.data(),
                                 nullptr, scratch.data()));
        inr_unpack(shape, gradient.data(), got.data());
        size_t at = 0;
        for (int i = 0; i < shape.layers; ++i) {
          const size_t end = at + static_cast<size_t>(shape.dims[i + 1] * (shape.dims[i] + 1));
          double scale = 0, worst = 0;
          for (size_t k = at; k < end; ++k) scale = std::max(scale, std::fabs(want[k]));
          for (size_t k = at; k < end; ++k)
            if (!(std::fabs(got[k] - want[k]) <= worst)) worst = std::fabs(got[k] - want[k]);
          EXPECT_TRUE(worst <= 1e-5 * scale)
              << "layer " << i << " of " << dims.size() - 1 << ", width " << dims[1] << ", " << points
              << " points: " << worst << " of " << scale;
          at = end;
        }
        // What unpack does not take is padding.
        std::vector<float> again(packed.size());
        inr_pack(shape, got.data(), again.data());
        EXPECT_EQ(again, gradient) << "padding of the gradient is not zero";
      }
}

TEST_P(Siren, ForwardEqualsTheTwin) {
  for (const auto& dims : kNetworks) {
    const int64_t points = 51;
    const Problem problem(make_shape(dims, InrActivation::sine), points, 3);
    const InrShape& shape = problem.shape;
    const int64_t channels = shape.dims[shape.layers];
    std::vector<float> y(static_cast<size_t>(channels * problem.stride)), scratch = problem.scratch();
    inr_forward(shape, points, problem.x.data(), 0.25f, problem.packed().data(), y.data(), scratch.data());
    const auto x = cast<double>(problem.x), w = cast<double>(problem.natural);
    std::vector<std::vector<double>> h, z;
    std::vector<double> want(static_cast<size_t>(channels));
    for (int64_t p = 0; p < points; ++p) {
      ref::inr_forward<double>(shape, x.data() + p * shape.dims[0], 0.25, w.data(), want.data(), h, z);
      for (int64_t o = 0; o < channels; ++o) {
        const double got = y[static_cast<size_t>(o * problem.stride + p)];
        EXPECT_TRUE(std::fabs(got - want[static_cast<size_t>(o)]) <= 5e-6) << p << " " << o;
      }
    }
  }
}

TEST_P(Siren, NaNReachesTheLossThroughEveryActivation) {
  for (InrActivation activation : {InrActivation::sine, InrActivation::relu, InrActivation::tanh}) {
    Problem problem(make_shape({2, 32, 32, 1}, activation), 40, 6);
    problem.natural[5] = std::numeric_limits<float>::quiet_NaN();  // a weight of the first layer
    std::vector<float> scratch = problem.scratch();
    EXPECT_TRUE(std::isnan(inr_loss(problem.shape, 40, problem.x.data(), problem.target.data(), 0.5f,
                                    problem.packed().data(), nullptr, scratch.data())));
    const auto x = cast<double>(problem.x), target = cast<double>(problem.target),
               w = cast<double>(problem.natural);
    EXPECT_TRUE(std::isnan(ref::inr_loss<double>(problem.shape, 40, x.data(), target.data(), problem.stride,
                                                 0.5, w.data(), nullptr)));
  }
}

// What stands behind the last point must not matter.
TEST_P(Siren, PaddedPointsHaveNoInfluence) {
  Problem problem(make_shape({2, 8, 3}, InrActivation::sine), 21, 5);
  const std::vector<float> packed = problem.packed();
  std::vector<float> first(packed.size()), second(packed.size()), scratch = problem.scratch();
  const double a = inr_loss(problem.shape, 21, problem.x.data(), problem.target.data(), 0.5f, packed.data(),
                            first.data(), scratch.data());
  for (int64_t p = 21; p < problem.stride; ++p) {
    problem.x[static_cast<size_t>(2 * p)] = 5;
    for (int64_t o = 0; o < 3; ++o) problem.target[static_cast<size_t>(o * problem.stride + p)] = -9;
  }
  const double b = inr_loss(problem.shape, 21, problem.x.data(), problem.target.data(), 0.5f, packed.data(),
                            second.data(), scratch.data());
  EXPECT_EQ(a, b);
  EXPECT_EQ(first, second);
}

TEST_P(Siren, AdamEqualsTheTwinForManySteps) {
  const int64_t n = 67;
  Rng rng(2);
  std::vector<float> w(static_cast<size_t>(n)), m(w.size()), v(w.size()), g(w.size());
  for (float& value : w) value = static_cast<float>(rng.uniform(-0.1, 0.1));
  auto wd = cast<double>(w), md = cast<double>(m), vd = cast<double>(v);
  for (int t = 1; t <= 20; ++t) {
    for (float& value : g) value = static_cast<float>(rng.normal());
    AdamStep step{1e-3f, 0.9f, 0.999f, 1e-8f, 1e-4f, 0, 0};
    step.correction1 = static_cast<float>(1 - std::pow(0.9, t));
    step.correction2 = static_cast<float>(1 - std::pow(0.999, t));
    adam(n, step, g.data(), w.data(), m.data(), v.data());
    const auto gd = cast<double>(g);
    ref::adam<double>(n, step, gd.data(), wd.data(), md.data(), vd.data());
  }
  for (size_t i = 0; i < w.size(); ++i)
    EXPECT_TRUE(std::fabs(w[i] - wd[i]) <= 2e-7) << i << ": " << w[i] << " " << wd[i];
}

INSTANTIATE_TEST_SUITE_P(Isas, Siren, ::testing::Values(Isa::portable, Isa::avx2, Isa::avx512),
                         [](const auto& instance) { return std::string(to_string(instance.param)); });

}  // namespace
}  // namespace dws::kernels
