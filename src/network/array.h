// What flows along the edges while a network runs: floating types as doubles, integers and booleans as int64,
// whatever their width in the file. Slow and exact: the executor is an oracle.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "format/onnx.h"
#include "network/network.h"

namespace dws::network {

bool is_real(OnnxType type) noexcept;     // floating point of any width that can be run
bool is_integer(OnnxType type) noexcept;  // and booleans

struct Array {
  OnnxType type = OnnxType::f32;
  std::vector<int64_t> dims{};
  // Row-major; the one that `type` asks for, or none of them while only shapes are worked out.
  std::vector<double> reals{};
  std::vector<int64_t> ints{};

  int64_t size() const noexcept;
  int rank() const noexcept { return static_cast<int>(dims.size()); }
  bool real() const noexcept { return is_real(type); }
  // False in a run for shapes, where only small integers and constants have numbers.
  bool known() const noexcept { return static_cast<int64_t>(real() ? reals.size() : ints.size()) == size(); }
};
using ArrayPtr = std::shared_ptr<const Array>;

// The product of extents; throws Error{shape_overflow} where it does not fit.
int64_t elements(const std::vector<int64_t>& dims);

// Numbers as stored to numbers as run. Throws Error{unknown_dtype} for strings, complex numbers and types below 8
// bits of floating point.
Array to_array(const Constant& constant);
// And back, each rounded to the type (ties to even) or wrapped: elements() * bits / 8 bytes. Same errors.
std::vector<std::byte> to_bytes(const Array& array);

// A number as its type would hold it: floats rounded, integers wrapped around, booleans 0 or 1.
double round_to(OnnxType type, double value) noexcept;
int64_t wrap_to(OnnxType type, int64_t value) noexcept;

}  // namespace dws::network
