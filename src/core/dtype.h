// Element types of files, and conversions between them and float.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace dws {

// Every safetensors type, in the order its writer sorts by (descending). Bits each: dtype_bits().
enum class Dtype : uint8_t {
  boolean,
  f4,
  f6_e2m3,
  f6_e3m2,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64
};

int dtype_bits(Dtype dtype) noexcept;
const char* dtype_name(Dtype dtype) noexcept;  // "F32", as in safetensors
std::optional<Dtype> parse_dtype(std::string_view name) noexcept;

float f16_to_float(uint16_t bits) noexcept;
uint16_t float_to_f16(float value) noexcept;  // round to nearest, ties to even
float bf16_to_float(uint16_t bits) noexcept;
uint16_t float_to_bf16(float value) noexcept;  // round to nearest, ties to even; NaN stays NaN

}  // namespace dws
