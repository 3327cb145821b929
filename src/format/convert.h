// Elements of a file as numbers of the program. Sources may be unaligned; every read is a copy of bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.h"

namespace dws::format {

bool is_float_dtype(Dtype dtype) noexcept;    // F16, BF16, F32, F64: what convert() gives as float
bool is_double_dtype(Dtype dtype) noexcept;   // F32, F64: what convert() gives as double
bool is_integer_dtype(Dtype dtype) noexcept;  // BOOL, I8..I64, U8..U64: what convert() gives as int64

// Each returns false, with nothing written, for a type outside its list; the integer one also when a U64
// value does not fit (earlier elements are written then).
bool convert(Dtype dtype, const std::byte* from, float* to, size_t count) noexcept;
bool convert(Dtype dtype, const std::byte* from, double* to, size_t count) noexcept;
bool convert(Dtype dtype, const std::byte* from, int64_t* to, size_t count) noexcept;

}  // namespace dws::format
