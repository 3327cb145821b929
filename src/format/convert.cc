#include "format/convert.h"

#include <cstring>
#include <limits>
#include <type_traits>

namespace dws::format {
namespace {

// to[i] = cast(from[i]) for elements of type From at any address.
template <class From, class To, class Cast>
bool copy(const std::byte* from, To* to, size_t count, Cast cast) noexcept {
  for (size_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, from + i * sizeof(From), sizeof(From));
    to[i] = cast(value);
  }
  return true;
}

template <class From, class To>
bool copy(const std::byte* from, To* to, size_t count) noexcept {
  if constexpr (std::is_same_v<From, To>) {
    if (count) std::memcpy(to, from, count * sizeof(To));
    return true;
  } else {
    return copy<From>(from, to, count, [](From value) { return static_cast<To>(value); });
  }
}

}  // namespace

bool is_float_dtype(Dtype dtype) noexcept {
  return dtype == Dtype::f16 || dtype == Dtype::bf16 || dtype == Dtype::f32 || dtype == Dtype::f64;
}

bool is_double_dtype(Dtype dtype) noexcept {
  return dtype == Dtype::f32 || dtype == Dtype::f64;
}

bool is_integer_dtype(Dtype dtype) noexcept {
  switch (dtype) {
    case Dtype::boolean:
    case Dtype::u8:
    case Dtype::i8:
    case Dtype::u16:
    case Dtype::i16:
    case Dtype::u32:
    case Dtype::i32:
    case Dtype::u64:
    case Dtype::i64:
      return true;
    default:
      return false;
  }
}

bool convert(Dtype dtype, const std::byte* from, float* to, size_t count) noexcept {
  switch (dtype) {
    case Dtype::f16:
      return copy<uint16_t>(from, to, count, [](uint16_t bits) { return f16_to_float(bits); });
    case Dtype::bf16:
      return copy<uint16_t>(from, to, count, [](uint16_t bits) { return bf16_to_float(bits); });
    case Dtype::f32:
      return copy<float>(from, to, count);
    case Dtype::f64:
      return copy<double>(from, to, count);
    default:
      return false;
  }
}

bool convert(Dtype dtype, const std::byte* from, double* to, size_t count) noexcept {
  switch (dtype) {
    case Dtype::f32:
      return copy<float>(from, to, count);
    case Dtype::f64:
      return copy<double>(from, to, count);
    default:
      return false;
  }
}

bool convert(Dtype dtype, const std::byte* from, int64_t* to, size_t count) noexcept {
  switch (dtype) {
    case Dtype::boolean:
    case Dtype::u8:
      return copy<uint8_t>(from, to, count);
    case Dtype::i8:
      return copy<int8_t>(from, to, count);
    case Dtype::u16:
      return copy<uint16_t>(from, to, count);
    case Dtype::i16:
      return copy<int16_t>(from, to, count);
    case Dtype::u32:
      return copy<uint32_t>(from, to, count);
    case Dtype::i32:
      return copy<int32_t>(from, to, count);
    case Dtype::i64:
      return copy<int64_t>(from, to, count);
    case Dtype::u64:
      for (size_t i = 0; i < count; ++i) {
        uint64_t value;
        std::memcpy(&value, from + i * sizeof value, sizeof value);
        if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return false;
        to[i] = static_cast<int64_t>(value);
      }
      return true;
    default:
      return false;
  }
}

}  // namespace dws::format
