// Text formatting (libfmt behind one name) and small string helpers.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dws {

// text("{} of {}", a, b): fmt syntax, checked at compile time.
template <class... Args>
std::string text(fmt::format_string<Args...> format, Args&&... args) {
  return fmt::format(format, std::forward<Args>(args)...);
}

// Printable ASCII as it is, everything else as \xNN or \u escapes; at most `limit` bytes, then "...".
std::string escaped(std::string_view raw, size_t limit = 120);

// Control characters as escapes, everything else (UTF-8 too) as it is: file names in one-line messages.
std::string one_line(std::string_view raw);

std::vector<std::string> split(std::string_view line, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// The nearest of `candidates` by edit distance, or "" when none is near; for "did you mean".
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

// The integer that `digits` writes, whole and without sign "+" or spaces; empty for anything else.
std::optional<int64_t> to_int(std::string_view digits) noexcept;
// Whole-string parse of a decimal integer or number; throws Error{usage} naming `what`.
long long parse_int(std::string_view digits, std::string_view what);
double parse_double(std::string_view digits, std::string_view what);
// Bytes: "123", "500MB", "1.5GiB" (KB, MB, GB, TB of 1000; KiB, MiB, GiB, TiB of 1024). Throws Error{usage} naming `what`.
uint64_t parse_bytes(std::string_view size, std::string_view what);

// Shortest decimal text that reads back to the same number.
std::string number(double value);
std::string number(float value);

}  // namespace dws
