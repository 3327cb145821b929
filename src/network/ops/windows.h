// Where windows lie that slide over places: strides, dilations, padding given or worked out.
#pragma once

#include <cstdint>
#include <vector>

#include "network/context.h"

namespace dws::network {

struct Windows {
  std::vector<int64_t> in, out, kernel, strides, dilations, before, after;  // an entry a spatial axis
  // (kernel, places): the input's place that an offset of a window falls on, -1 in the padding.
  std::vector<int64_t> table() const;
  // How many places a window has inside the picture and its padding.
  std::vector<int64_t> padded_counts() const;
};

// Of a convolution or pooling, from the node's attributes; `dims` (N, C, ...). Throws through `c` for strides below 1, kernels
// larger than the padded input, lists of another length.
Windows windows(const Context& c, const std::vector<int64_t>& dims, std::vector<int64_t> kernel,
                bool ceil_mode = false);
// Of a transposed convolution: `out` is the input of the operator, `in` its output.
Windows transposed_windows(const Context& c, const std::vector<int64_t>& dims, std::vector<int64_t> kernel);

}  // namespace dws::network
