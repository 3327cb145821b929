// Polar factors: orthogonal, the best there is, known ones, and of matrices that leave directions open.
#include "align/polar.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/parallel.h"
#include "core/rng.h"
#include "testing.h"

namespace dws::align {
namespace {

using Matrix = std::vector<float>;

Matrix random_matrix(int64_t n, uint64_t seed) {
  Rng rng(seed, stream_id("test.polar"));
  Matrix m(static_cast<size_t>(n * n));
  for (float& v : m) v = static_cast<float>(rng.normal());
  return m;
}
// aᵀ b or a b in double.
std::vector<double> times(int64_t n, const Matrix& a, const Matrix& b, bool turned) {
  const auto size = static_cast<size_t>(n);
  std::vector<double> c(size * size, 0);
  for (size_t i = 0; i < size; ++i)
    for (size_t k = 0; k < size; ++k)
      for (size_t j = 0; j < size; ++j)
        c[i * size + j] += double{turned ? a[k * size + i] : a[i * size + k]} * b[k * size + j];
  return c;
}
double off_orthogonal(int64_t n, const Matrix& o) {
  const std::vector<double> gram = times(n, o, o, true);
  double worst = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      worst = std::max(worst, std::abs(gram[static_cast<size_t>(i * n + j)] - (i == j ? 1 : 0)));
  return worst;
}
// <O, m> is the largest exactly when Oᵀ m is symmetric and not negative: a symmetric h >= 0 has h + eps I = L Lᵀ.
void expect_best(int64_t n, const Matrix& o, const Matrix& m, double tolerance) {
  std::vector<double> h = times(n, o, m, true);
  double norm = 0, skew = 0;
  const auto size = static_cast<size_t>(n);
  for (const float v : m) norm += double{v} * v;
  norm = std::sqrt(norm);
  for (size_t i = 0; i < size; ++i)
    for (size_t j = 0; j < size; ++j) skew = std::max(skew, std::abs(h[i * size + j] - h[j * size + i]));
  EXPECT_LE(skew, tolerance * norm);
  for (size_t i = 0; i < size; ++i) h[i * size + i] += 10 * tolerance * norm;
  for (size_t j = 0; j < size; ++j) {  // Cholesky, in place
    for (size_t k = 0; k < j; ++k) h[j * size + j] -= h[j * size + k] * h[j * size + k];
    ASSERT_GT(h[j * size + j], 0) << "not positive at " << j;
    h[j * size + j] = std::sqrt(h[j * size + j]);
    for (size_t i = j + 1; i < size; ++i) {
      for (size_t k = 0; k < j; ++k) h[i * size + j] -= h[i * size + k] * h[j * size + k];
      h[i * size + j] /= h[j * size + j];
    }
  }
}
double largest_difference(const Matrix& a, const Matrix& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(double{a[i]} - b[i]));
  return worst;
}

TEST(Polar, OrthogonalAndBestForRandomMatrices) {
  for (const int64_t n : {1, 2, 3, 17, 64, 65, 150}) {
    SCOPED_TRACE(n);
    const Matrix m = random_matrix(n, static_cast<uint64_t>(n));
    const Matrix o = polar_factor(n, m);
    EXPECT_LE(off_orthogonal(n, o), 5e-7);
    expect_best(n, o, m, 2e-6);
  }
}

TEST(Polar, KnownAnswers) {
  EXPECT_EQ(polar_factor(1, Matrix{-3}), Matrix{-1});
  // A rotation times a positive matrix; and a reflection, whose determinant is -1.
  const double angle = 0.7, c = std::cos(angle), s = std::sin(angle);
  for (const double flip : {1.0, -1.0}) {
    const Matrix o = {static_cast<float>(c), static_cast<float>(-s * flip), static_cast<float>(s),
                      static_cast<float>(c * flip)};
    const Matrix h = {3, 1, 1, 0.5};
    const std::vector<double> m = times(2, o, h, false);
    EXPECT_LE(largest_difference(polar_factor(2, Matrix(m.begin(), m.end())), o), 1e-6);
  }
  // Any size of numbers.
  for (const float size : {1e-30f, 1e30f})
    EXPECT_LE(largest_difference(polar_factor(2, Matrix{0, 2 * size, -size, 0}), {0, 1, -1, 0}), 1e-6);
}

TEST(Polar, SingularValuesFarApart) {
  constexpr int64_t n = 40;
  const Matrix u = polar_factor(n, random_matrix(n, 1)), v = polar_factor(n, random_matrix(n, 2));
  Matrix scaled = u;  // u diag(10^(-k/8)) v: down to 1e-5
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < n; ++k)
      scaled[static_cast<size_t>(i * n + k)] *=
          static_cast<float>(std::pow(10.0, -static_cast<double>(k) / 8));
  const std::vector<double> m = times(n, scaled, v, false), uv = times(n, u, v, false);
  const Matrix o = polar_factor(n, Matrix(m.begin(), m.end()));
  EXPECT_LE(off_orthogonal(n, o), 5e-7);
  EXPECT_LE(largest_difference(o, Matrix(uv.begin(), uv.end())), 5e-2);  // 1e-7 of the largest beside 1e-5
  expect_best(n, o, Matrix(m.begin(), m.end()), 2e-6);
}

TEST(Polar, DirectionsThatAreNotThereAreCompleted) {
  constexpr int64_t n = 30;
  Matrix identity(n * n, 0.f);
  for (size_t i = 0; i < n; ++i) identity[i * n + i] = 1;
  EXPECT_EQ(polar_factor(n, Matrix(n * n, 0.f)), identity);
  Matrix one(n * n, 0.f);
  one[1] = 2;  // e_0 e_1ᵀ
  Matrix half = random_matrix(n, 3);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = n / 2; j < n; ++j) half[i * n + j] = half[i * n + j - n / 2];
  for (const Matrix& m : {one, half}) {
    const Matrix o = polar_factor(n, m);
    EXPECT_LE(off_orthogonal(n, o), 5e-7);
    expect_best(n, o, m, 2e-6);
  }
  EXPECT_NEAR(polar_factor(n, one)[1], 1, 1e-6);
  // Rows and columns of zeros stay where they are.
  Matrix corner = random_matrix(n, 4);
  for (size_t i = 0; i < n; ++i) corner[i * n + 5] = corner[5 * n + i] = 0;
  EXPECT_NEAR(polar_factor(n, corner)[5 * n + 5], 1, 1e-6);
}

TEST(Polar, FixingOnes) {
  constexpr int64_t n = 33;
  const Matrix m = random_matrix(n, 5);
  const Matrix o = polar_factor_fixing_ones(n, m);
  EXPECT_LE(off_orthogonal(n, o), 1e-6);
  double product = 0;
  for (size_t i = 0; i < o.size(); ++i) product += double{o[i]} * m[i];
  for (size_t i = 0; i < n; ++i) {
    double sum = 0;
    for (size_t j = 0; j < n; ++j) sum += o[i * n + j];
    EXPECT_NEAR(sum, 1, 1e-5);
  }
  // Steps to other such matrices (O times a rotation among vectors with sum 0) do not lead higher.
  Rng rng(6);
  int checked = 0;
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<double> p(n), q(n);
    for (auto* r : {&p, &q}) {
      double mean = 0;
      for (double& v : *r) mean += v = rng.normal();
      for (double& v : *r) v -= mean / n;
    }
    double pp = 0, pq = 0, qq = 0;
    for (size_t i = 0; i < n; ++i) pp += p[i] * p[i];
    for (size_t i = 0; i < n; ++i) p[i] /= std::sqrt(pp), pq += p[i] * q[i];
    for (size_t i = 0; i < n; ++i) q[i] -= pq * p[i], qq += q[i] * q[i];
    for (double& v : q) v /= std::sqrt(qq);
    const double angle = 0.1, c = std::cos(angle) - 1, s = std::sin(angle);
    double other = product;
    for (size_t i = 0; i < n; ++i) {
      double op = 0, oq = 0;
      for (size_t k = 0; k < n; ++k) op += o[i * n + k] * p[k], oq += o[i * n + k] * q[k];
      for (size_t j = 0; j < n; ++j)
        other += m[i * n + j] * (c * (op * p[j] + oq * q[j]) + s * (oq * p[j] - op * q[j]));
    }
    EXPECT_LE(other, product + 1e-5);
    ++checked;
  }
  EXPECT_EQ(checked, 50);
}

TEST(Polar, TheSameBitsOnOneThreadAndTwo) {
  constexpr int64_t n = 200;
  const Matrix m = random_matrix(n, 7);
  set_threads(1);
  const Matrix one = polar_factor(n, m);
  set_threads(2);
  const Matrix two = polar_factor(n, m);
  set_threads(0);
  EXPECT_EQ(one, two);
}

TEST(Polar, WhatIsNoMatrix) {
  testing::expect_error(ErrorKind::bad_value, [] { (void)polar_factor(1, Matrix{NAN}); });
  testing::expect_error(ErrorKind::internal, [] { (void)polar_factor(2, Matrix{1, 2, 3}); });
}

}  // namespace
}  // namespace dws::align
