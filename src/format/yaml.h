// YAML, as configuration files use it, read into JSON values: several documents, anchors and aliases, `<<`. Scalars
// are typed as PyYAML's safe loader does (YAML 1.1), but for these: 1e-5 and 1e5 are numbers, as in YAML 1.2; dates
// and 1:30 stay strings.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"

namespace dws {

// Where the parts of a value stand: `parts` are the fields of an object or the items of an array, in their order. The
// line of a field is that of its key. Lines count from 1.
struct YamlLines {
  int line = 0;
  std::vector<YamlLines> parts;
};

// A value of a document and its line. It points into the document, which must outlive it.
class YamlNode {
 public:
  YamlNode(const Json& value, const YamlLines& lines) : value_(&value), lines_(&lines) {}
  const Json& value() const noexcept { return *value_; }
  int line() const noexcept { return lines_->line; }
  // Of an object; empty for anything else.
  std::vector<std::pair<std::string, YamlNode>> fields() const;
  std::optional<YamlNode> find(std::string_view key) const;
  // Of an array; empty for anything else.
  std::vector<YamlNode> items() const;

 private:
  const Json* value_;
  const YamlLines* lines_;
};

struct YamlDocument {
  Json value;
  YamlLines lines;
  YamlNode root() const noexcept { return {value, lines}; }
};

// What the reader accepts at most.
struct YamlLimits {
  size_t text_bytes = 4 << 20;
  size_t scalar_bytes = 1 << 20;
  size_t key_bytes = 1024;
  int depth = 64;
  size_t nodes = 200'000;       // of all documents, those that aliases repeat counted each time
  size_t all_bytes = 16 << 20;  // of all scalars, counted the same way
  size_t documents = 1000;
};

// All documents of `text`; an empty one is null, and a text without any has none. `name` (a file) stands first in
// messages, then the line. Throws Error{bad_yaml|bad_utf8|resource_limit}: what is no YAML; duplicate keys, keys that
// are no scalars, tags beyond those of JSON's types, an alias inside its own anchor, control characters, integers
// beyond 64 bits; whatever is beyond a limit.
std::vector<YamlDocument> parse_yaml(std::string_view text, std::string_view name,
                                     const YamlLimits& limits = {});

}  // namespace dws
