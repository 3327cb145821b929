#include "core/json.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_set>

#include "core/error.h"
#include "core/text.h"
#include "core/utf8.h"

namespace dws {
namespace {

const char* type_name(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_bool()) return "true or false";
  if (value.is_string()) return "a string";
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  return value.is_integer() ? "an integer" : "a number";
}

[[noreturn]] void throw_type(const Json& value, std::string_view what, const char* wanted) {
  throw Error(ErrorKind::bad_schema,
              text("{}: expected {}, got {}", one_line(what), wanted, type_name(value)));
}

[[noreturn]] void throw_range(std::string_view what, const char* wanted) {
  throw Error(ErrorKind::bad_schema, text("{}: expected {}: out of range", one_line(what), wanted));
}

}  // namespace

bool Json::is_number() const noexcept {
  return is_integer() || std::holds_alternative<double>(value_);
}

bool Json::is_integer() const noexcept {
  return std::holds_alternative<int64_t>(value_) || std::holds_alternative<uint64_t>(value_);
}

bool Json::as_bool(std::string_view what) const {
  if (const bool* value = std::get_if<bool>(&value_)) return *value;
  throw_type(*this, what, "true or false");
}

int64_t Json::as_int(std::string_view what) const {
  if (const int64_t* value = std::get_if<int64_t>(&value_)) return *value;
  if (const uint64_t* value = std::get_if<uint64_t>(&value_)) {
    if (*value <= static_cast<uint64_t>(INT64_MAX)) return static_cast<int64_t>(*value);
    throw_range(what, "a signed 64-bit integer");
  }
  throw_type(*this, what, "an integer");
}

uint64_t Json::as_u64(std::string_view what) const {
  if (const uint64_t* value = std::get_if<uint64_t>(&value_)) return *value;
  if (const int64_t* value = std::get_if<int64_t>(&value_)) {
    if (*value >= 0) return static_cast<uint64_t>(*value);
    throw_range(what, "an integer of at least 0");
  }
  throw_type(*this, what, "an integer");
}

double Json::as_double(std::string_view what) const {
  if (const double* value = std::get_if<double>(&value_)) return *value;
  if (const int64_t* value = std::get_if<int64_t>(&value_)) return static_cast<double>(*value);
  if (const uint64_t* value = std::get_if<uint64_t>(&value_)) return static_cast<double>(*value);
  throw_type(*this, what, "a number");
}

const std::string& Json::as_string(std::string_view what) const {
  if (const std::string* value = std::get_if<std::string>(&value_)) return *value;
  throw_type(*this, what, "a string");
}

const Json::Array& Json::as_array(std::string_view what) const {
  if (const Array* value = std::get_if<Array>(&value_)) return *value;
  throw_type(*this, what, "an array");
}

const Json::Object& Json::as_object(std::string_view what) const {
  if (const Object* value = std::get_if<Object>(&value_)) return *value;
  throw_type(*this, what, "an object");
}

const Json* Json::find(std::string_view key) const noexcept {
  if (const Object* fields = std::get_if<Object>(&value_)) {
    for (const auto& [name, value] : *fields) {
      if (name == key) return &value;
    }
  }
  return nullptr;
}

const Json& Json::at(std::string_view key) const {
  if (const Json* value = find(key)) return *value;
  throw Error(ErrorKind::bad_schema, text("missing field '{}'", escaped(key)));
}

Json& Json::set(std::string key, Json value) {
  if (is_null()) value_ = Object{};
  Object* fields = std::get_if<Object>(&value_);
  if (!fields) throw_type(*this, key, "an object to set a field of");
  for (auto& [name, old] : *fields) {
    if (name == key) {
      old = std::move(value);
      return *this;
    }
  }
  fields->emplace_back(std::move(key), std::move(value));
  return *this;
}

void Json::push_back(Json value) {
  if (is_null()) value_ = Array{};
  Array* items = std::get_if<Array>(&value_);
  if (!items) throw_type(*this, "value", "an array to append to");
  items->push_back(std::move(value));
}

namespace {

[[noreturn]] void throw_too_deep(std::string_view name, int max_depth) {
  throw Error(ErrorKind::resource_limit, text("{}: JSON nested deeper than {}", name, max_depth));
}

// Turns a parsed document into a Json; refuses what JSON leaves open and a file must not contain.
class Builder {
 public:
  Builder(std::string_view name, int max_depth) : name_(name), max_depth_(max_depth) {}

  Json build(simdjson::dom::element element, int depth = 1) const {
    using Type = simdjson::dom::element_type;
    switch (element.type()) {
      case Type::NULL_VALUE:
        return {};
      case Type::BOOL:
        return bool{element};
      case Type::INT64:
        return int64_t{element};
      case Type::UINT64:
        return uint64_t{element};
      case Type::DOUBLE:
        return double{element};
      case Type::STRING:
        return std::string_view{element};
      case Type::ARRAY:
        return build_array(element, depth);
      case Type::OBJECT:
        return build_object(element, depth);
    }
    return {};
  }

 private:
  Json build_array(simdjson::dom::array source, int depth) const {
    check(depth);
    Json::Array items;
    items.reserve(source.size());
    for (simdjson::dom::element item : source) items.push_back(build(item, depth + 1));
    return items;
  }

  Json build_object(simdjson::dom::object source, int depth) const {
    check(depth);
    Json::Object fields;
    fields.reserve(source.size());
    std::unordered_set<std::string_view> seen;
    for (auto [key, value] : source) {
      if (!seen.insert(key).second) {
        throw Error(ErrorKind::bad_json, text("{}: duplicate key '{}'", name_, escaped(key)));
      }
      fields.emplace_back(std::string(key), build(value, depth + 1));
    }
    return fields;
  }

  // simdjson's own limit, which protects its parsing, does not count empty arrays and objects.
  void check(int depth) const {
    if (depth > max_depth_) throw_too_deep(name_, max_depth_);
  }

  std::string_view name_;
  int max_depth_;
};

// Reads everything below `value` only to find out where reading fails; goes at most `depth` levels down.
simdjson::error_code walk(simdjson::ondemand::value value, int depth) {
  if (depth == 0) return simdjson::DEPTH_ERROR;
  using Type = simdjson::ondemand::json_type;
  Type type;
  if (auto error = value.type().get(type)) return error;
  switch (type) {
    case Type::array: {
      simdjson::ondemand::array items;
      if (auto error = value.get_array().get(items)) return error;
      for (auto item : items) {
        simdjson::ondemand::value inner;
        if (auto error = item.get(inner)) return error;
        if (auto error = walk(inner, depth - 1)) return error;
      }
      return simdjson::SUCCESS;
    }
    case Type::object: {
      simdjson::ondemand::object fields;
      if (auto error = value.get_object().get(fields)) return error;
      for (auto result : fields) {
        simdjson::ondemand::field field;
        if (auto error = std::move(result).get(field)) return error;
        std::string_view key;
        if (auto error = field.unescaped_key().get(key)) return error;
        if (auto error = walk(field.value(), depth - 1)) return error;
      }
      return simdjson::SUCCESS;
    }
    case Type::number:
      return value.get_number().error();
    case Type::string:
      return value.get_string().error();
    case Type::boolean:
      return value.get_bool().error();
    case Type::null:
      return value.is_null().error();
  }
  return simdjson::SUCCESS;
}

// " near byte N" of a document that does not parse, or nothing when the place is not known.
std::string place_of_error(std::string_view bytes, int max_depth) {
  const simdjson::padded_string padded(bytes);
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  simdjson::ondemand::value root;
  if (parser.iterate(padded).get(document)) return {};
  if (document.get_value().get(root)) return {};
  const auto error = walk(root, max_depth + 1);
  if (!error || error == simdjson::DEPTH_ERROR) return {};
  const char* location = nullptr;
  if (document.current_location().get(location) || !location) return {};
  const auto at = location - padded.data();
  if (at < 0 || at >= static_cast<std::ptrdiff_t>(bytes.size())) return {};
  return text(" near byte {}", at);
}

[[noreturn]] void throw_parse_error(simdjson::error_code code, std::string_view bytes,
                                    const std::string& name, int max_depth) {
  switch (code) {
    case simdjson::DEPTH_ERROR:
      throw_too_deep(name, max_depth);
    case simdjson::CAPACITY:
      throw Error(ErrorKind::resource_limit, text("{}: JSON of {} bytes is too long", name, bytes.size()));
    case simdjson::MEMALLOC:
      throw Error(ErrorKind::resource_limit, text("{}: not enough memory to read JSON", name));
    case simdjson::UTF8_ERROR:
      throw Error(ErrorKind::bad_utf8, text("{}: not UTF-8 at byte {}", name, first_bad_utf8(bytes)));
    case simdjson::EMPTY:
      throw Error(ErrorKind::bad_json, text("{}: not JSON: nothing there", name));
    default:
      break;
  }
  const char* reason = "malformed";
  switch (code) {
    case simdjson::UNESCAPED_CHARS:
      reason = "control character inside a string";
      break;
    case simdjson::UNCLOSED_STRING:
      reason = "a string does not end";
      break;
    case simdjson::STRING_ERROR:
      reason = "a bad escape or a lone surrogate in a string";
      break;
    case simdjson::NUMBER_ERROR:
      reason = "a malformed or too large number";
      break;
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR:
      reason = "expected true, false or null";
      break;
    default:
      break;
  }
  throw Error(ErrorKind::bad_json,
              text("{}: not JSON: {}{}", name, reason, place_of_error(bytes, max_depth)));
}

}  // namespace

Json Json::parse(std::string_view bytes, std::string_view name, int max_depth) {
  const std::string shown = one_line(name);
  if (bytes.substr(0, 3) == "\xEF\xBB\xBF") {
    throw Error(ErrorKind::bad_json, text("{}: not JSON: a byte order mark at byte 0", shown));
  }
  simdjson::dom::parser parser;
  // One level more than allowed: simdjson counts the document itself.
  auto code = parser.allocate(std::max<size_t>(bytes.size(), 64), static_cast<size_t>(max_depth) + 1);
  simdjson::dom::element root;
  if (!code) code = parser.parse(bytes.data(), bytes.size()).get(root);
  if (code) throw_parse_error(code, bytes, shown, max_depth);
  return Builder(shown, max_depth).build(root);
}

namespace {

void write_string(std::string& out, std::string_view raw) {
  out += '"';
  for (size_t i = 0; i < raw.size();) {
    const size_t length = utf8_length(raw.substr(i));
    const unsigned char byte = static_cast<unsigned char>(raw[i]);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++i;
      continue;
    }
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += raw[i];
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte == '\r') {
      out += "\\r";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += text("\\u{:04x}", byte);
    } else {
      out += raw.substr(i, length);
    }
    i += length;
  }
  out += '"';
}

void write_double(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  const std::string digits = number(value);
  out += digits;
  // Reads back as floating point, not as an integer.
  if (digits.find_first_of(".e") == std::string::npos) out += ".0";
}

void new_line(std::string& out, int indent, int level) {
  if (indent < 0) return;
  out += '\n';
  out.append(static_cast<size_t>(indent) * static_cast<size_t>(level), ' ');
}

void write_value(std::string& out, const Json& value, int indent, int level) {
  if (value.is_null()) {
    out += "null";
  } else if (value.is_bool()) {
    out += value.as_bool() ? "true" : "false";
  } else if (value.is_string()) {
    write_string(out, value.as_string());
  } else if (value.is_array()) {
    const char* separator = "";
    out += '[';
    for (const Json& item : value.as_array()) {
      out += std::exchange(separator, ",");
      new_line(out, indent, level + 1);
      write_value(out, item, indent, level + 1);
    }
    if (*separator) new_line(out, indent, level);
    out += ']';
  } else if (value.is_object()) {
    const char* separator = "";
    out += '{';
    for (const auto& [key, field] : value.as_object()) {
      out += std::exchange(separator, ",");
      new_line(out, indent, level + 1);
      write_string(out, key);
      out += indent < 0 ? ":" : ": ";
      write_value(out, field, indent, level + 1);
    }
    if (*separator) new_line(out, indent, level);
    out += '}';
  } else if (value.is_integer()) {
    const double magnitude = value.as_double();
    out += magnitude < 0 ? text("{}", value.as_int()) : text("{}", value.as_u64());
  } else {
    write_double(out, value.as_double());
  }
}

}  // namespace

std::string Json::dump(int indent) const {
  std::string out;
  write_value(out, *this, indent, 0);
  return out;
}

}  // namespace dws
