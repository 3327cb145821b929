#include "core/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"

namespace dws {

std::string escaped(std::string_view raw, size_t limit) {
  std::string out;
  for (char c : raw) {
    const unsigned char byte = static_cast<unsigned char>(c);
    std::string piece;
    if (c == '\\') {
      piece = "\\\\";
    } else if (c == '\n') {
      piece = "\\n";
    } else if (c == '\r') {
      piece = "\\r";
    } else if (c == '\t') {
      piece = "\\t";
    } else if (byte >= 0x20 && byte < 0x7F) {
      piece = c;
    } else {
      piece = text("\\x{:02x}", byte);
    }
    if (out.size() + piece.size() > limit) return out + "...";
    out += piece;
  }
  return out;
}

std::string one_line(std::string_view raw) {
  std::string out;
  for (char c : raw) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    if (control) {
      out += escaped({&c, 1});
    } else {
      out += c;
    }
  }
  return out;
}

std::vector<std::string> split(std::string_view line, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t at = line.find(separator);
    parts.emplace_back(line.substr(0, at));
    if (at == std::string_view::npos) return parts;
    line.remove_prefix(at + 1);
  }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i) out += separator;
    out += parts[i];
  }
  return out;
}

namespace {

// Optimal string alignment: insertions, deletions, substitutions, swaps of neighbours.
size_t edit_distance(std::string_view a, std::string_view b) {
  const size_t columns = b.size() + 1;
  std::vector<size_t> older(columns), last(columns), row(columns);
  for (size_t j = 0; j < columns; ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j < columns; ++j) {
      const size_t substitute = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitute});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], older[j - 2] + 1);
      }
    }
    older.swap(last);
    last.swap(row);
  }
  return last[columns - 1];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(word, candidate);
    // As many edits as letters would make anything near.
    if (distance < best_distance && distance < std::max(word.size(), candidate.size())) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

namespace {

template <class T>
T parse_whole(std::string_view digits, std::string_view what, const char* wanted) {
  T value{};
  const char* end = digits.data() + digits.size();
  const auto [stop, code] = std::from_chars(digits.data(), end, value);
  if (code == std::errc::result_out_of_range) {
    throw Error(ErrorKind::usage, text("{}: '{}' is out of range", what, escaped(digits)));
  }
  if (code != std::errc{} || stop != end) {
    throw Error(ErrorKind::usage, text("{}: expected {}, got '{}'", what, wanted, escaped(digits)));
  }
  return value;
}

template <class T>
std::string shortest(T value) {
  char room[64];
  const auto [end, code] = std::to_chars(room, room + sizeof room, value);
  return {room, code == std::errc{} ? end : room};
}

}  // namespace

std::optional<int64_t> to_int(std::string_view digits) noexcept {
  int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, code] = std::from_chars(digits.data(), end, value);
  if (code != std::errc{} || stop != end) return {};
  return value;
}

long long parse_int(std::string_view digits, std::string_view what) {
  return parse_whole<long long>(digits, what, "a whole number");
}

double parse_double(std::string_view digits, std::string_view what) {
  return parse_whole<double>(digits, what, "a number");
}

uint64_t parse_bytes(std::string_view size, std::string_view what) {
  const size_t digits = std::min(size.find_first_not_of("0123456789."), size.size());
  const std::string_view unit = size.substr(digits);
  double factor = unit.empty() || unit == "B" ? 1 : 0;
  constexpr std::string_view kLetters = "KMGT";
  if (!unit.empty() && kLetters.find(unit[0]) != std::string_view::npos) {
    const auto power = static_cast<double>(kLetters.find(unit[0]) + 1);
    if (unit.substr(1) == "B" || unit.size() == 1) factor = std::pow(1000.0, power);
    if (unit.substr(1) == "iB") factor = std::pow(1024.0, power);
  }
  const auto fail = [&] {
    throw Error(ErrorKind::usage,
                text("{} {}: expected a number of bytes, 500MB or 2GiB for example", what, escaped(size)));
  };
  if (digits == 0 || factor == 0) fail();
  const double bytes = parse_double(size.substr(0, digits), what) * factor;
  if (!(bytes >= 0 && bytes < 1.8e19)) fail();
  return static_cast<uint64_t>(bytes);
}

std::string number(double value) {
  return shortest(value);
}
std::string number(float value) {
  return shortest(value);
}

}  // namespace dws
