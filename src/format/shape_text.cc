#include "format/shape_text.h"

#include "core/text.h"

namespace dws::format {

std::string shape_text(std::span<const int64_t> shape) {
  std::string out = "(";
  for (size_t i = 0; i < shape.size(); ++i) out += text("{}{}", i ? ", " : "", shape[i]);
  return out + (shape.size() == 1 ? ",)" : ")");
}

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
