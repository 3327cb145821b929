// A font of 5 x 7 dots for captions: digits, capitals, some signs.
#pragma once

#include <array>
#include <cstdint>

namespace dws {

inline constexpr int64_t kGlyphWidth = 5, kGlyphHeight = 7;
using Glyph = std::array<uint8_t, kGlyphHeight>;  // rows from the top; bit 4 is the leftmost dot

// Small letters look like capitals; what the font does not have is a box.
const Glyph& glyph_of(char c) noexcept;

}  // namespace dws
