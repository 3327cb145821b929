#include "format/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>

namespace dws {
namespace {

bool digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

template <size_t N>
bool one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::string without_underscores(std::string_view text) {
  std::string plain(text);
  std::erase(plain, '_');
  return plain;
}

bool take_sign(std::string_view& text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  return negative;
}

// The digits of an integer and their base, by YAML 1.1: 0b101, 017, 0x1F, 17; underscores between digits do not count.
struct Digits {
  std::string digits;
  int base = 10;
};
std::optional<Digits> integer_digits(std::string_view text) {
  const auto all = [](std::string_view s, auto&& is) {
    return !s.empty() && std::all_of(s.begin(), s.end(), [&](char c) { return c == '_' || is(c); });
  };
  Digits found;
  const auto finish = [&](std::string_view digits, int base) -> std::optional<Digits> {
    found = {without_underscores(digits), base};
    return found.digits.empty() ? std::nullopt : std::optional(found);
  };
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  const auto hex = [](char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); };
  if (text == "0") return finish(text, 10);
  if (text.starts_with("0b"))
    return all(text.substr(2), [](char c) { return c == '0' || c == '1'; }) ? finish(text.substr(2), 2)
                                                                            : std::nullopt;
  if (text.starts_with("0x")) return all(text.substr(2), hex) ? finish(text.substr(2), 16) : std::nullopt;
  if (text.starts_with('0')) return all(text.substr(1), octal) ? finish(text.substr(1), 8) : std::nullopt;
  if (text.empty() || !digit(text.front()) || !all(text, digit)) return std::nullopt;
  return finish(text, 10);
}

// Whether `text` (without a sign) is digits with a point, or with an exponent, or both, as YAML 1.1 or 1.2 spell numbers.
bool spells_float(std::string_view text) {
  size_t i = 0, before = 0, after = 0;
  bool point = false, exponent = false;
  for (; i < text.size() && (digit(text[i]) || (text[i] == '_' && i > 0)); ++i) ++before;
  if (i < text.size() && text[i] == '.') {
    point = true;
    for (++i; i < text.size() && (digit(text[i]) || text[i] == '_'); ++i) after += text[i] != '_';
  }
  if (before + after == 0) return false;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    exponent = true;
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    const size_t first = i;
    while (i < text.size() && digit(text[i])) ++i;
    if (i == first) return false;
  }
  return i == text.size() && (point || exponent);
}

}  // namespace

std::optional<Json> yaml_null(std::string_view text) {
  static constexpr std::array<std::string_view, 5> kNull{"", "~", "null", "Null", "NULL"};
  return one_of(text, kNull) ? std::optional(Json()) : std::nullopt;
}

std::optional<Json> yaml_bool(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kTrue{"true", "True", "TRUE", "yes", "Yes",
                                                         "YES",  "on",   "On",   "ON"};
  static constexpr std::array<std::string_view, 9> kFalse{"false", "False", "FALSE", "no", "No",
                                                          "NO",    "off",   "Off",   "OFF"};
  if (one_of(text, kTrue)) return Json(true);
  if (one_of(text, kFalse)) return Json(false);
  return std::nullopt;
}

std::optional<Json> yaml_int(std::string_view text) {
  const bool negative = take_sign(text);
  const std::optional<Digits> found = integer_digits(text);
  if (!found) return std::nullopt;
  uint64_t value = 0;
  const char* end = found->digits.data() + found->digits.size();
  const auto [stop, error] = std::from_chars(found->digits.data(), end, value, found->base);
  if (error != std::errc() || stop != end) return std::nullopt;
  if (!negative) return value <= INT64_MAX ? Json(static_cast<int64_t>(value)) : Json(value);
  if (value > static_cast<uint64_t>(INT64_MAX) + 1) return std::nullopt;
  return Json(static_cast<int64_t>(0 - value));
}

std::optional<Json> yaml_float(std::string_view text) {
  const bool negative = take_sign(text);
  static constexpr std::array<std::string_view, 3> kInf{".inf", ".Inf", ".INF"}, kNan{".nan", ".NaN", ".NAN"};
  if (one_of(text, kInf)) return Json(negative ? -INFINITY : INFINITY);
  if (one_of(text, kNan)) return Json(std::numeric_limits<double>::quiet_NaN());
  if (!spells_float(text)) return std::nullopt;
  const std::string plain = without_underscores(text);
  double value = 0;
  const char* end = plain.data() + plain.size();
  const auto [stop, error] = std::from_chars(plain.data(), end, value);
  if (stop != end) return std::nullopt;
  // Beyond the range: the nearest that there is, as everywhere where numbers are read.
  if (error == std::errc::result_out_of_range) value = std::strtod(plain.c_str(), nullptr);
  return Json(negative ? -value : value);
}

std::optional<Json> yaml_plain_scalar(std::string_view text) {
  if (auto value = yaml_null(text)) return value;
  if (auto value = yaml_bool(text)) return value;
  if (auto value = yaml_int(text)) return value;
  if (auto value = yaml_float(text)) return value;
  std::string_view digits = text;
  take_sign(digits);
  if (integer_digits(digits)) return std::nullopt;
  return Json(text);
}

}  // namespace dws
