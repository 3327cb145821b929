// Gradients of composed functions by complex step: the scalar twins run on std::complex<double>, and the
// imaginary part of f(x + ih) / h is the derivative to the last digits, without a difference.
#include <gtest/gtest.h>

#include <complex>

#include "harness.h"
#include "kernels/ref/elementwise.h"
#include "kernels/ref/matmul.h"
#include "kernels/ref/norm.h"
#include "kernels/ref/reduce.h"

namespace dws::test {
namespace {

using Complex = std::complex<double>;
namespace ref = kernels::ref;

template <class N>
using Array = std::vector<N>;

// f with its element `at` of input `i` moved by ih, for all of them.
template <class F>
std::vector<Tensor<double>> complex_step(const std::vector<Tensor<double>>& x, F f) {
  std::vector<Array<Complex>> z;
  for (const auto& t : x) z.emplace_back(t.span().begin(), t.span().end());
  std::vector<Tensor<double>> grads;
  const double h = 1e-100;
  for (size_t i = 0; i < x.size(); ++i) {
    grads.emplace_back(x[i].shape());
    for (size_t j = 0; j < z[i].size(); ++j) {
      z[i][j] += Complex(0, h);
      grads[i][static_cast<int64_t>(j)] = f(z).imag() / h;
      z[i][j] -= Complex(0, h);
    }
  }
  return grads;
}

template <class F>
void expect_gradients(const std::vector<Tensor<double>>& x, const std::vector<Tensor<double>>& want, F loss) {
  Tape<double> tape;
  const auto vars = leaves(tape, x, ~0u);
  tape.backward(loss(vars));
  for (size_t i = 0; i < x.size(); ++i) {
    SCOPED_TRACE("input " + std::to_string(i));
    DWS_EXPECT_NEAR(copy(tape.grad(vars[i])), want[i], 1e-12);
  }
}

TEST(ComplexStep, PerceptronWithLayerNormAndSoftmax) {
  // sum of (softmax(layer_norm(relu(x w + b)) v) * softmax(same)): x (4, 3), w (3, 5), v (5, 2).
  const auto x = draw_normal({{4, 3}, {3, 5}, {5}, {5}, {5}, {5, 2}}, 21);
  const auto f = [](const std::vector<Array<Complex>>& z) {
    Array<Complex> a(20), b(20), mean(4), rstd(4), c(8), p(8);
    ref::matmul(4, 5, 3, z[0].data(), 3, 1, z[1].data(), 5, a.data(), 5, false);
    ref::add_row_vector(4, 5, a.data(), z[2].data(), a.data());
    ref::relu(20, a.data(), a.data());
    ref::layer_norm(4, 5, a.data(), z[3].data(), z[4].data(), Complex(1e-5), b.data(), mean.data(),
                    rstd.data());
    ref::matmul(4, 2, 5, b.data(), 5, 1, z[5].data(), 2, c.data(), 2, false);
    ref::softmax(4, 2, c.data(), p.data());
    Complex sum = 0;
    for (int i = 0; i < 8; ++i) sum += p[static_cast<size_t>(i)] * double(i + 1);
    return sum;
  };
  Tensor<double> weights({2, 4});
  for (int i = 0; i < 8; ++i) weights[i] = i + 1;
  expect_gradients(x, complex_step(x, f), [&](const std::vector<Var<double>>& v) {
    const auto h = ops::layer_norm(ops::relu(ops::linear(v[0], v[1], v[2])), v[3], v[4]);
    const auto p = ops::softmax(ops::linear(h, v[5]));
    const auto seed = v[0].tape().constant(weights.view());
    return sum_of(ops::matmul(ops::reshape(p, {1, 8}), ops::reshape(seed, {8, 1})));
  });
}

TEST(ComplexStep, WeightMatrixLayerWithPooling) {
  // One network, matrix (3, 4) of 2 features: update with its own row and column pools, then all of it
  // pooled.
  const auto x = draw_normal({{1, 3, 4, 2}, {2, 2}, {2, 3}}, 22);
  for (const auto kind : {ops::Reduction::max, ops::Reduction::mean, ops::Reduction::sum}) {
    const auto reduce = static_cast<kernels::Reduce>(kind);
    const auto f = [&](const std::vector<Array<Complex>>& z) {
      Array<Complex> row(6), col(8), all(2), y(24), top(2), out(3);
      int32_t index[24];
      ref::pool_matrix(3, 4, 2, reduce, z[0].data(), row.data(), col.data(), all.data(), index, index + 6,
                       index + 14);
      ref::matrix_update(3, 4, 2, 2, z[0].data(), z[1].data(), row.data(), col.data(), y.data());
      ref::reduce(1, 12, 2, reduce, y.data(), top.data(), index);
      ref::matmul(1, 3, 2, top.data(), 2, 1, z[2].data(), 3, out.data(), 3, false);
      Array<Complex> p(3);
      ref::softmax(1, 3, out.data(), p.data());
      return -std::log(p[1]);
    };
    const double target[] = {0, 1, 0};
    expect_gradients(x, complex_step(x, f), [&](const std::vector<Var<double>>& v) {
      const auto pooled = ops::pool_matrix(v[0], kind);
      const auto y = ops::matrix_update(v[0], v[1], pooled.row, pooled.col);
      const auto logits = ops::linear(ops::pool_matrix(y, kind).all, v[2]);
      return ops::cross_entropy<double>(logits, {target, {1, 3}}, 1.0);
    });
  }
}

}  // namespace
}  // namespace dws::test
