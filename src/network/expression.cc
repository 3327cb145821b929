#include "network/expression.h"

#include <cmath>

#include "core/error.h"
#include "core/text.h"

namespace dws::network {
namespace {

class Parser {
 public:
  Parser(std::string_view expression, const std::function<std::optional<double>(std::string_view)>& size,
         const std::string& what)
      : text_(expression), size_(size), what_(what) {}

  double whole() {
    const double value = sum(0);
    skip();
    if (at_ != text_.size()) fail("ends too early");
    return value;
  }

 private:
  static constexpr int kDepth = 32;

  [[noreturn]] void fail(const std::string& why) const {
    throw Error(ErrorKind::bad_schema,
                text("{}: the expression '{}' {}", one_line(what_), escaped(text_), why));
  }
  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  double sum(int depth) {
    double value = product(depth);
    for (;;) {
      if (take('+'))
        value += product(depth);
      else if (take('-'))
        value -= product(depth);
      else
        return value;
    }
  }
  double product(int depth) {
    double value = atom(depth);
    for (;;) {
      if (take('*')) {
        value *= atom(depth);
      } else if (take('/')) {
        const double by = atom(depth);
        if (by == 0) fail("divides by 0");
        value /= by;
      } else {
        return value;
      }
    }
  }
  double atom(int depth) {
    if (depth > kDepth) fail("is nested too deep");
    if (take('(')) return closed(depth);
    const std::string_view digits = run("0123456789.");
    if (!digits.empty()) {
      double value = 0;
      try {
        value = parse_double(digits, "");
      } catch (const Error&) {
        fail(text("has '{}' in place of a number", escaped(digits)));
      }
      return value;
    }
    const std::string_view name = run("abcdefghijklmnopqrstuvwxyz_0123456789");
    if (name.empty()) fail("is none");
    if (name == "sqrt") {
      if (!take('(')) fail("has sqrt without (");
      const double of = closed(depth);
      if (of < 0) fail("takes the root of a negative number");
      return std::sqrt(of);
    }
    const std::optional<double> value = size_(name);
    if (!value) fail(text("names '{}', which is no size", escaped(name)));
    return *value;
  }
  double closed(int depth) {
    const double value = sum(depth + 1);
    if (!take(')')) fail("lacks a )");
    return value;
  }
  std::string_view run(std::string_view letters) {
    skip();
    const size_t end = std::min(text_.find_first_not_of(letters, at_), text_.size());
    const std::string_view found = text_.substr(at_, end - at_);
    at_ = end;
    return found;
  }

  std::string_view text_;
  const std::function<std::optional<double>(std::string_view)>& size_;
  const std::string& what_;
  size_t at_ = 0;
};

}  // namespace

double evaluate(std::string_view expression,
                const std::function<std::optional<double>(std::string_view)>& size, const std::string& what) {
  return Parser(expression, size, what).whole();
}

}  // namespace dws::network
