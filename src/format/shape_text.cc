#include "format/shape_text.h"

namespace dws::format {

std::optional<uint64_t> checked_elements(std::span<const int64_t> shape) noexcept {
  uint64_t product = 1;
  for (const int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(product, static_cast<uint64_t>(extent), &product)) return {};
  }
  return product;
}

std::optional<uint64_t> checked_bits(std::span<const int64_t> shape, Dtype dtype) noexcept {
  const std::optional<uint64_t> elements = checked_elements(shape);
  uint64_t bits = 0;
  if (!elements || __builtin_mul_overflow(*elements, static_cast<uint64_t>(dtype_bits(dtype)), &bits))
    return {};
  return bits;
}

}  // namespace dws::format
