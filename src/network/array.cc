#include "network/array.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/dtype.h"
#include "core/text.h"

namespace dws::network {
namespace {

template <class T>
T load(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);  // payloads are not aligned
  return value;
}

template <class Stored, class Out, class Convert>
void spread(Bytes bytes, std::vector<Out>& out, Convert convert) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = convert(load<Stored>(bytes.data() + i * sizeof(Stored)));
}
template <class Stored, class In, class Convert>
void gather(const std::vector<In>& in, std::vector<std::byte>& bytes, Convert convert) {
  for (size_t i = 0; i < in.size(); ++i) {
    const Stored value = convert(in[i]);
    std::memcpy(bytes.data() + i * sizeof(Stored), &value, sizeof(Stored));
  }
}
template <class Stored, class Out>
void spread_as(Bytes bytes, std::vector<Out>& out) {
  spread<Stored>(bytes, out, [](Stored v) { return static_cast<Out>(v); });
}
template <class Stored, class In>
void gather_as(const std::vector<In>& in, std::vector<std::byte>& bytes) {
  gather<Stored>(in, bytes, [](In v) { return static_cast<Stored>(v); });
}

// Types of 4 and 2 bits: packed from the low bits of each byte.
void spread_packed(OnnxType type, Bytes bytes, std::vector<int64_t>& out) {
  const int bits = onnx_type_bits(type), per_byte = 8 / bits;
  const int64_t mask = (1 << bits) - 1;
  for (size_t i = 0; i < out.size(); ++i) {
    const auto byte = static_cast<int64_t>(bytes[i / static_cast<size_t>(per_byte)]);
    out[i] = wrap_to(type, (byte >> (bits * static_cast<int>(i % static_cast<size_t>(per_byte)))) & mask);
  }
}
void gather_packed(OnnxType type, const std::vector<int64_t>& in, std::vector<std::byte>& bytes) {
  const int bits = onnx_type_bits(type), per_byte = 8 / bits;
  const int64_t mask = (1 << bits) - 1;
  for (size_t i = 0; i < in.size(); ++i)
    bytes[i / static_cast<size_t>(per_byte)] |= static_cast<std::byte>(
        (in[i] & mask) << (bits * static_cast<int>(i % static_cast<size_t>(per_byte))));
}

[[noreturn]] void cannot_run(OnnxType type) {
  throw Error(ErrorKind::unknown_dtype, text("numbers of type {} cannot be run", onnx_type_name(type)));
}

}  // namespace

bool is_real(OnnxType type) noexcept {
  return type == OnnxType::f32 || type == OnnxType::f64 || type == OnnxType::f16 || type == OnnxType::bf16;
}
bool is_integer(OnnxType type) noexcept {
  switch (type) {
    case OnnxType::u8:
    case OnnxType::i8:
    case OnnxType::u16:
    case OnnxType::i16:
    case OnnxType::i32:
    case OnnxType::i64:
    case OnnxType::boolean:
    case OnnxType::u32:
    case OnnxType::u64:
    case OnnxType::u4:
    case OnnxType::i4:
    case OnnxType::u2:
    case OnnxType::i2:
      return true;
    default:
      return false;
  }
}

int64_t elements(const std::vector<int64_t>& dims) {
  int64_t product = 1;
  for (const int64_t extent : dims)
    if (extent < 0 || __builtin_mul_overflow(product, extent, &product))
      throw Error(ErrorKind::shape_overflow, text("a shape of {} axes is beyond 64 bits", dims.size()));
  return product;
}
int64_t Array::size() const noexcept {
  int64_t product = 1;
  for (const int64_t extent : dims) product *= extent;
  return product;
}

Array to_array(const Constant& constant) {
  Array a{.type = constant.type, .dims = constant.dims};
  const auto count = static_cast<size_t>(elements(constant.dims));
  if (is_real(a.type))
    a.reals.resize(count);
  else if (is_integer(a.type))
    a.ints.resize(count);
  else
    cannot_run(a.type);
  const Bytes b = constant.bytes;
  switch (a.type) {
    case OnnxType::f32:
      spread_as<float>(b, a.reals);
      break;
    case OnnxType::f64:
      spread_as<double>(b, a.reals);
      break;
    case OnnxType::f16:
      spread<uint16_t>(b, a.reals, [](uint16_t v) { return double{f16_to_float(v)}; });
      break;
    case OnnxType::bf16:
      spread<uint16_t>(b, a.reals, [](uint16_t v) { return double{bf16_to_float(v)}; });
      break;
    case OnnxType::u8:
      spread_as<uint8_t>(b, a.ints);
      break;
    case OnnxType::i8:
      spread_as<int8_t>(b, a.ints);
      break;
    case OnnxType::u16:
      spread_as<uint16_t>(b, a.ints);
      break;
    case OnnxType::i16:
      spread_as<int16_t>(b, a.ints);
      break;
    case OnnxType::u32:
      spread_as<uint32_t>(b, a.ints);
      break;
    case OnnxType::i32:
      spread_as<int32_t>(b, a.ints);
      break;
    case OnnxType::u64:
      spread_as<uint64_t>(b, a.ints);
      break;
    case OnnxType::i64:
      spread_as<int64_t>(b, a.ints);
      break;
    case OnnxType::boolean:
      spread<uint8_t>(b, a.ints, [](uint8_t v) { return int64_t{v != 0}; });
      break;
    default:
      spread_packed(a.type, b, a.ints);
      break;
  }
  return a;
}

std::vector<std::byte> to_bytes(const Array& a) {
  const int bits = onnx_type_bits(a.type);
  if (!is_real(a.type) && !is_integer(a.type)) cannot_run(a.type);
  std::vector<std::byte> b((static_cast<size_t>(a.size()) * static_cast<size_t>(bits) + 7) / 8);
  switch (a.type) {
    case OnnxType::f32:
      gather_as<float>(a.reals, b);
      break;
    case OnnxType::f64:
      gather_as<double>(a.reals, b);
      break;
    case OnnxType::f16:
      gather<uint16_t>(a.reals, b, [](double v) { return float_to_f16(static_cast<float>(v)); });
      break;
    case OnnxType::bf16:
      gather<uint16_t>(a.reals, b, [](double v) { return float_to_bf16(static_cast<float>(v)); });
      break;
    case OnnxType::u8:
    case OnnxType::i8:
    case OnnxType::boolean:
      gather_as<uint8_t>(a.ints, b);
      break;
    case OnnxType::u16:
    case OnnxType::i16:
      gather_as<uint16_t>(a.ints, b);
      break;
    case OnnxType::u32:
    case OnnxType::i32:
      gather_as<uint32_t>(a.ints, b);
      break;
    case OnnxType::u64:
    case OnnxType::i64:
      gather_as<uint64_t>(a.ints, b);
      break;
    default:
      gather_packed(a.type, a.ints, b);
      break;
  }
  return b;
}

double round_to(OnnxType type, double value) noexcept {
  switch (type) {
    case OnnxType::f32:
      return static_cast<float>(value);
    case OnnxType::f16:
      return f16_to_float(float_to_f16(static_cast<float>(value)));
    case OnnxType::bf16:
      return bf16_to_float(float_to_bf16(static_cast<float>(value)));
    default:
      return value;
  }
}
int64_t wrap_to(OnnxType type, int64_t value) noexcept {
  switch (type) {
    case OnnxType::boolean:
      return value != 0;
    case OnnxType::u8:
      return static_cast<uint8_t>(value);
    case OnnxType::i8:
      return static_cast<int8_t>(value);
    case OnnxType::u16:
      return static_cast<uint16_t>(value);
    case OnnxType::i16:
      return static_cast<int16_t>(value);
    case OnnxType::u32:
      return static_cast<uint32_t>(value);
    case OnnxType::i32:
      return static_cast<int32_t>(value);
    case OnnxType::u4:
      return value & 15;
    case OnnxType::i4:
      return (value & 15) - ((value & 8) << 1);
    case OnnxType::u2:
      return value & 3;
    case OnnxType::i2:
      return (value & 3) - ((value & 2) << 1);
    default:
      return value;
  }
}

}  // namespace dws::network
