// A tensor of a file in another floating-point type, converted as it is written.
#pragma once

#include <memory>

#include "format/safetensors.h"

namespace dws {

// Numbers that were finite and are not any more.
struct CastCount {
  int64_t overflowed = 0;
};

// `bytes` of type `from`, little-endian, outlive the write. Between F16, BF16, F32 and F64, each number rounded once, to nearest
// with ties to even; other types stay as they are. Counts into `count` while it is written; then throws Error{interrupted} too.
TensorSource cast(std::string name, Dtype from, std::vector<int64_t> shape, Bytes bytes, Dtype to,
                  std::shared_ptr<CastCount> count);

}  // namespace dws
