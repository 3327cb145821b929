// Rotations of a residual stream in tests: what a network computes with other numbers, and random rotations.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "align/orthogonal.h"
#include "align/polar.h"
#include "found.h"
#include "symmetry/verify.h"

namespace dws::testing {

using align::Numbers;
using align::ResidualStream;

inline ResidualStream stream_of(const Found& f) {
  return align::find_residual_stream(f.network, network::infer(f.network, f.inputs));
}
inline network::Replacements as_replacements(const Found& f, const Numbers& numbers) {
  network::Replacements all;
  for (size_t t = 0; t < f.spec.tensors.size(); ++t) {
    const int c = f.spec.tensors[t].constant;
    if (f.network.constants[static_cast<size_t>(c)].made ||
        !f.network.constants[static_cast<size_t>(c)].floating() || numbers.tensors[t].empty())
      continue;
    network::Array array{.type = OnnxType::f32, .dims = f.spec.tensors[t].dims};
    array.reals.assign(numbers.tensors[t].begin(), numbers.tensors[t].end());
    all[c] = std::make_shared<const network::Array>(std::move(array));
  }
  return all;
}
// max |y - y'| / max |y| in double precision.
inline double difference(const Found& f, const Numbers& a, const Numbers& b) {
  network::Executor executor(f.network, network::Precision::f64);
  Rng rng(1);
  const auto inputs = symmetry::random_inputs(f.network, f.inputs, {}, rng);
  return symmetry::relative_difference(executor.run(inputs, as_replacements(f, a)),
                                       executor.run(inputs, as_replacements(f, b)));
}
// The network with these numbers.
inline network::Network with(const Found& f, const Numbers& numbers) {
  network::Network net = f.network;
  struct Owner {
    Numbers numbers;
    std::shared_ptr<const void> before;
  };
  net.owner = std::make_shared<const Owner>(Owner{numbers, net.owner});
  for (size_t t = 0; t < f.spec.tensors.size(); ++t) {
    network::Constant& c = net.constants[static_cast<size_t>(f.spec.tensors[t].constant)];
    if (!c.made && c.type == OnnxType::f32) c.bytes = std::as_bytes(numbers.tensors[t]);
  }
  return net;
}
inline std::vector<float> random_rotation(int64_t n, bool fixes_ones, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> m(static_cast<size_t>(n * n));
  for (float& v : m) v = static_cast<float>(rng.normal());
  return fixes_ones ? align::polar_factor_fixing_ones(n, m) : align::polar_factor(n, m);
}

}  // namespace dws::testing
