// The engine held against the reference executor on the same samples.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "core/rng.h"
#include "graph_maker.h"
#include "network/engine.h"

namespace dws::network {

struct Samples {
  std::vector<std::vector<int64_t>> dims;   // of one sample, an entry an input
  std::vector<std::vector<float>> numbers;  // (samples, dims)
  int64_t count = 0;
};

inline std::vector<std::vector<float>> run(Engine& engine, const Network& network, const Samples& s) {
  std::vector<std::vector<float>> out;
  for (size_t o = 0; o < network.graph.outputs.size(); ++o)
    out.emplace_back(static_cast<size_t>(s.count * engine.output_size(static_cast<int>(o))), NAN);
  engine.run(
      s.count,
      [&](int input, int64_t first, int64_t count, float* to) {
        const int64_t size = elements(s.dims[static_cast<size_t>(input)]);
        std::copy_n(s.numbers[static_cast<size_t>(input)].begin() + first * size, count * size, to);
      },
      [&](int64_t first, int64_t count, const std::vector<const float*>& numbers) {
        for (size_t o = 0; o < numbers.size(); ++o) {
          const int64_t size = engine.output_size(static_cast<int>(o));
          std::copy_n(numbers[o], count * size, out[o].begin() + first * size);
        }
      });
  return out;
}
inline std::vector<std::vector<double>> judge(const Network& network, const Samples& s,
                                              const Replacements& replaced = {}) {
  std::vector<ArrayPtr> inputs;
  for (size_t i = 0; i < s.dims.size(); ++i) {
    const OnnxType type = *network.values[static_cast<size_t>(network.graph.inputs[i])].type;
    Array a{.type = type, .dims = {s.count}};
    a.dims.insert(a.dims.end(), s.dims[i].begin(), s.dims[i].end());
    if (a.real())
      a.reals.assign(s.numbers[i].begin(), s.numbers[i].end());
    else
      for (const float v : s.numbers[i]) a.ints.push_back(static_cast<int64_t>(v));
    inputs.push_back(std::make_shared<const Array>(std::move(a)));
  }
  std::vector<std::vector<double>> out;
  for (const ArrayPtr& a : Executor(network, Precision::f64).run(inputs, replaced)) out.push_back(a->reals);
  return out;
}
inline void expect_close(const std::vector<std::vector<float>>& got,
                         const std::vector<std::vector<double>>& expected, double tolerance = 1e-4) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t o = 0; o < got.size(); ++o) {
    ASSERT_EQ(got[o].size(), expected[o].size());
    double largest = 0, difference = 0;
    for (size_t i = 0; i < got[o].size(); ++i) {
      largest = std::max(largest, std::abs(expected[o][i]));
      const double d = std::abs(static_cast<double>(got[o][i]) - expected[o][i]);
      if (!(d <= difference)) difference = d;  // a NaN stays
    }
    ASSERT_GT(largest, 0);
    ASSERT_LE(difference, tolerance * largest);
  }
}
inline Samples random_samples(const std::vector<std::vector<int64_t>>& dims, int64_t count,
                              uint64_t seed = 1) {
  Samples s{.dims = dims, .numbers = {}, .count = count};
  Rng rng(seed);
  for (const auto& d : dims) {
    auto& numbers = s.numbers.emplace_back(static_cast<size_t>(count * elements(d)));
    for (float& v : numbers) v = static_cast<float>(rng.normal());
  }
  return s;
}

// The network alone, without the reference executor, in pieces of several sizes (the last one not full) and on several threads: each
// size of piece gives the same bits on every number of threads.
inline void check_engine(const Network& network, const Samples& s, double tolerance = 2e-5) {
  const auto expected = judge(network, s);
  for (const int64_t piece : {int64_t{1}, int64_t{2}, int64_t{0}}) {
    SCOPED_TRACE(piece);
    std::vector<std::vector<float>> first;
    for (const int workers : {1, 3}) {
      set_threads(workers);
      Engine engine(network, {.samples = s.dims, .piece = piece});
      EXPECT_EQ(engine.slow(), std::vector<std::string>{});
      const auto got = run(engine, network, s);
      expect_close(got, expected, tolerance);
      if (first.empty()) first = got;
      EXPECT_EQ(got, first);
    }
  }
  set_threads(0);
}

}  // namespace dws::network
