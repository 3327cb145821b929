// YAML that is read has the values and lines that it has room for, and the same when it is read again as its own JSON.
#include <cmath>
#include <string>

#include "core/json.h"
#include "format/yaml.h"
#include "fuzz.h"

using namespace dws;

namespace {

size_t values(const YamlNode& node, int lines, int depth) {
  fuzz::require(node.line() >= 1 && node.line() <= lines, "a value stands on a line of the text");
  fuzz::require(depth <= YamlLimits{}.depth + 1, "values are not nested without end");
  size_t count = 1;
  for (const auto& [name, part] : node.fields()) count += values(part, lines, depth + 1);
  for (const YamlNode& part : node.items()) count += values(part, lines, depth + 1);
  return count;
}

bool has_text_of_its_own(const Json& value) {  // infinity and NaN are null in JSON
  if (value.is_array()) {
    for (const Json& part : value.as_array()) {
      if (!has_text_of_its_own(part)) return false;
    }
  }
  if (value.is_object()) {
    for (const auto& [name, part] : value.as_object()) {
      if (!has_text_of_its_own(part)) return false;
    }
  }
  return !value.is_number() || std::isfinite(value.as_double());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::accepted([&] {
    const std::string_view yaml = fuzz::text_of(data, size);
    int lines = 2;
    for (const char c : yaml) lines += c == '\n' || c == '\r';
    size_t count = 0;
    for (const YamlDocument& document : parse_yaml(yaml, "f")) {
      count += values(document.root(), lines, 1);
      if (!has_text_of_its_own(document.value)) continue;
      const std::string json = document.value.dump();
      fuzz::require(Json::parse(json, "f", 128).dump() == json, "what is read can be written");
    }
    fuzz::require(count <= YamlLimits{}.nodes, "values are not repeated without end");
  });
  return 0;
}
