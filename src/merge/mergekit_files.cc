#include "merge/mergekit_files.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/json.h"
#include "core/text.h"

namespace dws::merge {
namespace {

const char* torch_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::bf16:
      return "bfloat16";
    case Dtype::f16:
      return "float16";
    case Dtype::f64:
      return "float64";
    default:
      return "float32";
  }
}

// Names that families use for their number of layers.
std::vector<std::string> count_keys(const std::string& module) {
  std::vector<std::string> keys;
  if (!module.empty() && module != "default")
    keys = {module + "_layers", "num_" + module + "_layers", "n_" + module + "_layers",
            "n_" + module + "_layer"};
  keys.insert(keys.end(), {"num_hidden_layers", "n_layer", "n_layers", "num_layers", "depth"});
  return keys;
}

// The object with the key that says how many layers there are: the whole, or one of its parts ("text_config").
struct Place {
  Json* object = nullptr;
  std::string key;
};
Place layer_count(Json& config, const StackedLayers& layers) {
  const auto here = [&](Json& object) -> Place {
    for (const std::string& key : count_keys(layers.module)) {
      const Json* value = object.find(key);
      if (value && value->is_integer() && value->as_double() == static_cast<double>(layers.before))
        return {&object, key};
    }
    return {};
  };
  std::vector<std::string> parts{layers.module + "_config", layers.module, "text_config", "llm_config",
                                 "language_config"};
  if (layers.module.empty()) parts.erase(parts.begin(), parts.begin() + 2);
  if (const Place place = here(config); place.object) return place;
  for (const std::string& part : parts)
    if (const Json* inner = config.find(part); inner && inner->is_object())
      // The object is this function's own: find() has no other form.
      if (const Place place = here(const_cast<Json&>(*inner)); place.object) return place;
  return {};
}

// Lists with an item a layer follow the layers.
void restack_lists(Json& object, const StackedLayers& layers) {
  Json::Object changed;
  for (const auto& [key, value] : object.as_object()) {
    if (key.find("layer") == key.npos || !value.is_array() ||
        static_cast<int64_t>(value.as_array().size()) != layers.before)
      continue;
    Json items = Json::array();
    for (const int64_t from : layers.origin)
      items.push_back(value.as_array()[static_cast<size_t>(std::min(from, layers.before - 1))]);
    changed.emplace_back(key, std::move(items));
  }
  for (auto& [key, value] : changed) object.set(key, std::move(value));
}

bool set_dtype(Json& object, Dtype dtype) {
  bool found = false;
  for (const char* key : {"torch_dtype", "dtype"})
    if (object.find(key)) {
      object.set(key, torch_name(dtype));
      found = true;
    }
  return found;
}

void put(Companions& files, const std::string& name, std::string content) {
  const auto at = std::ranges::find(files, name, &Companions::value_type::first);
  if (at != files.end())
    at->second = std::move(content);
  else
    files.emplace_back(name, std::move(content));
}

const std::string* content(const Companions& files, std::string_view name) {
  const auto at = std::ranges::find(files, name, &Companions::value_type::first);
  return at == files.end() ? nullptr : &at->second;
}

std::string without(std::string_view json, const std::string& key, const std::string& name) {
  Json::Object kept;
  const Json whole = Json::parse(json, name);
  for (const auto& [field, value] : whole.as_object(name))
    if (field != key) kept.emplace_back(field, value);
  return Json(std::move(kept)).dump(2) + "\n";
}

Companions files_of(const Input& input) {
  return input.checkpoint() ? companions(*input.checkpoint()) : Companions{};
}

}  // namespace

std::string merged_config(std::string_view json, const std::string& name, const ConfiguredMerge& merge,
                          std::optional<Dtype> dtype, std::vector<std::string>& warnings) {
  Json config = Json::parse(json, name);
  if (!config.is_object()) throw Error(ErrorKind::bad_schema, text("{}: expected an object", name));
  for (const StackedLayers& layers : merge.layers) {
    if (!merge.restacked) break;
    const auto count = static_cast<int64_t>(layers.origin.size());
    const Place place = layer_count(config, layers);
    if (place.object) {
      restack_lists(*place.object, layers);
      place.object->set(place.key, count);
    } else if (count != layers.before) {
      warnings.push_back(text("{}: no key says that there are {} layers: {} of them are there now", name,
                              layers.before, count));
    }
  }
  if (dtype && !set_dtype(config, *dtype)) config.set("torch_dtype", torch_name(*dtype));
  if (merge.untied) config.set("tie_word_embeddings", false);
  return config.dump(2) + "\n";
}

Companions merged_companions(const MergeConfig& config, const ConfiguredMerge& merge,
                             std::optional<Dtype> dtype, std::string_view yaml,
                             std::vector<std::string>& warnings) {
  const Input& pattern = merge.inputs[static_cast<size_t>(merge.pattern)];
  Companions files = files_of(pattern);
  if (const std::string* json = content(files, "config.json")) {
    put(files, "config.json",
        merged_config(*json, one_line(pattern.path()) + "/config.json", merge, dtype, warnings));
  } else if (merge.restacked) {
    warnings.push_back(text("{}: has no config.json, where the number of layers would have to change",
                            one_line(pattern.path())));
  }
  if (merge.tokenizer != merge.pattern) {
    std::erase_if(files, [](const auto& file) { return is_tokenizer_file(file.first); });
    for (auto& [name, text] : files_of(merge.inputs[static_cast<size_t>(merge.tokenizer)]))
      if (is_tokenizer_file(name)) put(files, name, std::move(text));
  }
  if (config.tokenizer != Tokenizer::unspecified) {
    const std::string* kept = content(files, "tokenizer.json");
    for (const Input& input : merge.inputs) {
      const Companions others = files_of(input);
      const std::string* other = content(others, "tokenizer.json");
      if (kept && other && *kept != *other)
        warnings.push_back(
            text("{}: its tokenizer.json is not the one that is kept: embeddings are merged row by row, "
                 "whatever tokens the rows are",
                 one_line(input.path())));
    }
  }
  if (config.chat_template) {
    std::erase_if(files, [](const auto& file) { return file.first.starts_with("chat_template."); });
    put(files, "chat_template.jinja", *config.chat_template);
    if (const std::string* json = content(files, "tokenizer_config.json"))
      put(files, "tokenizer_config.json", without(*json, "chat_template", "tokenizer_config.json"));
  }
  put(files, "mergekit_config.yml", std::string(yaml));
  std::ranges::sort(files);
  return files;
}

}  // namespace dws::merge
