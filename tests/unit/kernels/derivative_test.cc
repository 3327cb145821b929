// The backward of every twin against the complex step of its forward (1e-12), and <dy, J v> = <J^T dy, v> for
// the float kernels at sizes the complex step would be slow for.
#include <algorithm>

#include "core/text.h"
#include "harness.h"
#include "kernels/elementwise.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/ref/elementwise.h"
#include "kernels/ref/matmul.h"
#include "kernels/ref/norm.h"
#include "kernels/ref/reduce.h"

namespace dws::kernels {
namespace {

using Doubles = std::vector<double>;
constexpr double kExact = 1e-12;

Doubles sized(int64_t n) {
  return Doubles(static_cast<size_t>(n));
}
std::vector<Complex> complex_of(const Doubles& x) {
  return {x.begin(), x.end()};
}

TEST(Derivative, Relu) {
  const auto x = random_values(20, 1), dy = random_values(20, 2);
  Doubles y(20), dx(20);
  ref::relu(20, x.data(), y.data());
  ref::relu_backward(20, y.data(), dy.data(), dx.data(), false);
  expect_close("relu", dx, complex_step(x, dy, [](auto* in, auto* out) { ref::relu(20, in, out); }), kExact);
}

TEST(Derivative, DropoutIsItsOwnBackward) {
  const auto x = random_values(20, 1), dy = random_values(20, 2);
  Doubles dx(20);
  ref::dropout(20, 0.4, 3, 4, dy.data(), dx.data(), false);
  expect_close("dropout", dx,
               complex_step(x, dy, [](auto* in, auto* out) { ref::dropout(20, 0.4, 3, 4, in, out, false); }),
               kExact);
}

TEST(Derivative, Softmax) {
  const auto x = random_values(15, 1), dy = random_values(15, 2);
  Doubles y(15), dx(15);
  ref::softmax(3, 5, x.data(), y.data());
  ref::softmax_backward(3, 5, y.data(), dy.data(), dx.data(), false);
  expect_close("softmax", dx, complex_step(x, dy, [](auto* in, auto* out) { ref::softmax(3, 5, in, out); }),
               kExact);
}

TEST(Derivative, RowVectorAndColumnSumsAreAdjoint) {
  const auto v = random_values(5, 1), dy = random_values(15, 2), x = random_values(15, 3);
  Doubles dv(5);
  ref::column_sums(3, 5, dy.data(), dv.data(), false);
  const auto fixed = complex_of(x);
  expect_close(
      "add_row_vector", dv,
      complex_step(v, dy, [&](auto* in, auto* out) { ref::add_row_vector(3, 5, fixed.data(), in, out); }),
      kExact);
}

TEST(Derivative, MatrixUpdate) {
  const int64_t R = 3, C = 4, F = 2, G = 5;
  const auto x = random_values(R * C * F, 1), w = random_values(F * G, 2), row = random_values(R * G, 3),
             col = random_values(C * G, 4), dy = random_values(R * C * G, 5);
  const auto cx = complex_of(x), cw = complex_of(w), crow = complex_of(row), ccol = complex_of(col);
  Doubles drow = sized(R * G), dcol = sized(C * G), dx = sized(R * C * F), dw = sized(F * G),
          wt = sized(F * G);
  ref::matrix_update_sums(R, C, G, dy.data(), drow.data(), false, dcol.data(), false);
  ref::transpose(F, G, w.data(), wt.data());
  ref::matmul(R * C, F, G, dy.data(), G, int64_t{1}, wt.data(), F, dx.data(), F, false);
  ref::matmul(F, G, R * C, x.data(), int64_t{1}, F, dy.data(), G, dw.data(), G, false);
  const auto update = [&](const Complex* px, const Complex* pw, const Complex* prow, const Complex* pcol,
                          Complex* y) { ref::matrix_update(R, C, F, G, px, pw, prow, pcol, y); };
  const auto *a = cx.data(), *b = cw.data(), *c = crow.data(), *d = ccol.data();
  expect_close("row", drow, complex_step(row, dy, [&](auto* in, auto* y) { update(a, b, in, d, y); }),
               kExact);
  expect_close("col", dcol, complex_step(col, dy, [&](auto* in, auto* y) { update(a, b, c, in, y); }),
               kExact);
  expect_close("x", dx, complex_step(x, dy, [&](auto* in, auto* y) { update(in, b, c, d, y); }), kExact);
  expect_close("w", dw, complex_step(w, dy, [&](auto* in, auto* y) { update(a, in, c, d, y); }), kExact);
}

TEST(Derivative, Reduce) {
  const int64_t outer = 2, N = 5, inner = 3;
  for (Reduce kind : {Reduce::max, Reduce::mean, Reduce::sum}) {
    const auto x = random_values(outer * N * inner, 1), dy = random_values(outer * inner, 2);
    Doubles y = sized(outer * inner), dx = sized(outer * N * inner);
    std::vector<int32_t> index(y.size());
    ref::reduce(outer, N, inner, kind, x.data(), y.data(), index.data());
    ref::reduce_backward(outer, N, inner, kind, dy.data(), index.data(), dx.data(), false);
    std::vector<int32_t> scratch(y.size());
    expect_close(
        "reduce", dx,
        complex_step(
            x, dy, [&](auto* in, auto* out) { ref::reduce(outer, N, inner, kind, in, out, scratch.data()); }),
        kExact);
  }
}

TEST(Derivative, PoolMatrix) {
  const int64_t R = 3, C = 4, F = 2;
  for (Reduce kind : {Reduce::max, Reduce::mean, Reduce::sum}) {
    const auto x = random_values(R * C * F, 1), dy = random_values((R + C + 1) * F, 2);
    Doubles y = sized((R + C + 1) * F), dx = sized(R * C * F);
    std::vector<int32_t> index(y.size());
    const auto pool = [&](const auto* in, auto* out) {
      ref::pool_matrix(R, C, F, kind, in, out, out + R * F, out + (R + C) * F, index.data(),
                       index.data() + R * F, index.data() + (R + C) * F);
    };
    pool(x.data(), y.data());
    ref::pool_matrix_backward(R, C, F, kind, dy.data(), dy.data() + R * F, dy.data() + (R + C) * F,
                              index.data(), index.data() + R * F, index.data() + (R + C) * F, dx.data(),
                              false);
    expect_close("pool", dx, complex_step(x, dy, [&](auto* in, auto* out) { pool(in, out); }), kExact);
  }
}

TEST(Derivative, BatchNormBehindRelu) {
  // y = relu((x - mean) / sqrt(var + eps) * gamma + beta) put together from the kernels, mean and var over
  // the rows.
  const int64_t rows = 7, C = 3;
  const double eps = 1e-5, m = static_cast<double>(rows);
  const auto x = random_values(rows * C, 1), gamma = random_values(C, 2), beta = random_values(C, 3),
             dy = random_values(rows * C, 4);
  const Doubles shift(static_cast<size_t>(C), 0.25);
  const auto forward = [&]<class T>(const T* in, T* out, T* mean, T* rstd) {
    const std::vector<T> s(shift.begin(), shift.end());
    std::vector<T> sum(s.size()), square(s.size()), a(s.size()), b(s.size());
    ref::column_moments(rows, C, in, s.data(), sum.data(), square.data());
    for (size_t c = 0; c < s.size(); ++c) {
      const T offset = sum[c] / m;
      mean[c] = s[c] + offset;
      rstd[c] = T(1) / std::sqrt(square[c] / m - offset * offset + eps);
      a[c] = gamma[c] * rstd[c];
      b[c] = beta[c] - mean[c] * a[c];
    }
    ref::affine(rows, C, in, a.data(), b.data(), true, out);
  };
  Doubles y = sized(rows * C), mean = sized(C), rstd = sized(C), sum_dy = sized(C), sum_dy_x = sized(C),
          p = sized(C), q = sized(C), r = sized(C), dx = sized(rows * C);
  forward(x.data(), y.data(), mean.data(), rstd.data());
  ref::affine_backward_sums(rows, C, x.data(), mean.data(), y.data(), dy.data(), sum_dy.data(),
                            sum_dy_x.data());
  for (size_t c = 0; c < p.size(); ++c) {
    p[c] = gamma[c] * rstd[c];
    q[c] = -p[c] * rstd[c] * rstd[c] * sum_dy_x[c] / m;
    r[c] = -p[c] * sum_dy[c] / m - q[c] * mean[c];
  }
  ref::affine_backward(rows, C, x.data(), y.data(), dy.data(), p.data(), q.data(), r.data(), dx.data(),
                       false);
  std::vector<Complex> cmean(p.size()), crstd(p.size());
  expect_close("batch norm", dx,
               complex_step(x, dy,
                            [&](auto* in, auto* out) {
                              forward(static_cast<const Complex*>(in), out, cmean.data(), crstd.data());
                            }),
               kExact);
}

TEST(Derivative, LayerNorm) {
  const int64_t rows = 3, C = 5;
  const auto x = random_values(rows * C, 1), gamma = random_values(C, 2), beta = random_values(C, 3),
             dy = random_values(rows * C, 4);
  const auto cx = complex_of(x), cgamma = complex_of(gamma), cbeta = complex_of(beta);
  Doubles y = sized(rows * C), mean = sized(rows), rstd = sized(rows), dx = sized(rows * C),
          dgamma = sized(C), dbeta = sized(C);
  ref::layer_norm(rows, C, x.data(), gamma.data(), beta.data(), 1e-5, y.data(), mean.data(), rstd.data());
  ref::layer_norm_backward(rows, C, x.data(), gamma.data(), mean.data(), rstd.data(), dy.data(), dx.data(),
                           false, dgamma.data(), dbeta.data());
  std::vector<Complex> m(mean.size()), s(mean.size());
  const auto norm = [&](const Complex* px, const Complex* pg, const Complex* pb, Complex* out) {
    ref::layer_norm(rows, C, px, pg, pb, Complex(1e-5), out, m.data(), s.data());
  };
  const auto *a = cx.data(), *b = cgamma.data(), *c = cbeta.data();
  expect_close("x", dx, complex_step(x, dy, [&](auto* in, auto* out) { norm(in, b, c, out); }), kExact);
  expect_close("gamma", dgamma, complex_step(gamma, dy, [&](auto* in, auto* out) { norm(a, in, c, out); }),
               kExact);
  expect_close("beta", dbeta, complex_step(beta, dy, [&](auto* in, auto* out) { norm(a, b, in, out); }),
               kExact);
}

double product_sum(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}
std::vector<float> floats(int64_t n, uint64_t seed) {
  const auto values = random_values(n, seed);
  return {values.begin(), values.end()};
}
void expect_adjoint(const std::string& what, double forward, double backward, size_t terms) {
  const double bound = 16 * kEps * std::sqrt(static_cast<double>(terms)) * (1 + std::abs(forward));
  EXPECT_TRUE(terms > 0 && std::abs(forward - backward) <= bound)
      << what << ": " << forward << " " << backward;
}

TEST(Adjoint, LinearKernelsOfEveryInstructionSet) {
  const int64_t R = 19, C = 23, F = 33, G = 21;
  for (Isa isa : available_isas()) {
    set_isa(isa);
    const auto x = floats(R * C * F, 1), w = floats(F * G, 2), row = floats(R * G, 3), col = floats(C * G, 4);
    const auto dy = floats(R * C * G, 5);
    std::vector<float> y(dy.size()), drow(row.size()), dcol(col.size()), dx(x.size()), dw(w.size()),
        wt(w.size());
    matrix_update<float>(R, C, F, G, x.data(), w.data(), row.data(), col.data(), y.data());
    matrix_update_sums<float>(R, C, G, dy.data(), drow.data(), false, dcol.data(), false);
    transpose<float>(F, G, w.data(), wt.data());
    matmul<float>(R * C, F, G, dy.data(), G, 1, wt.data(), F, dx.data(), F, false);
    matmul<float>(F, G, R * C, x.data(), 1, F, dy.data(), G, dw.data(), G, false);
    const std::string name = to_string(isa);
    const double rest = product_sum(drow, row) + product_sum(dcol, col);
    expect_adjoint(name + " update, x", product_sum(dy, y), product_sum(dx, x) + rest, y.size() * 33);
    expect_adjoint(name + " update, w", product_sum(dy, y), product_sum(dw, w) + rest, y.size() * 33);
    for (Reduce kind : {Reduce::mean, Reduce::sum}) {
      std::vector<float> prow(static_cast<size_t>(R * F)), pcol(static_cast<size_t>(C * F)),
          pall(static_cast<size_t>(F));
      const auto grow = floats(R * F, 6), gcol = floats(C * F, 7), gall = floats(F, 8);
      pool_matrix<float>(R, C, F, kind, x.data(), prow.data(), pcol.data(), pall.data(), nullptr, nullptr,
                         nullptr);
      pool_matrix_backward<float>(R, C, F, kind, grow.data(), gcol.data(), gall.data(), nullptr, nullptr,
                                  nullptr, dx.data(), false);
      expect_adjoint(name + " pool",
                     product_sum(grow, prow) + product_sum(gcol, pcol) + product_sum(gall, pall),
                     product_sum(dx, x), x.size());
    }
  }
  set_isa(best_isa());
}

}  // namespace
}  // namespace dws::kernels
