// What ops compute, by index formulas, and what they refuse.
#include "autograd/ops.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "harness.h"

namespace dws::test {
namespace {

// x, its shape and reading by indices; everything lives as long as the fixture.
class Ops : public testing::Test {
 protected:
  Var<double> make(const Shape& shape) {
    kept_.push_back(std::move(draw_normal({shape}, ++seed_)[0]));
    return tape.input(kept_.back().view());
  }
  static double at(Var<double> v, std::initializer_list<int64_t> index) {
    int64_t flat = 0;
    int axis = 0;
    for (const int64_t i : index) flat = flat * v.shape()[axis++] + i;
    return v.data()[flat];
  }
  Tape<double> tape;

 private:
  std::vector<Tensor<double>> kept_;  // moved tensors keep their memory
  uint64_t seed_ = 0;
};

TEST_F(Ops, LinearIsASumOverFeatures) {
  const auto x = make({2, 3, 4}), w = make({4, 5}), b = make({5});
  const auto y = ops::linear(x, w, b);
  ASSERT_EQ(y.shape(), (Shape{2, 3, 5}));
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int g = 0; g < 5; ++g) {
        double want = at(b, {g});
        for (int f = 0; f < 4; ++f) want += at(x, {i, j, f}) * at(w, {f, g});
        EXPECT_NEAR(at(y, {i, j, g}), want, 1e-14);
      }
}

TEST_F(Ops, MatmulReadsTransposedOperands) {
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      const auto a = make(ta ? Shape{2, 4, 3} : Shape{2, 3, 4}),
                 b = make(tb ? Shape{2, 5, 4} : Shape{2, 4, 5});
      const auto y = ops::matmul(a, b, ta, tb);
      ASSERT_EQ(y.shape(), (Shape{2, 3, 5}));
      for (int i = 0; i < 2; ++i)
        for (int m = 0; m < 3; ++m)
          for (int n = 0; n < 5; ++n) {
            double want = 0;
            for (int k = 0; k < 4; ++k)
              want += (ta ? at(a, {i, k, m}) : at(a, {i, m, k})) * (tb ? at(b, {i, n, k}) : at(b, {i, k, n}));
            EXPECT_NEAR(at(y, {i, m, n}), want, 1e-14);
          }
    }
}

TEST_F(Ops, BroadcastsAddWhereTheyShould) {
  const auto x = make({2, 3, 4, 5}), row = make({2, 3, 5}), col = make({2, 4, 5}), all = make({2, 5}),
             v = make({5});
  const auto rows = ops::add_rows(x, row), cols = ops::add_cols(x, col), global = ops::add_global(x, all),
             bias = ops::add_bias(x, v);
  for (int b = 0; b < 2; ++b)
    for (int r = 0; r < 3; ++r)
      for (int c = 0; c < 4; ++c)
        for (int g = 0; g < 5; ++g) {
          const double base = at(x, {b, r, c, g});
          EXPECT_EQ(at(rows, {b, r, c, g}), base + at(row, {b, r, g}));
          EXPECT_EQ(at(cols, {b, r, c, g}), base + at(col, {b, c, g}));
          EXPECT_EQ(at(global, {b, r, c, g}), base + at(all, {b, g}));
          EXPECT_EQ(at(bias, {b, r, c, g}), base + at(v, {g}));
        }
}

TEST_F(Ops, ShapesMoveNumbersUnchanged) {
  const auto x = make({2, 3, 4, 5}), y = make({2, 3, 4, 2});
  const auto swapped = ops::transpose(x, 1, -2), outer = ops::transpose(x, 3, 0), part = ops::slice(x, 1, 3);
  const Var<double> parts[] = {x, y};
  const auto joined = ops::concat<double>(parts);
  ASSERT_EQ(swapped.shape(), (Shape{2, 4, 3, 5}));
  ASSERT_EQ(outer.shape(), (Shape{5, 3, 4, 2}));
  ASSERT_EQ(part.shape(), (Shape{2, 3, 4, 3}));
  ASSERT_EQ(joined.shape(), (Shape{2, 3, 4, 7}));
  for (int a = 0; a < 2; ++a)
    for (int b = 0; b < 3; ++b)
      for (int c = 0; c < 4; ++c)
        for (int d = 0; d < 5; ++d) {
          const double v = at(x, {a, b, c, d});
          EXPECT_EQ(at(swapped, {a, c, b, d}), v);
          EXPECT_EQ(at(outer, {d, b, c, a}), v);
          EXPECT_EQ(at(joined, {a, b, c, d}), v);
          if (d >= 1 && d < 4) {
            EXPECT_EQ(at(part, {a, b, c, d - 1}), v);
          }
          if (d < 2) {
            EXPECT_EQ(at(joined, {a, b, c, 5 + d}), at(y, {a, b, c, d}));
          }
        }
}

TEST_F(Ops, ReductionsDropTheirAxis) {
  const auto x = make({2, 3, 4});
  const auto top = ops::reduce(x, 1, ops::Reduction::max), mean = ops::reduce(x, -1, ops::Reduction::mean),
             sum = ops::reduce(x, 0, ops::Reduction::sum);
  ASSERT_EQ(top.shape(), (Shape{2, 4}));
  ASSERT_EQ(mean.shape(), (Shape{2, 3}));
  ASSERT_EQ(sum.shape(), (Shape{3, 4}));
  for (int a = 0; a < 2; ++a)
    for (int b = 0; b < 3; ++b)
      for (int c = 0; c < 4; ++c) {
        EXPECT_EQ(at(top, {a, c}), std::max({at(x, {a, 0, c}), at(x, {a, 1, c}), at(x, {a, 2, c})}));
        EXPECT_NEAR(at(sum, {b, c}), at(x, {0, b, c}) + at(x, {1, b, c}), 1e-15);
        double row = 0;
        for (int k = 0; k < 4; ++k) row += at(x, {a, b, k}) / 4;
        EXPECT_NEAR(at(mean, {a, b}), row, 1e-15);
      }
}

TEST_F(Ops, AMaximumSendsItsGradientToTheFirstOfEquals) {
  const Tensor<double> flat({1, 2, 3, 1});
  const auto x = tape.input(flat.view());
  const auto y = ops::pool_matrix(x, ops::Reduction::max);
  tape.backward(sum_of(y.all));
  EXPECT_EQ(tape.grad(x).data[0], 1.0);
  for (int i = 1; i < 6; ++i) EXPECT_EQ(tape.grad(x).data[i], 0.0);
}

TEST_F(Ops, BatchNormGivesItsStatistics) {
  // Four columns on two channels: 0, 1, 0, 1.
  tape.set_training(true);
  const auto x = make({3, 4}), gamma = make({2}), beta = make({2});
  const int channel[] = {0, 1, 0, 1};
  double mean[2], var[2];
  ops::BatchNormState<double> state{.channel_of = channel, .batch_mean = mean, .batch_var = var};
  const auto y = ops::batch_norm(x, gamma, beta, state);
  for (int k = 0; k < 2; ++k) {
    double m = 0, squares = 0;
    for (int r = 0; r < 3; ++r) m += (at(x, {r, k}) + at(x, {r, k + 2})) / 6;
    for (int r = 0; r < 3; ++r)
      for (int c = k; c < 4; c += 2) squares += (at(x, {r, c}) - m) * (at(x, {r, c}) - m);
    EXPECT_NEAR(mean[k], m, 1e-15);
    EXPECT_NEAR(var[k], squares / 5, 1e-14);
    for (int r = 0; r < 3; ++r)
      for (int c = k; c < 4; c += 2)
        EXPECT_NEAR(at(y, {r, c}),
                    (at(x, {r, c}) - m) / std::sqrt(squares / 6 + 1e-5) * at(gamma, {k}) + at(beta, {k}),
                    1e-12);
  }
}

TEST_F(Ops, BatchNormOfOneRowGivesBeta) {
  tape.set_training(true);
  const auto x = make({1, 3}), gamma = make({3}), beta = make({3});
  const int channel[] = {0, 1, 2};
  double var[3] = {9, 9, 9};
  ops::BatchNormState<double> state{.channel_of = channel, .batch_var = var};
  const auto y = ops::batch_norm(x, gamma, beta, state);
  for (int k = 0; k < 3; ++k) {
    EXPECT_NEAR(at(y, {0, k}), at(beta, {k}), 1e-12);
    EXPECT_EQ(var[k], 0.0);
  }
  tape.backward(sum_of(ops::relu(y)));
  for (const double g : tape.grad(x).span()) EXPECT_NEAR(g, 0.0, 1e-9);
}

TEST_F(Ops, BatchNormKeepsItsFootingFarFromZero) {
  // Values of 1e4 +- 1: squares in float would lose the variance.
  Tape<float> narrow;
  narrow.set_training(true);
  Tensor<float> x({1000, 1}), one({1}), zero({1});
  one[0] = 1;
  for (int i = 0; i < 1000; ++i) x[i] = 1e4f + static_cast<float>(i % 2 ? 1 : -1);
  const int channel[] = {0};
  float mean = 0, var = 0;
  ops::BatchNormState<float> state{.channel_of = channel, .batch_mean = &mean, .batch_var = &var};
  ops::batch_norm(narrow.constant(x.view()), narrow.constant(one.view()), narrow.constant(zero.view()),
                  state);
  EXPECT_EQ(mean, 1e4f);
  EXPECT_NEAR(var, 1000.0f / 999, 1e-5);
}

TEST_F(Ops, CrossEntropyStaysFiniteForHugeLogits) {
  const double values[] = {1e4, -1e4, 0, -1e4, 1e4, 0}, hot[] = {1, 0, 0, 1, 0, 0};
  const auto z = tape.input({values, {2, 3}});
  const auto y = ops::cross_entropy<double>(z, {hot, {2, 3}}, 0.5);
  EXPECT_EQ(*y.data(), 0.5 * 2e4);
  tape.backward(y);
  const double want[] = {0, 0, 0, -0.5, 0.5, 0};
  for (int i = 0; i < 6; ++i) EXPECT_NEAR(tape.grad(z).data[i], want[i], 1e-15);
}

TEST_F(Ops, NanReachesTheLoss) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), hot[] = {0, 1, 0};
  for (int where = 0; where < 3; ++where) {
    double values[] = {1, 2, 3};
    values[where] = nan;
    EXPECT_TRUE(
        std::isnan(*ops::cross_entropy<double>(tape.input({values, {1, 3}}), {hot, {1, 3}}, 1.0).data()));
  }
}

// The message of the Error{kind} that f throws; "" when it throws none.
template <class F>
std::string refusal(F f, ErrorKind kind = ErrorKind::mismatch) {
  try {
    f();
  } catch (const Error& e) {
    return e.kind() == kind ? e.what() : std::string("another kind: ") + e.what();
  }
  return "";
}

TEST_F(Ops, RefuseShapesThatDoNotFit) {
  const auto a = make({2, 3}), b = make({4, 5}), v = make({3}), m = make({2, 3, 4, 5}), empty = make({2, 0});
  const int two[] = {0, 1}, five[] = {0, 0, 1, 2, 7};
  const auto says = [](const std::string& message, const std::string& op, const std::string& shape) {
    EXPECT_EQ(message.rfind(op + ":", 0), 0u) << message;
    EXPECT_NE(message.find(shape), std::string::npos) << message;
  };
  says(refusal([&] { ops::linear(a, b); }), "linear", "(2, 3), (4, 5)");
  says(refusal([&] { ops::linear(m, make({5, 2}), v); }), "linear", "(3,)");
  says(refusal([&] {
         ops::matrix_update(m, make({5, 2}), make({2, 3, 2}), make({2, 3, 2}));
       }),
       "matrix_update", "(2, 3, 4, 5), (5, 2), (2, 3, 2), (2, 3, 2)");
  says(refusal([&] { ops::matrix_update_fallback(a, a, a, a); }), "matrix_update", "(2, 3)");
  says(refusal([&] { ops::matmul(a, a); }), "matmul", "(2, 3), (2, 3)");
  says(refusal([&] { ops::matmul(a, m); }), "matmul", "(2, 3, 4, 5)");
  says(refusal([&] { ops::add(a, b); }), "add", "(2, 3), (4, 5)");
  says(refusal([&] { ops::reshape(a, {7}); }), "reshape", "(7,)");
  says(refusal([&] { ops::concat<double>(std::vector<Var<double>>{a, b}); }), "concat", "(2, 3), (4, 5)");
  says(refusal([&] { ops::concat<double>({}); }), "concat", "no arguments");
  says(refusal([&] { ops::slice(a, 2, 2); }), "slice", "(2, 3)");
  says(refusal([&] { ops::slice(a, -1, 2); }), "slice", "(2, 3)");
  says(refusal([&] { ops::transpose(a, 0, 2); }), "transpose", "(2, 3)");
  says(refusal([&] { ops::add_bias(a, make({2})); }), "add_bias", "(2,)");
  says(refusal([&] { ops::add_global(m, a); }), "add_global", "(2, 3)");
  says(refusal([&] { ops::add_rows(m, make({2, 4, 5})); }), "add_rows", "(2, 4, 5)");
  says(refusal([&] { ops::add_cols(m, make({2, 3, 5})); }), "add_cols", "(2, 3, 5)");
  says(refusal([&] { ops::reduce(a, 2, ops::Reduction::sum); }), "reduce", "(2, 3)");
  says(refusal([&] { ops::reduce(empty, 1, ops::Reduction::max); }), "reduce", "(2, 0)");
  says(refusal([&] { ops::pool_matrix(a, ops::Reduction::max); }), "pool_matrix", "(2, 3)");
  says(refusal([&] { ops::layer_norm(a, v, make({2})); }), "layer_norm", "(2,)");
  says(refusal([&] { ops::cross_entropy<double>(a, b.view(), 1.0); }), "cross_entropy", "(4, 5)");
  ops::BatchNormState<double> state{.channel_of = two};
  says(refusal([&] { ops::batch_norm(a, v, v, state); }), "batch_norm", "(2, 3), (3,), (3,), (2,)");
  state.channel_of = five;
  says(refusal([&] { ops::norm_relu_dropout(m, v, v, state, 0.0); }), "norm_relu_dropout", "channel 7");
  state.channel_of = std::span(five, 3);
  says(refusal([&] { ops::batch_norm(a, v, v, state); }), "batch_norm", "running statistics");
  says(refusal([&] { ops::dropout(a, 1.0); }, ErrorKind::bad_value), "dropout", "1");
  says(refusal([&] { tape.backward(a); }), "backward", "(2, 3)");
  EXPECT_EQ(tape.node_count(), 0);
}

TEST_F(Ops, RefuseForeignAndEmptyVariables) {
  Tape<double> other;
  const auto a = make({2, 3});
  const Tensor<double> x({2, 3});
  EXPECT_NE(refusal([&] { ops::add(a, Var<double>()); }, ErrorKind::internal).find("add"), std::string::npos);
  EXPECT_NE(refusal([&] { ops::add(a, other.input(x.view())); }, ErrorKind::internal).find("add"),
            std::string::npos);
  EXPECT_NE(refusal([&] { tape.grad(ops::relu(a)); }, ErrorKind::internal), "");
}

TEST_F(Ops, TakeNoNetworksAtAll) {
  // An empty batch is legal wherever no axis is reduced away.
  const auto x = make({0, 3, 4, 5}), w = make({5, 2}), row = make({0, 3, 2}), col = make({0, 4, 2});
  const auto y = ops::matrix_update(x, w, row, col);
  const auto pooled = ops::pool_matrix(ops::relu(y), ops::Reduction::max);
  const Var<double> roots[] = {ops::softmax(pooled.all)};
  const View<const double> seeds[] = {roots[0].view()};
  tape.backward(roots, seeds);
  EXPECT_EQ(roots[0].shape(), (Shape{0, 2}));
  for (const double g : tape.grad(w).span()) EXPECT_EQ(g, 0.0);
}

}  // namespace
}  // namespace dws::test
