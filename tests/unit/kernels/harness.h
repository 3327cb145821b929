// How a fast kernel is held against its scalar twin: the same inputs in double through the twin and in float
// through every instruction set of this processor, from aligned and misaligned addresses.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/rng.h"
#include "kernels/isa.h"

namespace dws::kernels {

inline constexpr double kEps = std::numeric_limits<float>::epsilon();

inline std::vector<Isa> available_isas() {
  std::vector<Isa> isas{Isa::portable};
  if (best_isa() >= Isa::avx2) isas.push_back(Isa::avx2);
  if (best_isa() >= Isa::avx512) isas.push_back(Isa::avx512);
  return isas;
}

// 0, 1 and the neighbourhoods of one and two vectors of 4, 8 and 16 lanes, and primes.
inline const std::vector<int64_t> kSizes = {0,  1,  2,  3,  4,  5,  7,  8,  9,  11, 13,
                                            15, 16, 17, 23, 31, 32, 33, 37, 64, 67, 131};

// n numbers in [-1, 1) that float holds exactly.
inline std::vector<double> random_values(int64_t n, uint64_t seed) {
  Rng rng(seed, 77);
  std::vector<double> values(static_cast<size_t>(n));
  for (double& v : values) v = 2.0 * static_cast<double>(rng.uniform_float()) - 1.0;
  return values;
}
// Few different values, so that maxima are tied.
inline std::vector<double> tied_values(int64_t n, uint64_t seed) {
  Rng rng(seed, 78);
  std::vector<double> values(static_cast<size_t>(n));
  for (double& v : values) v = static_cast<double>(rng.below(4)) - 2.0;
  return values;
}

// T of a pointer to T or to const T, whatever its own qualifiers.
template <class Pointer>
using Element = std::remove_const_t<std::remove_pointer_t<std::remove_cvref_t<Pointer>>>;

struct Case {
  std::string name;
  std::vector<std::vector<double>> in;
  std::vector<std::vector<double>> out;  // what the outputs hold before the call
  std::vector<int64_t> index_sizes = {};
  double tolerance = 4 * kEps;  // absolute, for each output element
};

// Worst element of `got` against `want`; a NaN fails, and so does a length that was not checked to the end.
inline void expect_close(const std::string& what, const std::vector<double>& got,
                         const std::vector<double>& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size()) << what;
  size_t worst = 0, checked = 0;
  double largest = -1;
  for (size_t i = 0; i < got.size(); ++i, ++checked) {
    const double error = std::abs(got[i] - want[i]);
    if (!(error <= largest)) worst = i, largest = error;
    if (std::isnan(error)) break;
  }
  if (got.empty()) return;
  EXPECT_TRUE(largest <= tolerance && checked == got.size())
      << what << ": worst at " << worst << " of " << got.size() << ": " << got[worst] << ", expected "
      << want[worst] << ", error " << largest << " > " << tolerance;
}

// f(in, out, index) with vectors of pointers to T; T is double for the twin, then float.
template <class F>
void check_against_twin(const Case& c, F f) {
  std::vector<std::vector<double>> want = c.out;
  std::vector<std::vector<int32_t>> want_index;
  for (int64_t n : c.index_sizes) want_index.emplace_back(static_cast<size_t>(n), -7);
  {
    std::vector<const double*> in;
    std::vector<double*> out;
    std::vector<int32_t*> index;
    for (auto& v : c.in) in.push_back(v.data());
    for (auto& v : want) out.push_back(v.data());
    for (auto& v : want_index) index.push_back(v.data());
    f(in, out, index);
  }
  constexpr float kCanary = 12345.0f;
  constexpr size_t kTail = 16;
  for (Isa isa : available_isas())
    for (size_t offset : {0, 1}) {
      set_isa(isa);
      const std::string what = c.name + " (" + to_string(isa) + ", offset " + std::to_string(offset) + ")";
      // Inputs end where their memory ends, so that the address sanitizer sees a read too far; outputs have
      // canaries.
      std::vector<std::vector<float>> inputs, outputs;
      std::vector<std::vector<int32_t>> indices;
      std::vector<const float*> in;
      std::vector<float*> out;
      std::vector<int32_t*> index;
      for (auto& v : c.in) {
        inputs.emplace_back();
        inputs.back().reserve(offset + v.size());
        inputs.back().resize(offset);
        inputs.back().insert(inputs.back().end(), v.begin(), v.end());
      }
      for (auto& v : c.out) {
        outputs.emplace_back(offset, kCanary);
        outputs.back().insert(outputs.back().end(), v.begin(), v.end());
        outputs.back().insert(outputs.back().end(), kTail, kCanary);
      }
      for (int64_t n : c.index_sizes) indices.emplace_back(static_cast<size_t>(n) + kTail, -7);
      for (auto& v : inputs) in.push_back(v.data() + offset);
      for (auto& v : outputs) out.push_back(v.data() + offset);
      for (auto& v : indices) index.push_back(v.data());
      f(in, out, index);
      for (size_t k = 0; k < want.size(); ++k) {
        const auto begin = outputs[k].begin() + static_cast<std::ptrdiff_t>(offset);
        const std::vector<double> got(begin, begin + static_cast<std::ptrdiff_t>(want[k].size()));
        expect_close(what + " output " + std::to_string(k), got, want[k], c.tolerance);
        if (offset) {
          EXPECT_EQ(outputs[k][0], kCanary) << what << " wrote before output " << k;
        }
        for (size_t i = 0; i < kTail; ++i)
          EXPECT_EQ(outputs[k][offset + want[k].size() + i], kCanary) << what << " wrote behind output " << k;
      }
      for (size_t k = 0; k < want_index.size(); ++k) {
        std::vector<int32_t> expected = want_index[k];
        expected.resize(expected.size() + kTail, -7);
        EXPECT_EQ(indices[k], expected) << what << " index " << k;
      }
    }
  set_isa(best_isa());
}

using Complex = std::complex<double>;

// The gradient of sum(dy * f(x)) by complex step: Im f(x + i h e_k) / h. forward(x, y) is evaluated on
// Complex.
template <class F>
std::vector<double> complex_step(const std::vector<double>& x, const std::vector<double>& dy, F forward) {
  constexpr double h = 1e-40;
  std::vector<double> gradient;
  std::vector<Complex> moved(x.begin(), x.end()), y(dy.size());
  for (size_t k = 0; k < x.size(); ++k) {
    moved[k] += Complex(0, h);
    forward(moved.data(), y.data());
    moved[k] = x[k];
    double sum = 0;
    for (size_t i = 0; i < dy.size(); ++i) sum += dy[i] * y[i].imag() / h;
    gradient.push_back(sum);
  }
  return gradient;
}

}  // namespace dws::kernels
