// The equivariant layer: symmetry block by block, and as many coefficients as the theory has.
#include "nn/dws_layer.h"

#include <gtest/gtest.h>

#include <numeric>

#include "nn/reduction.h"
#include "space_case.h"
#include "testing.h"

namespace dws::nn {
namespace {

using namespace dws::nn::testing;

constexpr double kTolerance = 1e-10;
const std::vector<std::vector<int64_t>> kShapes = {{2, 32, 32, 1},     {2, 5, 4, 3}, {3, 4, 5, 3, 2},
                                                   {2, 3, 4, 3, 5, 2}, {3, 6, 2},    {4, 3}};

void randomise_small(ParamSet<double>& params, uint64_t seed) {
  Rng rng(seed);
  for (double& v : params.values().span()) v = 0.3 * rng.normal();
}

// Output, and gradients of inputs and parameters, under every element.
void check_equivariance(const std::vector<int64_t>& dims, DwsLayerOptions options, const std::string& what) {
  const auto space = weights::WeightSpace::mlp(dims);
  ParamSet<double> params;
  const DwsLayer<double> layer(params, "layer", space, options);
  params.freeze();
  randomise_small(params, 1);
  const Layer run = [&](Tape<double>& tape, const WeightFeatures<double>& f) {
    return layer.forward(tape, params, f);
  };
  const int64_t p = space.param_count();
  const auto x = random_numbers(2 * p * options.in, 2), u = random_numbers(2 * p * options.out, 3);
  const Gradients base = differentiate(space, params, run, x, options.in, u, options.out);
  const int products = dims[1] > 10 ? 2 : 4;
  auto all = elements(space.layout(), products);
  if (dims[1] > 10) all.erase(all.begin() + 1, all.begin() + 60);  // a few generators are enough here
  for (const symmetry::Element& g : all) {
    const Gradients there = differentiate(space, params, run, moved(space.layout(), g, x, options.in),
                                          options.in, moved(space.layout(), g, u, options.out), options.out);
    EXPECT_LE(difference(there.output, moved(space.layout(), g, base.output, options.out)), kTolerance)
        << what;
    EXPECT_LE(difference(there.input, moved(space.layout(), g, base.input, options.in)), kTolerance) << what;
    EXPECT_LE(difference(there.params, base.params), kTolerance) << what;
  }
}

TEST(DwsLayer, EveryBlockIsEquivariant) {
  for (const auto& dims : kShapes) {
    const auto space = weights::WeightSpace::mlp(dims);
    for (Block block : all_blocks()) {
      bool present = false;  // {4, 3} has no neighbours
      for (int s = 0; s < space.tensors(); ++s)
        for (int t = 0; t < space.tensors(); ++t) present = present || block_of(space, s, t) == block;
      if (!present) continue;
      DwsLayerOptions options;
      options.in = 2;
      options.out = 3;
      options.allowed = block_mask(space, {block}, false);
      check_equivariance(dims, options, block_name(block));
    }
  }
}

TEST(DwsLayer, AllBlocksTogetherAreEquivariant) {
  for (const auto& dims : kShapes)
    for (ops::Reduction reduction : {ops::Reduction::max, ops::Reduction::mean, ops::Reduction::sum}) {
      DwsLayerOptions options;
      options.in = 2;
      options.out = 3;
      options.reduction = reduction;
      options.skip = reduction == ops::Reduction::mean;
      check_equivariance(dims, options, reduction_name(reduction));
    }
}

TEST(DwsLayer, DiagonalAndAttentionAreEquivariant) {
  for (const auto& dims : kShapes) {
    DwsLayerOptions options;
    options.in = 2;
    options.out = 4;
    options.allowed = block_mask(weights::WeightSpace::mlp(dims), all_blocks(), true);
    check_equivariance(dims, options, "diagonal");
    options.attention = true;
    options.heads = 2;
    check_equivariance(dims, options, "diagonal attention");
    options.allowed = {};
    options.broadcast_last = true;
    check_equivariance(dims, options, "attention");
  }
}

// A layer that mixes up two neurons of one tensor must be caught by the check above: the test of the test.
TEST(DwsLayer, TheCheckSeesABrokenSymmetry) {
  const auto space = weights::WeightSpace::mlp({2, 5, 4, 3});
  const auto x = random_numbers(space.param_count(), 4);
  const Layer broken = [&](Tape<double>& tape, const WeightFeatures<double>& f) {
    WeightFeatures<double> y = f;
    std::vector<double>* bump = tape.arena().make<std::vector<double>>(size_t(f.axis[0].shape().size()), 0.0);
    (*bump)[0] = 1e-6;
    y.axis[0] = ops::add(f.axis[0], tape.constant(View<const double>{bump->data(), f.axis[0].shape()}));
    return y;
  };
  ParamSet<double> params;
  params.freeze();
  const auto g = elements(space.layout(), 0).front();
  const auto a = differentiate(space, params, broken, x, 1, x, 1).output;
  const auto b = differentiate(space, params, broken, moved(space.layout(), g, x, 1), 1, x, 1).output;
  EXPECT_GT(difference(b, moved(space.layout(), g, a, 1)), 1e-8);
}

// --- counting ---------------------------------------------------------------------------------------------

struct UnionFind {
  std::vector<int64_t> parent;
  explicit UnionFind(int64_t n) : parent(size_t(n)) { std::iota(parent.begin(), parent.end(), 0); }
  int64_t root(int64_t i) {
    while (parent[size_t(i)] != i) i = parent[size_t(i)] = parent[size_t(parent[size_t(i)])];
    return i;
  }
  void join(int64_t a, int64_t b) { parent[size_t(root(a))] = root(b); }
};

// Tensor of each number of the flat vector.
std::vector<int> tensor_of(const symmetry::Layout& layout) {
  std::vector<int> owner;
  for (size_t t = 0; t < layout.tensors.size(); ++t)
    owner.insert(owner.end(), size_t(layout.tensors[t].size()), static_cast<int>(t));
  return owner;
}

// Independent coefficients of an equivariant linear map with bias (one channel): orbits of the group on pairs
// (output number, input number) of allowed tensors, and on output numbers. Brute force, from the action
// alone.
int64_t theory(const weights::WeightSpace& space, const BlockMask& allowed, bool bias) {
  const int64_t n = space.param_count();
  UnionFind pairs(n * n), singles(n);
  std::vector<double> index(static_cast<size_t>(n));
  std::iota(index.begin(), index.end(), 0.0);
  for (const auto& g : elements(space.layout(), 0)) {
    const auto to = moved(space.layout(), g, index, 1);
    for (int64_t a = 0; a < n; ++a) {
      singles.join(a, int64_t(to[size_t(a)]));
      for (int64_t b = 0; b < n; ++b)
        pairs.join(a * n + b, int64_t(to[size_t(a)]) * n + int64_t(to[size_t(b)]));
    }
  }
  const std::vector<int> owner = tensor_of(space.layout());
  int64_t count = 0;
  for (int64_t a = 0; a < n; ++a) {
    if (bias && singles.root(a) == a) ++count;
    for (int64_t b = 0; b < n; ++b)
      if (pairs.root(a * n + b) == a * n + b && (!allowed || allowed(owner[size_t(b)], owner[size_t(a)])))
        ++count;
  }
  return count;
}

// Rank of a set of vectors by elimination.
int64_t rank_of(std::vector<std::vector<double>> rows) {
  int64_t rank = 0;
  const size_t columns = rows.empty() ? 0 : rows[0].size();
  for (size_t c = 0; c < columns && size_t(rank) < rows.size(); ++c) {
    size_t best = size_t(rank);
    for (size_t r = size_t(rank); r < rows.size(); ++r)
      if (std::abs(rows[r][c]) > std::abs(rows[best][c])) best = r;
    if (std::abs(rows[best][c]) < 1e-9) continue;
    std::swap(rows[best], rows[size_t(rank)]);
    for (size_t r = size_t(rank) + 1; r < rows.size(); ++r) {
      const double f = rows[r][c] / rows[size_t(rank)][c];
      if (f == 0) continue;
      for (size_t k = c; k < columns; ++k) rows[r][k] -= f * rows[size_t(rank)][k];
    }
    ++rank;
  }
  return rank;
}

// The linear map (and bias) that each single parameter stands for: independent, or the count means nothing.
int64_t independent(const weights::WeightSpace& space, const DwsLayer<double>& layer,
                    ParamSet<double>& params) {
  const int64_t n = space.param_count();
  std::vector<double> basis(static_cast<size_t>((n + 1) * n), 0.0);  // the zero network and the unit networks
  for (int64_t i = 0; i < n; ++i) basis[size_t((i + 1) * n + i)] = 1;
  std::vector<std::vector<double>> rows;
  for (double& w : params.values().span()) {
    std::fill_n(params.values().data, params.size(), 0.0);
    w = 1;
    Tape<double> tape;
    tape.set_recording(false);
    const auto f = fold(tape, space, View<const double>{basis.data(), Shape{n + 1, n}});
    const auto y = unfold(space, layer.forward(tape, params, f));
    rows.emplace_back(y.data(), y.data() + y.size());
  }
  return rank_of(std::move(rows));
}

TEST(DwsLayer, HasAsManyCoefficientsAsTheTheory) {
  for (const auto& dims :
       {std::vector<int64_t>{2, 3, 2, 2}, {1, 2, 3, 2, 1}, {2, 3, 2}, {2, 3}, {1, 2, 2, 3, 2, 1}}) {
    const auto space = weights::WeightSpace::mlp(dims);
    std::vector<std::pair<std::string, BlockMask>> masks = {
        {"all", {}}, {"diagonal", block_mask(space, all_blocks(), true)}};
    for (Block block : all_blocks()) masks.emplace_back(block_name(block), block_mask(space, {block}, false));
    int64_t sum = 0, whole = 0;
    for (const auto& [name, mask] : masks) {
      for (bool bias : {false, true}) {
        DwsLayerOptions options;
        options.in = options.out = 1;
        options.reduction = ops::Reduction::sum;
        options.allowed = mask;
        options.bias = bias;
        ParamSet<double> params;
        const DwsLayer<double> layer(params, "layer", space, options);
        params.freeze();
        const int64_t expected = theory(space, mask, bias);
        EXPECT_EQ(params.size(), expected) << name;
        EXPECT_EQ(independent(space, layer, params), expected) << name;
        if (!bias && name == "all") whole = expected;
        if (!bias && name != "all" && name != "diagonal") sum += expected;
      }
    }
    EXPECT_EQ(sum, whole);  // the blocks are disjoint and complete
    EXPECT_GT(whole, 0);
  }
}

// By the formulas of the paper, not by counting: W_0, W_1, W_2 of 2-a-b-1 to themselves and each other.
TEST(DwsLayer, CountsOfTheCanonicalNetwork) {
  const auto space = weights::WeightSpace::mlp({2, 32, 32, 1});
  const auto count = [&](Block block) {
    DwsLayerOptions options;
    options.in = options.out = 1;
    options.allowed = block_mask(space, {block}, false);
    options.bias = false;
    ParamSet<double> params;
    const DwsLayer<double> layer(params, "layer", space, options);
    params.freeze();
    return params.size();
  };
  EXPECT_EQ(count(Block::weight_self), 2 * 2 * 2 + 4 + 2);         // (d0 d0) 2, Hartford 4, 2
  EXPECT_EQ(count(Block::weight_neighbour), 2 * (2 * 2) + 2 * 2);  // W0-W1 2 d0 each way, W1-W2 2 each way
  EXPECT_EQ(count(Block::weight_other), 2 * 2);                    // W0-W2: d0 each way
  EXPECT_EQ(count(Block::bias_to_bias), 2 + 2 + 1 + 3 * 2);
  EXPECT_EQ(count(Block::weight_to_bias), (4 + 2 + 2) + (2 + 2 + 1) + (1 + 2 + 1));
  EXPECT_EQ(count(Block::bias_to_weight), count(Block::weight_to_bias));
}

TEST(DwsLayer, StartsWithOutputsOfUnitOrder) {
  for (ops::Reduction reduction : {ops::Reduction::max, ops::Reduction::mean, ops::Reduction::sum}) {
    const auto space = weights::WeightSpace::mlp({2, 32, 32, 3});
    DwsLayerOptions options;
    options.in = options.out = 32;
    options.reduction = reduction;
    ParamSet<double> params;
    const DwsLayer<double> layer(params, "layer", space, options);
    params.freeze();
    layer.init(params, 1);
    std::vector<double> x = random_numbers(4 * space.param_count() * 32, 9);
    for (double& v : x) v = std::max(v, 0.0);
    Tape<double> tape;
    tape.set_recording(false);
    const auto f = fold(tape, space, View<const double>{x.data(), Shape{4, space.param_count() * 32}}, 32);
    const auto y = unfold(space, layer.forward(tape, params, f));
    const std::vector<int> owner = tensor_of(space.layout());
    std::vector<double> square(size_t(space.tensors()), 0), count(square);
    for (int64_t i = 0; i < y.size(); ++i) {
      const size_t t = size_t(owner[size_t(i / 32 % space.param_count())]);
      square[t] += y[i] * y[i];
      count[t] += 1;
    }
    for (size_t t = 0; t < square.size(); ++t) {
      const double rms = std::sqrt(square[t] / count[t]);
      EXPECT_TRUE(rms > 0.5 && rms < 2) << reduction_name(reduction) << " tensor " << t << ": " << rms;
    }
  }
}

TEST(DwsLayer, RefusesOtherWidths) {
  const auto space = weights::WeightSpace::mlp({2, 4, 3, 1});
  ParamSet<double> params;
  const DwsLayer<double> layer(params, "layer", space, {});
  params.freeze();
  const auto x = random_numbers(space.param_count() * 2, 1);
  const auto run = [&](int64_t columns, int64_t channels) {
    Tape<double> tape;
    layer.forward(tape, params, fold(tape, space, View<const double>{x.data(), Shape{1, columns}}, channels));
  };
  EXPECT_NO_THROW(run(space.param_count(), 1));
  EXPECT_TRUE(dws::testing::throws_error(
      ErrorKind::mismatch, [&] { run(space.param_count() * 2, 2); }, "2 channels"));
  EXPECT_TRUE(dws::testing::throws_error(ErrorKind::mismatch, [&] { run(space.param_count() + 1, 1); }));
}

}  // namespace
}  // namespace dws::nn
