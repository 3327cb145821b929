// A merge configuration in the YAML that mergekit reads, as a plain structure. What it says that cannot be done is an
// error that names the key and its line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/dtype.h"
#include "merge/setting.h"

namespace dws::merge {

// A network as the configuration names it: a path, or a name in a cache of downloads.
struct ModelName {
  std::string path, revision;  // no revision: ""
  int line = 0;
};

struct ConfigSource {
  ModelName model;
  std::optional<std::pair<int64_t, int64_t>> layers;  // [first, last); all where none
  Settings parameters;
  int line = 0;
};
// Layers of the output: as many as each of its sources has.
struct ConfigSlice {
  std::vector<ConfigSource> sources;
  std::optional<ModelName> base;
  Settings parameters;
  int line = 0;
};
// A part of a network with layers of its own; "" for the whole.
struct ConfigModule {
  std::string name;
  std::vector<ConfigSlice> slices;  // of `models`: one, of all layers
  bool whole = false;               // it came from `models`
  Settings parameters;
  int line = 0;
};

enum class Tokenizer : uint8_t { unspecified, base, model };

struct MergeConfig {
  std::string file;  // for messages
  std::string name;  // of a stage, which later documents call it by; ""
  Method method = Method::linear;
  std::optional<ModelName> base;
  std::vector<ConfigModule> modules;
  Settings parameters;
  std::optional<Dtype> dtype, out_dtype;
  Tokenizer tokenizer = Tokenizer::unspecified;
  ModelName tokenizer_model;                 // of Tokenizer::model
  std::optional<std::string> chat_template;  // Jinja
  std::vector<std::string> remarks;          // keys without effect, one line each
};

// One configuration a document. `name` (a file) stands first in messages. Throws Error as parse_yaml() does, and
// Error{bad_schema|unsupported|usage} naming the line.
std::vector<MergeConfig> read_merge_configs(std::string_view yaml, std::string_view name);

}  // namespace dws::merge
