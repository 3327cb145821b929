// A JSON value. Reading is strict (simdjson: UTF-8 checked, no comments, no trailing bytes; duplicate keys
// refused here); writing keeps key order and numbers round-trip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace dws {

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;  // in the order written

  Json() = default;  // null
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(static_cast<int64_t>(value)) {}
  Json(unsigned value) : value_(static_cast<int64_t>(value)) {}
  Json(long long value) : value_(static_cast<int64_t>(value)) {}
  Json(int64_t value) : value_(value) {}
  Json(uint64_t value) : value_(value) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}
  static Json object(Object fields = {}) { return Json(std::move(fields)); }
  static Json array(Array items = {}) { return Json(std::move(items)); }

  bool is_null() const noexcept { return std::holds_alternative<std::monostate>(value_); }
  bool is_object() const noexcept { return std::holds_alternative<Object>(value_); }
  bool is_array() const noexcept { return std::holds_alternative<Array>(value_); }
  bool is_string() const noexcept { return std::holds_alternative<std::string>(value_); }
  bool is_number() const noexcept;   // integer or floating point
  bool is_integer() const noexcept;  // written without point or exponent
  bool is_bool() const noexcept { return std::holds_alternative<bool>(value_); }

  // Each throws Error{bad_schema} naming `what` when the value is of another type or out of range.
  bool as_bool(std::string_view what = "value") const;
  int64_t as_int(std::string_view what = "value") const;
  uint64_t as_u64(std::string_view what = "value") const;
  double as_double(std::string_view what = "value") const;
  const std::string& as_string(std::string_view what = "value") const;
  const Array& as_array(std::string_view what = "value") const;
  const Object& as_object(std::string_view what = "value") const;

  // Member of an object: nullptr when absent (or when this is no object).
  const Json* find(std::string_view key) const noexcept;
  // Member of an object; throws Error{bad_schema} "missing field 'key'".
  const Json& at(std::string_view key) const;
  // Sets (replaces or appends) a member; a null value becomes an object first.
  Json& set(std::string key, Json value);
  void push_back(Json value);

  // indent < 0: one line. NaN and infinity are written as null, bytes that are no UTF-8 as U+FFFD.
  std::string dump(int indent = -1) const;
  // Throws Error{bad_json|bad_utf8|resource_limit}; `name` (a file) stands first in the message. Refuses a
  // byte order mark, duplicate keys, lone surrogates, integers beyond 64 bits, and nesting deeper than
  // max_depth.
  static Json parse(std::string_view bytes, std::string_view name, int max_depth = 64);

 private:
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Array, Object> value_;
};

}  // namespace dws
