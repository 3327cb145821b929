#include "merge/mergekit.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "format/yaml.h"

namespace dws::merge {
namespace {

// Keys that the format has and this program does not act on, and what to do instead.
struct Refused {
  const char* key;
  const char* advice;
};
constexpr std::array<Refused, 9> kRefused{{
    {"out_path", "give -o, and each document a 'name' where another one needs its result"},
    {"input_model_parameters", "put 'parameters' at the models"},
    {"residual_weight", "scale the last matrices of the layers instead: 'scale' with filters"},
    {"tokens", "networks of one vocabulary are merged as they are: leave it out"},
    {"pad_to_multiple_of", "leave it out: the vocabulary stays as it is"},
    {"lora", "merge the adapter into its network first, and name that"},
    {"override_architecture", "leave it out: layers are found from the names of tensors"},
    {"embed_slerp", "a filter on the embedding's name does the same: {filter: embed_tokens, value: ...}"},
    {"trust_remote_code", "leave it out: no code of a model is run"},
}};

class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}

  MergeConfig read(const YamlNode& root) {
    MergeConfig config;
    config.file = file_;
    keys(root, {"name", "merge_method", "base_model", "models", "slices", "modules", "parameters", "dtype",
                "out_dtype", "tokenizer_source", "tokenizer", "chat_template"});
    const std::optional<YamlNode> method = present(root, "merge_method");
    if (!method) fail(root.line(), "the key 'merge_method' is missing", ErrorKind::bad_schema);
    config.method = read_method(*method);
    method_ = config.method;
    if (const auto name = present(root, "name")) config.name = string(*name, "name");
    if (const auto base = present(root, "base_model")) config.base = model(*base);
    if (const auto dtype = present(root, "dtype")) config.dtype = read_dtype(*dtype, "dtype");
    if (const auto dtype = present(root, "out_dtype")) config.out_dtype = read_dtype(*dtype, "out_dtype");
    config.parameters = settings(root, Scope::merge);
    read_modules(root, config);
    read_tokenizer(root, config);
    if (const auto chat = present(root, "chat_template")) config.chat_template = read_chat_template(*chat);
    config.remarks = std::move(remarks_);
    return config;
  }

 private:
  [[noreturn]] void fail(int line, const std::string& what, ErrorKind kind = ErrorKind::bad_schema,
                         std::string advice = {}) const {
    throw Error(kind, text("{}: line {}: {}", file_, line, what), std::move(advice));
  }

  // Every key of the mapping is one of `known`.
  void keys(const YamlNode& map, const std::vector<std::string>& known) const {
    if (!map.value().is_object()) fail(map.line(), "expected keys and values");
    for (const auto& [key, value] : map.fields()) {
      if (std::ranges::count(known, key)) continue;
      refuse(key, value.line(), known);
    }
  }
  [[noreturn]] void refuse(const std::string& key, int line, const std::vector<std::string>& known) const {
    for (const Refused& refused : kRefused)
      if (key == refused.key)
        fail(line, text("the key '{}' is not supported", key), ErrorKind::unsupported, refused.advice);
    const std::string near = nearest(key, known);
    fail(line, text("unknown key '{}'", escaped(key)), ErrorKind::bad_schema,
         near.empty() ? "keys that may stand here: " + join(known, ", ") : text("did you mean '{}'?", near));
  }

  // The value of a key that is there and not null.
  static std::optional<YamlNode> present(const YamlNode& map, std::string_view key) {
    std::optional<YamlNode> value = map.find(key);
    if (value && value->value().is_null()) value.reset();
    return value;
  }

  std::string string(const YamlNode& node, std::string_view what) const {
    if (!node.value().is_string()) {
      const bool scalar = node.value().is_number() || node.value().is_bool();
      fail(node.line(), text("{}: expected a string", what), ErrorKind::bad_schema,
           scalar ? "put quotes around it" : "");
    }
    return node.value().as_string();
  }

  Method read_method(const YamlNode& node) const {
    const std::string name = string(node, "merge_method");
    try {
      return parse_method(name);
    } catch (const Error& e) {
      fail(node.line(), text("merge_method: {}", e.what()), ErrorKind::unsupported, e.advice());
    }
  }

  Dtype read_dtype(const YamlNode& node, const char* what) const {
    std::string name = string(node, what);
    if (name.starts_with("torch.")) name = name.substr(6);
    for (const auto& [word, dtype] :
         {std::pair{"bfloat16", Dtype::bf16}, std::pair{"float16", Dtype::f16},
          std::pair{"float32", Dtype::f32}, std::pair{"float64", Dtype::f64}, std::pair{"bf16", Dtype::bf16},
          std::pair{"f16", Dtype::f16}, std::pair{"fp16", Dtype::f16}, std::pair{"half", Dtype::f16},
          std::pair{"f32", Dtype::f32}, std::pair{"fp32", Dtype::f32}, std::pair{"float", Dtype::f32},
          std::pair{"f64", Dtype::f64}, std::pair{"double", Dtype::f64}})
      if (name == word) return dtype;
    fail(node.line(), text("{}: '{}' is not supported", what, escaped(name)), ErrorKind::unsupported,
         "float16, bfloat16, float32 or float64");
  }

  // "path", "path@revision", {path, revision}, or {model: {path, revision}} as the format's own writer spells it.
  ModelName model(const YamlNode& node, std::string_view what = "model") const {
    if (node.value().is_object()) {
      if (node.find("model")) {
        keys(node, {"model", "lora", "override_architecture"});
        for (const char* key : {"lora", "override_architecture"})
          if (const auto value = present(node, key)) refuse(key, value->line(), {});
        return model(*node.find("model"), what);
      }
      keys(node, {"path", "revision"});
      const auto path = present(node, "path");
      if (!path) fail(node.line(), text("{}: the key 'path' is missing", what));
      ModelName name{string(*path, "path"), "", node.line()};
      if (const auto revision = present(node, "revision")) name.revision = string(*revision, "revision");
      return checked(std::move(name), what);
    }
    return checked({string(node, what), "", node.line()}, what);
  }
  ModelName checked(ModelName name, std::string_view what) const {
    if (name.path.empty()) fail(name.line, text("{}: an empty name", what));
    return name;
  }

  std::vector<YamlNode> list(const YamlNode& node, std::string_view what) const {
    if (!node.value().is_array() || node.value().as_array().empty())
      fail(node.line(), text("{}: expected a list of at least one", what));
    return node.items();
  }

  void read_modules(const YamlNode& root, MergeConfig& config) {
    const auto modules = present(root, "modules");
    const int given =
        present(root, "models").has_value() + present(root, "slices").has_value() + modules.has_value();
    if (given != 1)
      fail(root.line(), text("expected one of the keys 'models', 'slices' and 'modules', got {}",
                             given ? "more" : "none"));
    if (!modules) {
      config.modules.push_back(module(root, ""));
      return;
    }
    if (!modules->value().is_object() || modules->value().as_object().empty())
      fail(modules->line(), "modules: expected keys and values");
    for (const auto& [name, node] : modules->fields()) {
      keys(node, {"models", "slices", "parameters"});
      if (present(node, "models").has_value() == present(node, "slices").has_value())
        fail(node.line(), text("module '{}': expected one of the keys 'models' and 'slices'", escaped(name)));
      config.modules.push_back(module(node, name));
      config.modules.back().parameters = settings(node, Scope::merge);
    }
  }

  ConfigModule module(const YamlNode& node, const std::string& name) {
    ConfigModule m;
    m.name = name;
    m.line = node.line();
    if (const auto models = present(node, "models")) {
      m.whole = true;
      ConfigSlice all;
      all.line = models->line();
      for (const YamlNode& item : list(*models, "models")) all.sources.push_back(source(item, false));
      m.slices.push_back(std::move(all));
      return m;
    }
    for (const YamlNode& item : list(*present(node, "slices"), "slices")) {
      keys(item, {"sources", "base_model", "parameters"});
      const auto sources = present(item, "sources");
      if (!sources) fail(item.line(), "slices: the key 'sources' is missing");
      ConfigSlice slice;
      slice.line = item.line();
      for (const YamlNode& one : list(*sources, "sources")) slice.sources.push_back(source(one, true));
      if (const auto base = present(item, "base_model")) slice.base = model(*base);
      slice.parameters = settings(item, Scope::merge);
      m.slices.push_back(std::move(slice));
    }
    return m;
  }

  ConfigSource source(const YamlNode& node, bool with_layers) {
    std::vector<std::string> known{"model", "parameters"};
    if (with_layers) known.insert(known.begin() + 1, "layer_range");
    keys(node, known);
    const auto named = present(node, "model");
    if (!named) fail(node.line(), "the key 'model' is missing");
    ConfigSource s;
    s.line = node.line();
    s.model = model(*named);
    if (with_layers) s.layers = layer_range(node);
    s.parameters = settings(node, Scope::source);
    return s;
  }

  std::pair<int64_t, int64_t> layer_range(const YamlNode& node) const {
    const auto range = present(node, "layer_range");
    if (!range) fail(node.line(), "the key 'layer_range' is missing");
    const std::vector<YamlNode> ends = range->items();
    const bool two = ends.size() == 2 && ends[0].value().is_integer() && ends[1].value().is_integer();
    if (!two) fail(range->line(), "layer_range: expected [first, last], two integers");
    const auto end = [&](const YamlNode& at) {
      return at.value().as_int(text("{}: line {}: layer_range", file_, at.line()));
    };
    const std::pair<int64_t, int64_t> layers{end(ends[0]), end(ends[1])};
    if (layers.first < 0 || layers.second <= layers.first)
      fail(range->line(), text("layer_range: [{}, {}] are no layers", layers.first, layers.second),
           ErrorKind::bad_schema, "layers count from 0, and the second number is the one after the last");
    return layers;
  }

  Settings settings(const YamlNode& node, Scope scope) {
    Settings all;
    const auto parameters = present(node, "parameters");
    if (!parameters) return all;
    if (!parameters->value().is_object()) fail(parameters->line(), "parameters: expected keys and values");
    for (const auto& [key, value] : parameters->fields()) {
      const std::optional<ParameterKind> kind = parameter_kind(key, method_);
      if (!kind && key == "embed_slerp" && value.value().is_bool() && !value.value().as_bool()) continue;
      if (!kind) refuse(key, value.line(), parameter_names());
      if (!kind->used)
        remark(value.line(),
               text("the parameter '{}' has no effect: {} does not use it", key, method_name(method_)));
      else if (scope == Scope::source && kind->scope == Scope::merge)
        remark(value.line(),
               text("the parameter '{}' has no effect at a model: it is one of the whole merge", key));
      all.emplace_back(key, setting(value, key));
    }
    return all;
  }
  void remark(int line, const std::string& what) {
    remarks_.push_back(text("{}: line {}: {}", file_, line, what));
  }

  Setting setting(const YamlNode& node, const std::string& key) const {
    std::vector<Setting::Case> cases;
    const std::vector<YamlNode> items = node.items();
    if (node.value().is_object()) {
      cases.push_back(conditional(node, key));
    } else if (!items.empty() &&
               std::ranges::all_of(items, [](const YamlNode& n) { return n.value().is_object(); })) {
      for (const YamlNode& item : items) cases.push_back(conditional(item, key));
    } else {
      cases.push_back({std::nullopt, points(node, key)});
    }
    return {std::move(cases), node.line()};
  }
  Setting::Case conditional(const YamlNode& node, const std::string& key) const {
    keys(node, {"filter", "value"});
    const auto value = present(node, "value");
    if (!value) fail(node.line(), text("{}: the key 'value' is missing", key));
    Setting::Case c;
    if (const auto filter = present(node, "filter")) c.filter = string(*filter, "filter");
    c.points = points(*value, key);
    return c;
  }
  std::vector<double> points(const YamlNode& node, const std::string& key) const {
    std::vector<double> numbers;
    if (!node.value().is_array()) {
      numbers.push_back(number_of(node, key));
    } else {
      for (const YamlNode& item : node.items()) numbers.push_back(number_of(item, key));
    }
    if (numbers.empty()) fail(node.line(), text("{}: an empty list", key));
    return numbers;
  }
  double number_of(const YamlNode& node, const std::string& key) const {
    const Json& value = node.value();
    if (value.is_bool()) return value.as_bool() ? 1 : 0;
    if (!value.is_number() || !std::isfinite(value.as_double()))
      fail(node.line(),
           text("{}: expected a number, a list of numbers, or a list of {{filter, value}}", key));
    return value.as_double();
  }

  void read_tokenizer(const YamlNode& root, MergeConfig& config) const {
    std::optional<YamlNode> source = present(root, "tokenizer_source");
    if (const auto tokenizer = present(root, "tokenizer")) {
      if (source) fail(tokenizer->line(), "'tokenizer' and 'tokenizer_source': give one of them");
      keys(*tokenizer, {"source"});
      source = present(*tokenizer, "source");
    }
    if (!source) return;
    config.tokenizer = Tokenizer::base;
    if (source->value().is_string() && source->value().as_string() == "base") return;
    if (source->value().is_string() && source->value().as_string() == "union")
      fail(source->line(), "a tokenizer of all networks ('union') is not supported", ErrorKind::unsupported,
           "'base', or the path of the network whose tokenizer is kept");
    config.tokenizer = Tokenizer::model;
    config.tokenizer_model = model(*source, "tokenizer source");
    std::string& path = config.tokenizer_model.path;
    if (path.starts_with("model:")) path = path.substr(6);
  }

  std::string read_chat_template(const YamlNode& node) const {
    const std::string chat = string(node, "chat_template");
    if (chat.find("{{") == chat.npos && chat.find("{%") == chat.npos)
      fail(node.line(), text("chat_template: '{}' is not supported", escaped(chat, 40)),
           ErrorKind::unsupported, "a Jinja template, or leave it out: the base's is kept");
    return chat;
  }

  std::string file_;
  Method method_ = Method::linear;
  std::vector<std::string> remarks_;
};

}  // namespace

std::vector<MergeConfig> read_merge_configs(std::string_view yaml, std::string_view name) {
  const std::vector<YamlDocument> documents = parse_yaml(yaml, name);
  std::vector<MergeConfig> configs;
  for (const YamlDocument& document : documents) {
    if (document.value.is_null()) continue;  // "---" with nothing after it
    configs.push_back(Reader(name).read(document.root()));
  }
  if (configs.empty()) throw Error(ErrorKind::empty, text("{}: no merge configuration in it", name));
  return configs;
}

}  // namespace dws::merge
