// Checks that everything reading or writing networks shares.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/safetensors.h"

namespace dws::format {

inline constexpr size_t kMaxDims = 1025;  // 1,024 layers
inline constexpr int64_t kMaxDim = int64_t{1}
                                   << 24;  // any two multiply, and 1,024 such products add, within int64

// What is wrong with the dimensions of an MlpArch, "" when nothing is.
std::string wrong_dims(const std::vector<int64_t>& dims);

// "layers.3.weight", "layers.3.bias"
std::string weight_name(int layer);
std::string bias_name(int layer);

// Throws Error{unknown_dtype} unless a tensor of weights has a type that reads as float.
void require_float(const std::string& file, const TensorEntry& entry);

// Where numbers came from; made into words only when there is an error to tell.
struct NetworkPlace {
  std::string_view file;
  int64_t network = -1;  // -1: the file is of one network
};
// Throws Error{bad_value} "FILE: network 12, tensor NAME: not finite (NaN) at element 7" for the first NaN or
// infinity.
void require_finite(std::span<const float> values, const NetworkPlace& place, std::string_view tensor);

}  // namespace dws::format
