#include "metanets/options.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace dws {

OptionReader::OptionReader(const Json& config, std::string model)
    : config_(config), model_(std::move(model)) {
  if (!config.is_object() && !config.is_null())
    throw Error(ErrorKind::usage, text("model '{}': the configuration is not a JSON object", model_));
}

const Json* OptionReader::find(const std::string& key) {
  known_.push_back(key);
  return config_.find(key);
}

void OptionReader::refuse(const std::string& key, const std::string& expected) const {
  throw Error(ErrorKind::usage, text("model '{}': option '{}' is {}: expected {}", model_, key,
                                     escaped(config_.at(key).dump()), expected));
}

int64_t OptionReader::integer(const std::string& key, int64_t fallback, int64_t low, int64_t high) {
  const Json* value = find(key);
  if (!value) return fallback;
  if (!value->is_integer() || value->as_double() < static_cast<double>(low) ||
      value->as_double() > static_cast<double>(high))
    refuse(key, text("an integer from {} to {}", low, high));
  return value->as_int(key);
}

double OptionReader::real(const std::string& key, double fallback, double low, double high) {
  const Json* value = find(key);
  if (!value) return fallback;
  if (!value->is_number() || !(value->as_double() >= low && value->as_double() < high))
    refuse(key, text("a number from {} up to, not including, {}", low, high));
  return value->as_double(key);
}

bool OptionReader::flag(const std::string& key, bool fallback) {
  const Json* value = find(key);
  if (!value) return fallback;
  if (!value->is_bool()) refuse(key, "true or false");
  return value->as_bool(key);
}

std::string OptionReader::choice(const std::string& key, const std::string& fallback,
                                 const std::vector<std::string>& choices) {
  const Json* value = find(key);
  if (!value) return fallback;
  if (!value->is_string() || std::find(choices.begin(), choices.end(), value->as_string()) == choices.end())
    refuse(key, "one of " + join(choices, ", "));
  return value->as_string(key);
}

std::vector<int64_t> OptionReader::integers(const std::string& key, std::vector<int64_t> fallback,
                                            int64_t low, int64_t high) {
  const Json* value = find(key);
  if (!value) return fallback;
  const std::string expected = text("an array of at most 64 integers from {} to {}", low, high);
  if (!value->is_array() || value->as_array().size() > 64) refuse(key, expected);
  std::vector<int64_t> numbers;
  for (const Json& item : value->as_array()) {
    if (!item.is_integer() || item.as_double() < static_cast<double>(low) ||
        item.as_double() > static_cast<double>(high))
      refuse(key, expected);
    numbers.push_back(item.as_int(key));
  }
  return numbers;
}

std::vector<std::string> OptionReader::choices(const std::string& key, const std::vector<std::string>& all) {
  const Json* value = find(key);
  if (!value) return all;
  std::vector<std::string> chosen;
  if (!value->is_array()) refuse(key, "an array of names out of " + join(all, ", "));
  for (const Json& item : value->as_array()) {
    if (!item.is_string() || std::find(all.begin(), all.end(), item.as_string()) == all.end())
      refuse(key, "an array of names out of " + join(all, ", "));
    if (std::find(chosen.begin(), chosen.end(), item.as_string()) != chosen.end())
      refuse(key, "an array that names each at most once");
    chosen.push_back(item.as_string());
  }
  return chosen;
}

void OptionReader::finish() const {
  if (!config_.is_object()) return;
  for (const auto& [key, value] : config_.as_object()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string near = nearest(key, known_);
    throw Error(ErrorKind::usage, text("model '{}' has no option '{}'", model_, escaped(key)),
                near.empty() ? "options: " + join(known_, ", ") : text("did you mean '{}'?", near));
  }
}

Json to_json(const std::vector<int64_t>& numbers) {
  Json array = Json::array();
  for (int64_t n : numbers) array.push_back(n);
  return array;
}

}  // namespace dws
