// Texts within XML and DOT.
#pragma once

#include <string>
#include <string_view>

namespace dws::weights {

// For XML 1.0, in text and in attributes: markup as entities; characters that XML has not, and bytes that are no UTF-8, as
// U+FFFD.
std::string xml_text(std::string_view raw);
// Between quotes of DOT.
std::string dot_text(std::string_view raw);

}  // namespace dws::weights
