#include "format/zoo_checks.h"

#include <bit>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "format/convert.h"
#include "format/failure.h"

namespace dws::format {
namespace {

// NaN and infinities are the floats whose exponent bits are all set. Integer code, so that the compiler may
// vectorise it and no floating-point option can take the check away.
bool all_finite(std::span<const float> values) noexcept {
  uint32_t found = 0;
  for (const float value : values) {
    found |= static_cast<uint32_t>((std::bit_cast<uint32_t>(value) & 0x7F800000u) == 0x7F800000u);
  }
  return found == 0;
}

}  // namespace

std::string weight_name(int layer) {
  return text("layers.{}.weight", layer);
}
std::string bias_name(int layer) {
  return text("layers.{}.bias", layer);
}

void require_float(const std::string& file, const TensorEntry& entry) {
  if (is_float_dtype(entry.dtype)) return;
  fail(ErrorKind::unknown_dtype, {.file = file,
                                  .what = "wrong dtype of a weight",
                                  .tensor = entry.name,
                                  .expected = "F32, F64, F16 or BF16",
                                  .got = dtype_name(entry.dtype)});
}

void require_finite(std::span<const float> values, const NetworkPlace& place, std::string_view tensor) {
  if (all_finite(values)) return;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!all_finite(values.subspan(i, 1))) {
      const char* kind = std::isnan(values[i]) ? "NaN" : values[i] > 0 ? "inf" : "-inf";
      const std::string network = place.network < 0 ? std::string() : text("network {}, ", place.network);
      throw Error(ErrorKind::bad_value, text("{}: {}tensor {}: not finite ({}) at element {}", place.file,
                                             network, escaped(tensor), kind, i));
    }
  }
}

}  // namespace dws::format
