// One entry a way of calling a primitive: everything the gradient, fallback and float tests iterate over.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/ops.h"

namespace dws::test {

// Records the op on inputs of the case's shapes and returns its outputs.
template <class T>
using Build = std::vector<Var<T>> (*)(Tape<T>&, std::span<const Var<T>>);

enum class Values {
  normal,  // standard normal
  spread   // a shuffled grid 0.1 apart that misses zero: no maximum or ReLU changes sides within a difference
           // step
};

struct Case {
  std::string_view primitive;
  std::string label;
  std::vector<Shape> shapes;  // small: every element is differenced
  std::vector<Shape> wide;    // reaches full vectors and their tails in float
  Build<double> build;
  Build<float> build_float;
  Values values = Values::normal;
  bool training = false;
};

const std::vector<Case>& cases();

template <class T>
Build<T> build_of(const Case& c) {
  if constexpr (std::is_same_v<T, double>)
    return c.build;
  else
    return c.build_float;
}

// Values for the inputs of a case, drawn in double from its name.
std::vector<Tensor<double>> draw(const Case& c, const std::vector<Shape>& shapes);
// What cases use as running statistics and, scaled to rows that sum to one, as targets.
std::vector<double> positive_constants(int64_t n);
std::vector<Tensor<double>> draw_normal(const std::vector<Shape>& shapes, uint64_t seed);

template <class T>
std::vector<Tensor<T>> cast(const std::vector<Tensor<double>>& in) {
  std::vector<Tensor<T>> out;
  for (const auto& t : in) {
    out.emplace_back(t.shape());
    for (int64_t i = 0; i < t.size(); ++i) out.back()[i] = static_cast<T>(t[i]);
  }
  return out;
}

}  // namespace dws::test
