// What tests of equivariant layers share: random features of random networks, moved by random elements.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <span>
#include <vector>

#include "nn/features.h"

namespace dws::nn::testing {

inline std::vector<double> random_numbers(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<double> x(static_cast<size_t>(count));
  for (double& v : x) v = rng.normal();
  return x;
}

// The generators of the group (neighbouring neurons exchanged) and `products` random elements.
inline std::vector<symmetry::Element> elements(const symmetry::Layout& layout, int products) {
  std::vector<symmetry::Element> result;
  for (size_t k = 0; k < layout.groups.size(); ++k)
    for (int64_t i = 0; i + 1 < layout.groups[k].size; ++i) {
      result.push_back(symmetry::identity(layout));
      std::swap(result.back().permutation[k][size_t(i)], result.back().permutation[k][size_t(i) + 1]);
    }
  Rng rng(77);
  for (int i = 0; i < products; ++i) result.push_back(symmetry::random_element(layout, rng));
  return result;
}

// A batch (B, P F) moved network by network.
inline std::vector<double> moved(const symmetry::Layout& layout, const symmetry::Element& g,
                                 std::span<const double> x, int64_t channels) {
  std::vector<double> y(x.size());
  const size_t one = static_cast<size_t>(layout.param_count() * channels);
  for (size_t b = 0; b + one <= x.size(); b += one)
    symmetry::act(layout, g, x.data() + b, y.data() + b, channels);
  return y;
}

// Largest |a - b| over the largest |b|; infinite when sizes differ or there is nothing.
inline double difference(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size() || b.empty()) return HUGE_VAL;
  double error = 0, scale = 1e-300;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!(std::abs(a[i] - b[i]) <= HUGE_VAL)) return HUGE_VAL;
    error = std::max(error, std::abs(a[i] - b[i]));
    scale = std::max(scale, std::abs(b[i]));
  }
  return error / scale;
}

// Features whose gradient can be asked for; the flat batch x (B, P F) is copied.
struct Leaves {
  std::vector<std::vector<double>> storage;
  WeightFeatures<double> features;
};

inline Leaves make_leaves(Tape<double>& tape, const weights::WeightSpace& space, std::span<const double> x,
                          int64_t channels) {
  const int64_t params = space.param_count(), batch = static_cast<int64_t>(x.size()) / (params * channels);
  Leaves leaves;
  leaves.features.channels = channels;
  const auto leaf = [&](const std::vector<int64_t>& table, const Shape& shape) {
    std::vector<double> values(static_cast<size_t>(shape.size()));
    gather(table, params, channels, batch, x.data(), values.data());
    leaves.storage.push_back(std::move(values));
    return tape.input(View<const double>{leaves.storage.back().data(), shape});
  };
  for (int k = 0; k < space.groups(); ++k)
    leaves.features.axis.push_back(
        leaf(space.vector_table(k), Shape{batch, space.group_size(k), space.vector_width(k) * channels}));
  for (int i = 0; i < space.matrices(); ++i) {
    const weights::Slot& slot = space.slot(space.matrix(i));
    leaves.features.matrix.push_back(
        leaf(space.matrix_table(i),
             Shape{batch, space.group_size(slot.row_group), space.group_size(slot.col_group), channels}));
  }
  if (space.scalar_width())
    leaves.features.scalar = leaf(space.scalar_table(), Shape{batch, space.scalar_width() * channels});
  return leaves;
}

// All bundles of `features`, for backward() with seeds.
inline std::vector<Var<double>> bundles(const WeightFeatures<double>& features) {
  std::vector<Var<double>> all;
  for (const auto& v : features.axis)
    if (v.valid()) all.push_back(v);
  all.insert(all.end(), features.matrix.begin(), features.matrix.end());
  if (features.scalar.valid()) all.push_back(features.scalar);
  return all;
}

struct Gradients {
  std::vector<double> output;  // (B, P G)
  std::vector<double> input;   // (B, P F)
  std::vector<double> params;
};

// Runs `layer` on x (B, P F) and pulls the cotangent u (B, P G) back.
using Layer = std::function<WeightFeatures<double>(Tape<double>&, const WeightFeatures<double>&)>;
inline Gradients differentiate(const weights::WeightSpace& space, const ParamSet<double>& params,
                               const Layer& layer, std::span<const double> x, int64_t in,
                               std::span<const double> u, int64_t out) {
  Gradients g;
  Tape<double> tape;
  g.params.resize(static_cast<size_t>(params.size()));
  tape.bind_gradients(g.params.data());
  Leaves leaves = make_leaves(tape, space, x, in);
  const WeightFeatures<double> y = layer(tape, leaves.features);
  const Tensor<double> flat = unfold(space, y);
  g.output.assign(flat.data(), flat.data() + flat.size());

  Tape<double> seeds_tape;
  Leaves seeds = make_leaves(seeds_tape, space, u, out);
  std::vector<Var<double>> roots = bundles(y), seed_vars = bundles(seeds.features);
  std::vector<View<const double>> seed_views;
  for (const auto& v : seed_vars) seed_views.push_back(v.view());
  tape.backward(roots, seed_views);

  const int64_t batch = flat.shape()[0], count = space.param_count();
  g.input.resize(x.size());
  for (int k = 0; k < space.groups(); ++k)
    scatter(space.vector_table(k), count, in, batch, tape.grad(leaves.features.axis[size_t(k)]).data,
            g.input.data());
  for (int i = 0; i < space.matrices(); ++i)
    scatter(space.matrix_table(i), count, in, batch, tape.grad(leaves.features.matrix[size_t(i)]).data,
            g.input.data());
  if (space.scalar_width())
    scatter(space.scalar_table(), count, in, batch, tape.grad(leaves.features.scalar).data, g.input.data());
  return g;
}

}  // namespace dws::nn::testing
