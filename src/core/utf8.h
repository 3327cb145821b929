// UTF-8, as RFC 3629 defines it: no overlong forms, no surrogates, nothing beyond U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace dws {

// Bytes of the character that `bytes` begins with, or 0 when it begins with none.
size_t utf8_length(std::string_view bytes) noexcept;

// Position of the first byte that belongs to no character, or npos when all do.
size_t first_bad_utf8(std::string_view bytes) noexcept;

}  // namespace dws
