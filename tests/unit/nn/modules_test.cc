// The small modules that layers are made of, against plain loops.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "nn/attention.h"
#include "nn/block_linear.h"
#include "nn/norm.h"
#include "nn/pooling.h"
#include "nn/reduction.h"
#include "space_case.h"
#include "testing.h"

namespace dws::nn {
namespace {

using namespace dws::nn::testing;
using dws::testing::throws_error;

void randomise(ParamSet<double>& params, uint64_t seed) {
  Rng rng(seed);
  for (double& v : params.values().span()) v = rng.normal();
}

View<const double> view(const std::vector<double>& x, const Shape& shape) {
  return {x.data(), shape};
}

TEST(Features, FoldAndUnfoldAreInverse) {
  for (const auto& dims : {std::vector<int64_t>{2, 5, 4, 3}, {3, 2}, {2, 4, 3}, {1, 2, 3, 4, 5}}) {
    const auto space = weights::WeightSpace::mlp(dims);
    const auto x = random_numbers(3 * space.param_count() * 2, 1);
    Tape<double> tape;
    const auto f = fold(tape, space, view(x, Shape{3, space.param_count() * 2}), 2);
    const auto back = unfold(space, f);
    EXPECT_EQ(std::vector<double>(back.data(), back.data() + back.size()), x);
  }
  // Columns of V are index-major: free index, then channel.
  const auto space = weights::WeightSpace::mlp({2, 3, 1});
  std::vector<double> x(size_t(space.param_count() * 2));
  std::iota(x.begin(), x.end(), 0.0);
  Tape<double> tape;
  const auto f = fold(tape, space, view(x, Shape{1, space.param_count() * 2}), 2);
  const std::vector<double> first(f.axis[0].data(), f.axis[0].data() + 8);
  EXPECT_EQ(first, (std::vector<double>{0, 1, 2, 3, 12, 13, 18, 19}));
}

// Sources of widths 2, 1, 3 and targets of widths 1, 2: W as one matrix with zeros where the mask forbids.
TEST(BlockLinear, EqualsOneMatrixWithZeros) {
  const std::vector<int64_t> in = {2, 1, 3}, out = {1, 2, 2};
  const std::vector<BlockMask> masks = {{},
                                        [](int s, int t) { return s != 1 || t != 12; },
                                        [](int s, int t) { return s + 10 == t; },
                                        [](int s, int t) { return t != 11 && s != 2; },
                                        [](int, int) { return false; }};
  const auto x = random_numbers(4 * 6, 3);
  for (size_t i = 0; i < masks.size(); ++i)
    for (bool bias : {false, true}) {
      ParamSet<double> params;
      std::vector<BlockLinear<double>::Field> sources, targets;
      for (int s = 0; s < 3; ++s) sources.push_back({s, in[size_t(s)]});
      for (int t = 0; t < 3; ++t) targets.push_back({10 + t, out[size_t(t)]});
      const BlockLinear<double> map(params, "map", sources, targets, masks[i], bias);
      params.freeze();
      randomise(params, 5);
      int64_t count = bias ? 5 : 0;
      std::vector<double> w(6 * 5, 0.0), b(5, 0.0);
      for (int s = 0, row = 0; s < 3; row += int(in[size_t(s++)]))
        for (int t = 0, column = 0; t < 3; column += int(out[size_t(t++)]))
          for (int64_t r = 0; r < in[size_t(s)]; ++r)
            for (int64_t c = 0; c < out[size_t(t)]; ++c) {
              const int64_t place = map.weight_place(params, s, r, 10 + t, c);
              EXPECT_EQ(place >= 0, !masks[i] || masks[i](s, 10 + t));
              if (place < 0) continue;
              w[size_t((row + r) * 5 + column + c)] = params.values().data[place];
              ++count;
            }
      for (int t = 0, column = 0; t < 3; column += int(out[size_t(t++)]))
        for (int64_t c = 0; c < out[size_t(t)]; ++c)
          if (bias) b[size_t(column + c)] = params.values().data[map.bias_place(params, 10 + t, c)];
      EXPECT_EQ(params.size(), count);
      std::vector<double> expected;
      for (int64_t n = 0; n < 4; ++n)
        for (int64_t c = 0; c < 5; ++c) {
          double sum = b[size_t(c)];
          for (int64_t r = 0; r < 6; ++r) sum += x[size_t(n * 6 + r)] * w[size_t(r * 5 + c)];
          expected.push_back(sum + 1);  // + 1: `difference` needs a scale where all is zero
        }
      Tape<double> tape;
      const Var<double> y = map.forward(tape, params, tape.input(view(x, Shape{2, 2, 6})));
      EXPECT_EQ(y.shape(), (Shape{2, 2, 5}));
      std::vector<double> got(y.data(), y.data() + 20);
      for (double& v : got) v += 1;
      EXPECT_LE(difference(got, expected), 1e-14) << "mask " << i;
    }
}

TEST(SetAttention, EqualsTheFormula) {
  const int64_t items = 4, in = 3, width = 6, heads = 2, e = width / heads;
  ParamSet<double> params;
  const SetAttention<double> attention(params, "a", in, width, heads);
  params.freeze();
  randomise(params, 2);
  const auto x = random_numbers(2 * items * in, 4);
  Tape<double> tape;
  const Var<double> y = attention.forward(tape, params, tape.input(view(x, Shape{2, items, in})));
  const auto apply = [&](const Linear<double>& map, const double* row) {
    std::vector<double> result(static_cast<size_t>(map.out()));
    for (int64_t c = 0; c < map.out(); ++c) {
      result[size_t(c)] = params.value(map.bias()).data[c];
      for (int64_t r = 0; r < map.in(); ++r)
        result[size_t(c)] += row[r] * params.value(map.weight()).data[r * map.out() + c];
    }
    return result;
  };
  std::vector<double> expected;
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t n = 0; n < items; ++n) {
      const double* rows = x.data() + b * items * in;
      std::vector<double> o = apply(attention.q(), rows + n * in);
      const std::vector<double> q = o;
      for (int64_t h = 0; h < heads; ++h) {
        std::vector<double> score(size_t(items), 0.0);
        double sum = 0;
        for (int64_t m = 0; m < items; ++m) {
          const auto k = apply(attention.k(), rows + m * in);
          for (int64_t c = h * e; c < (h + 1) * e; ++c) score[size_t(m)] += q[size_t(c)] * k[size_t(c)];
          sum += score[size_t(m)] = std::exp(score[size_t(m)] / std::sqrt(double(width)));
        }
        for (int64_t m = 0; m < items; ++m) {
          const auto v = apply(attention.v(), rows + m * in);
          for (int64_t c = h * e; c < (h + 1) * e; ++c) o[size_t(c)] += score[size_t(m)] / sum * v[size_t(c)];
        }
      }
      const auto f = apply(attention.o(), o.data());
      for (size_t c = 0; c < o.size(); ++c) expected.push_back(o[c] + std::max(f[c], 0.0));
    }
  EXPECT_LE(difference({y.data(), size_t(y.shape().size())}, expected), 1e-13);
  ParamSet<double> other;
  EXPECT_TRUE(throws_error(
      ErrorKind::usage, [&] { SetAttention<double>(other, "a", 3, 6, 4); }, "4 attention heads"));
}

// Statistics of each tensor and channel over batch, neurons and free indices together.
TEST(Activation, BatchNormSharesStatisticsOverFreeIndices) {
  const auto space = weights::WeightSpace::mlp({2, 4, 3, 2});
  const int64_t channels = 3, p = space.param_count(), batch = 5;
  ParamSet<double> params;
  const Activation<double> activation(params, "norm", space, channels, Norm::batch, 0);
  params.freeze();
  activation.init(params);
  randomise(params, 8);
  std::vector<double> x = random_numbers(batch * p * channels, 9), stats(size_t(params.buffer_size()), NAN);
  for (size_t i = 0; i < x.size(); ++i) x[i] += double(i % 7);
  Tape<double> tape;
  tape.set_training(true);
  const auto y = activation.forward(
      tape, params, fold(tape, space, view(x, Shape{batch, p * channels}), channels), stats.data());
  const Tensor<double> got = unfold(space, y);
  std::vector<double> expected(x.size());
  int64_t start = 0;
  for (int t = 0; t < space.tensors(); ++t) {
    const int64_t size = space.layout().tensors[size_t(t)].size();
    const auto place = activation.place(space, t);
    for (int64_t c = 0; c < channels; ++c) {
      double sum = 0, square = 0;
      const auto at = [&](int64_t b, int64_t e) { return size_t((b * p + start + e) * channels + c); };
      for (int64_t b = 0; b < batch; ++b)
        for (int64_t e = 0; e < size; ++e) sum += x[at(b, e)];
      const double n = double(batch * size), mean = sum / n;
      for (int64_t b = 0; b < batch; ++b)
        for (int64_t e = 0; e < size; ++e) square += (x[at(b, e)] - mean) * (x[at(b, e)] - mean);
      const double gamma = params.value(place.norm->gamma()).data[place.first + c];
      const double beta = params.value(place.norm->beta()).data[place.first + c];
      for (int64_t b = 0; b < batch; ++b)
        for (int64_t e = 0; e < size; ++e)
          expected[at(b, e)] =
              std::max(0.0, (x[at(b, e)] - mean) / std::sqrt(square / n + 1e-5) * gamma + beta);
      EXPECT_NEAR(stats[size_t(params.buffer_info(place.norm->mean()).offset + place.first + c)], mean,
                  1e-12);
      EXPECT_NEAR(stats[size_t(params.buffer_info(place.norm->var()).offset + place.first + c)],
                  square / (n - 1), 1e-11);
    }
    start += size;
  }
  EXPECT_LE(difference(got.span(), expected), 1e-12);
  // Outside training the stored mean 0 and variance 1 count.
  Tape<double> eval;
  const auto z =
      activation.forward(eval, params, fold(eval, space, view(x, Shape{batch, p * channels}), channels),
                         static_cast<double*>(nullptr));
  const auto place = activation.place(space, 0);
  const double gamma = params.value(place.norm->gamma()).data[place.first];
  const double beta = params.value(place.norm->beta()).data[place.first];
  EXPECT_NEAR(unfold(space, z)[0], std::max(0.0, x[0] / std::sqrt(1 + 1e-5) * gamma + beta), 1e-12);
}

TEST(Activation, LayerNormAndNone) {
  const auto space = weights::WeightSpace::mlp({2, 4, 3, 2});
  const int64_t channels = 3, p = space.param_count();
  const auto x = random_numbers(p * channels, 10);
  for (Norm norm : {Norm::layer, Norm::none}) {
    ParamSet<double> params;
    const Activation<double> activation(params, "norm", space, channels, norm, 0);
    params.freeze();
    activation.init(params);
    Tape<double> tape;
    const auto y =
        unfold(space, activation.forward(tape, params, fold(tape, space, view(x, Shape{1, p * channels}), 3),
                                         static_cast<double*>(nullptr)));
    for (int64_t i = 0; i < p; ++i) {
      const double* v = x.data() + i * 3;
      const double mean = norm == Norm::layer ? (v[0] + v[1] + v[2]) / 3 : 0;
      double var = 0;
      for (int c = 0; c < 3; ++c) var += (v[c] - mean) * (v[c] - mean) / 3;
      const double scale = norm == Norm::layer ? 1 / std::sqrt(var + 1e-5) : 1;
      for (int c = 0; c < 3; ++c) EXPECT_NEAR(y[i * 3 + c], std::max(0.0, (v[c] - mean) * scale), 1e-12);
    }
  }
  EXPECT_TRUE(throws_error(
      ErrorKind::usage, [] { parse_norm("group"); }, "'group'"));
}

TEST(Pooling, InvariantsOfAllTensors) {
  const auto space = weights::WeightSpace::mlp({2, 5, 4, 3});
  const int64_t channels = 2, p = space.param_count();
  const auto x = random_numbers(2 * p * channels, 11);
  const auto pooled = [&](const std::vector<double>& v, ops::Reduction kind) {
    Tape<double> tape;
    const Var<double> y = pool_invariant(fold(tape, space, view(v, Shape{2, p * channels}), channels), kind);
    EXPECT_EQ(y.shape(), (Shape{2, invariant_width(space, channels)}));
    return std::vector<double>(y.data(), y.data() + y.shape().size());
  };
  for (ops::Reduction kind : {ops::Reduction::max, ops::Reduction::mean, ops::Reduction::sum}) {
    const auto base = pooled(x, kind);
    for (const auto& g : elements(space.layout(), 3))
      EXPECT_LE(difference(pooled(moved(space.layout(), g, x, channels), kind), base), 1e-14);
  }
  // Sum of channel 1 of W_1 (numbers 15 to 34), and of input 0, channel 0 of W_0.
  const auto sum = pooled(x, ops::Reduction::sum);
  double w1 = 0, w0 = 0;
  for (int64_t e = 15; e < 35; ++e) w1 += x[size_t(e * 2 + 1)];
  for (int64_t r = 0; r < 5; ++r) w0 += x[size_t(r * 2 * 2)];
  EXPECT_NEAR(sum[size_t(invariant_start(space, 2, 2) + 1)], w1, 1e-12);
  EXPECT_NEAR(sum[size_t(invariant_start(space, 0, 2))], w0, 1e-12);
  EXPECT_EQ(sum[size_t(invariant_start(space, 5, 2))], x[size_t((p - 3) * 2)]);
}

TEST(Reduction, GainsOfPooling) {
  Rng rng(1);
  for (ops::Reduction kind : {ops::Reduction::max, ops::Reduction::mean, ops::Reduction::sum})
    for (int64_t n : {1, 4, 32, 1024}) {
      double square = 0;
      const int trials = 300;
      for (int i = 0; i < trials; ++i) {
        double high = 0, sum = 0;
        for (int64_t k = 0; k < n; ++k) {
          const double v = std::max(0.0, rng.normal());
          high = std::max(high, v);
          sum += v;
        }
        const double r = kind == ops::Reduction::max   ? high
                         : kind == ops::Reduction::sum ? sum
                                                       : sum / double(n);
        square += r * r;
      }
      const double measured = std::sqrt(square / trials / 0.5);
      EXPECT_TRUE(std::abs(pooled_gain(kind, n) / measured - 1) < 0.25) << reduction_name(kind) << " " << n;
    }
  EXPECT_TRUE(throws_error(
      ErrorKind::usage, [] { parse_reduction("median"); }, "max, mean or sum"));
}

}  // namespace
}  // namespace dws::nn
