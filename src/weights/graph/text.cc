#include "weights/graph/text.h"

#include <cstddef>
#include <cstdint>

#include "core/text.h"

namespace dws::weights {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bytes of the character that begins at `at`, 0 where that is no UTF-8.
size_t character(std::string_view s, size_t at, uint32_t& code) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char lead = byte(at);
  const size_t n = lead < 0x80                   ? 1
                   : lead >= 0xC2 && lead < 0xE0 ? 2
                   : lead >= 0xE0 && lead < 0xF0 ? 3
                   : lead >= 0xF0 && lead < 0xF5 ? 4
                                                 : 0;
  if (n == 0 || at + n > s.size()) return 0;
  code = n == 1 ? lead : lead & (0xFFu >> (n + 1));
  for (size_t i = 1; i < n; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(at + i) & 0x3Fu);
  }
  const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  return code < least[n] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ? 0 : n;
}

}  // namespace

std::string xml_text(std::string_view raw) {
  std::string out;
  for (size_t i = 0; i < raw.size();) {
    uint32_t code = 0;
    const size_t n = character(raw, i, code);
    const bool control = code < 0x20 && code != '\t' && code != '\n' && code != '\r';
    if (n == 0 || control || code == 0xFFFE || code == 0xFFFF)
      out += kReplacement;
    else if (code == '&')
      out += "&amp;";
    else if (code == '<')
      out += "&lt;";
    else if (code == '>')
      out += "&gt;";
    else if (code == '"')
      out += "&quot;";
    else if (code < 0x20)
      out += text("&#{};", code);
    else
      out += raw.substr(i, n);
    i += n == 0 ? 1 : n;
  }
  return out;
}

std::string dot_text(std::string_view raw) {
  std::string out;
  for (size_t i = 0; i < raw.size();) {
    uint32_t code = 0;
    const size_t n = character(raw, i, code);
    if (n == 0 || code < 0x20)
      out += kReplacement;
    else if (code == '"' || code == '\\')
      out += text("\\{}", static_cast<char>(code));
    else
      out += raw.substr(i, n);
    i += n == 0 ? 1 : n;
  }
  return out;
}

}  // namespace dws::weights
