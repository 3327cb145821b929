// For every case of cases.h the scalar twin of its op, a function of plain arrays.
#pragma once

#include <complex>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace dws::test {

// The inputs of a case and what the op reads from its tape.
template <class N>
struct TwinInput {
  std::vector<Shape> shapes;
  std::vector<std::vector<N>> x;
};
template <class N>
using RunTwin = std::vector<std::vector<N>> (*)(const TwinInput<N>&);

struct Twin {
  std::string_view primitive;
  std::string label;
  RunTwin<double> real;
  RunTwin<std::complex<double>> complex;
};

inline constexpr uint64_t kSeed = 7;  // of dropout in run_case()

const std::vector<Twin>& twins();
// Null when there is none.
const Twin* twin_of(std::string_view primitive, const std::string& label);

}  // namespace dws::test
