#pragma once

#include <string_view>

namespace dws::format {

// Order of names with numbers inside: runs of digits compare as integers of any length, the rest byte by
// byte, so that "net.2" comes before "net.10". A strict weak order; equal only for names equal but for
// leading zeros.
bool natural_less(std::string_view a, std::string_view b) noexcept;

}  // namespace dws::format
