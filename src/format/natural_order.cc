#include "format/natural_order.h"

#include <cstddef>

namespace dws::format {
namespace {

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// Takes the digits at the front of `rest`, without leading zeros.
std::string_view take_digits(std::string_view& rest) noexcept {
  size_t end = 0;
  while (end < rest.size() && is_digit(rest[end])) ++end;
  std::string_view digits = rest.substr(0, end);
  rest.remove_prefix(end);
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  return digits;
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) noexcept {
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const std::string_view x = take_digits(a), y = take_digits(b);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else {
      if (a.front() !=
          b.front())  // bytes: a letter of UTF-8 comes behind those of ASCII, whatever sign char has
        return static_cast<unsigned char>(a.front()) < static_cast<unsigned char>(b.front());
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  return a.empty() && !b.empty();
}

}  // namespace dws::format
