#include "core/utf8.h"

#include <cstdint>

namespace dws {

size_t utf8_length(std::string_view bytes) noexcept {
  if (bytes.empty()) return 0;
  const uint32_t lead = static_cast<unsigned char>(bytes[0]);
  if (lead < 0x80) return 1;
  const size_t length = lead >> 5 == 0x6 ? 2 : lead >> 4 == 0xE ? 3 : lead >> 3 == 0x1E ? 4 : 0;
  if (length == 0 || bytes.size() < length) return 0;
  uint32_t code = lead & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    const uint32_t byte = static_cast<unsigned char>(bytes[i]);
    if (byte >> 6 != 0x2) return 0;
    code = code << 6 | (byte & 0x3F);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code < kSmallest[length] || code > 0x10FFFF || surrogate ? 0 : length;
}

size_t first_bad_utf8(std::string_view bytes) noexcept {
  for (size_t i = 0; i < bytes.size();) {
    const size_t length = utf8_length(bytes.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

}  // namespace dws
