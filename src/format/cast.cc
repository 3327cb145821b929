#include "format/cast.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/interrupt.h"
#include "format/convert.h"

namespace dws {
namespace {

constexpr size_t kPiece = size_t{1} << 16;  // numbers
constexpr size_t kBytes = size_t{1} << 24;  // of a piece that stays as it is

// Rounded so that a second rounding, to half the digits or fewer, is the only one that counts (round to odd; Boldo and
// Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
float round_to_odd(double x) noexcept {
  const auto nearest = static_cast<float>(x);
  if (!std::isfinite(nearest) || static_cast<double>(nearest) == x) return nearest;
  const bool away = std::abs(static_cast<double>(nearest)) > std::abs(x);
  const float toward_zero = away ? std::nextafter(nearest, 0.0f) : nearest;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(toward_zero) | 1u);
}

template <class To>
To narrow(double x, Dtype to) noexcept {
  if constexpr (sizeof(To) == 2) {
    return to == Dtype::f16 ? float_to_f16(round_to_odd(x)) : float_to_bf16(round_to_odd(x));
  } else {
    return static_cast<To>(x);
  }
}
bool infinite(uint16_t bits, Dtype type) noexcept {
  return std::isinf(type == Dtype::f16 ? f16_to_float(bits) : bf16_to_float(bits));
}
bool infinite(float x, Dtype) noexcept {
  return std::isinf(x);
}
bool infinite(double x, Dtype) noexcept {
  return std::isinf(x);
}

template <class To>
void stream(Dtype from, Bytes bytes, Dtype to, CastCount& count,
            const std::function<void(const void*, size_t)>& sink) {
  const size_t width = static_cast<size_t>(dtype_bits(from)) / 8, size = bytes.size() / width;
  std::vector<double> wide(std::min(size, kPiece));
  std::vector<float> single(wide.size());
  std::vector<To> out(wide.size());
  for (size_t at = 0; at < size; at += kPiece) {
    check_interrupt();
    const size_t n = std::min(kPiece, size - at);
    const std::byte* source = bytes.data() + at * width;
    if (from == Dtype::f64) {
      format::convert(from, source, wide.data(), n);
    } else {
      format::convert(from, source, single.data(), n);
      std::copy_n(single.begin(), n, wide.begin());
    }
    for (size_t i = 0; i < n; ++i) {
      out[i] = narrow<To>(wide[i], to);
      count.overflowed += infinite(out[i], to) && std::isfinite(wide[i]);
    }
    sink(out.data(), n * sizeof(To));
  }
}

}  // namespace

TensorSource cast(std::string name, Dtype from, std::vector<int64_t> shape, Bytes bytes, Dtype to,
                  std::shared_ptr<CastCount> count) {
  if (from == to || !format::is_float_dtype(from) || !format::is_float_dtype(to))
    return {std::move(name), from, std::move(shape),
            [=](const std::function<void(const void*, size_t)>& sink) {
              for (size_t at = 0; at < bytes.size(); at += kBytes) {
                check_interrupt();
                sink(bytes.data() + at, std::min(kBytes, bytes.size() - at));
              }
            }};
  return {std::move(name), to, std::move(shape), [=](const std::function<void(const void*, size_t)>& sink) {
            if (to == Dtype::f64)
              stream<double>(from, bytes, to, *count, sink);
            else if (to == Dtype::f32)
              stream<float>(from, bytes, to, *count, sink);
            else
              stream<uint16_t>(from, bytes, to, *count, sink);
          }};
}

}  // namespace dws
