// Shapes of files, which may have any rank, as text and as bit counts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/dtype.h"
#include "core/shape.h"

namespace dws::format {

using dws::shape_text;

// Product of the extents, multiplied in order with every step checked (as the reference reader does): empty
// when one step does not fit 64 bits or an extent is negative.
std::optional<uint64_t> checked_elements(std::span<const int64_t> shape) noexcept;

// Bits of a tensor; empty on overflow.
std::optional<uint64_t> checked_bits(std::span<const int64_t> shape, Dtype dtype) noexcept;

}  // namespace dws::format
