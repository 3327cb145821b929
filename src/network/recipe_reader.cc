#include "network/recipe_reader.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "network/expression.h"

namespace dws::network {
namespace {

constexpr int kDepth = 16;             // of statements within statements
constexpr int64_t kSteps = 1'000'000;  // statements carried out, fields and values of them

const Json& field(const Json& json, const char* key, const std::string& name) {
  const Json* found = json.find(key);
  if (!found) throw Error(ErrorKind::bad_schema, text("{}: no field '{}'", one_line(name), key));
  return *found;
}
void require_recipe(const Json& recipe, const std::string& name) {
  const Json* schema = recipe.find("schema");
  if (!schema || !schema->is_string() || schema->as_string() != "dws.recipe/1")
    throw Error(ErrorKind::bad_schema,
                text("{}: is no recipe: expected schema dws.recipe/1", one_line(name)));
}
std::string with_prefix(std::string pattern, const std::string& prefix) {
  if (const size_t at = pattern.find("{p}"); at != std::string::npos) pattern.replace(at, 3, prefix);
  return pattern;
}
std::vector<std::string> prefixes(const Json& recipe, const std::string& name) {
  std::vector<std::string> all;
  if (const Json* given = recipe.find("prefixes"))
    for (const Json& p : given->as_array(text("{}: prefixes", name)))
      all.push_back(p.as_string(text("{}: a prefix", name)));
  return all.empty() ? std::vector<std::string>{""} : all;
}

// "*" stands for any characters.
bool matches(std::string_view pattern, std::string_view name) {
  const size_t first = pattern.find('*');
  if (first == std::string_view::npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, first))) return false;
  name.remove_prefix(first);
  pattern.remove_prefix(first + 1);
  // Each piece as early as it goes, which leaves the most to those behind; only the last must end at the end.
  for (size_t next; (next = pattern.find('*')) != std::string_view::npos; pattern.remove_prefix(next + 1)) {
    const size_t at = name.find(pattern.substr(0, next));
    if (at == std::string_view::npos) return false;
    name.remove_prefix(at + next);
  }
  return name.ends_with(pattern);
}

}  // namespace

bool recipe_applies(const Json& recipe, const std::string& name, const StoredTensors& tensors) {
  require_recipe(recipe, name);
  const std::string anchor = field(recipe, "anchor", name).as_string(text("{}: anchor", name));
  return std::ranges::any_of(prefixes(recipe, name), [&](const std::string& prefix) {
    return std::ranges::any_of(tensors.tensors, [wanted = with_prefix(anchor, prefix)](const Constant& c) {
      return c.name == wanted;
    });
  });
}

RecipeResult from_recipe(const Json& recipe, const std::string& name, StoredTensors tensors,
                         const RecipeSettings& settings) {
  require_recipe(recipe, name);
  return RecipeReader(recipe, name, std::move(tensors), settings).read();
}

RecipeReader::RecipeReader(const Json& recipe, const std::string& name, StoredTensors tensors,
                           const RecipeSettings& settings)
    : recipe_(recipe),
      name_(name),
      settings_(settings),
      g_(tensors,
         text("recipe '{}'", escaped(field(recipe, "name", name).as_string(text("{}: name", name))))) {
  for (const Constant& c : tensors.tensors) stored_.push_back(c.name);
}

RecipeResult RecipeReader::read() {
  find_prefix();
  read_sizes();
  statements(field(recipe_, "graph", name_), {{"p", prefix_}}, 0);
  ignore_tensors();
  std::string assumed = text("recipe '{}'", escaped(field(recipe_, "name", name_).as_string("name")));
  if (!said_.empty()) assumed += text(" ({})", said_);
  return {g_.take(), assumed, std::move(stands_for_)};
}

void RecipeReader::bad(const std::string& what) const {
  throw Error(ErrorKind::bad_schema, text("{}: {}", one_line(name_), what));
}

void RecipeReader::find_prefix() {
  const std::string anchor = field(recipe_, "anchor", name_).as_string(text("{}: anchor", name_));
  for (const std::string& prefix : prefixes(recipe_, name_))
    if (g_.has(with_prefix(anchor, prefix))) {
      prefix_ = prefix;
      return;
    }
  g_.fail(ErrorKind::missing_tensor,
          text("tensor '{}' is missing", escaped(with_prefix(anchor, prefixes(recipe_, name_).front()))));
}

void RecipeReader::read_sizes() {
  const Json* sizes = recipe_.find("sizes");
  std::set<std::string> known;
  if (sizes)
    for (const auto& [name, definition] : sizes->as_object(text("{}: sizes", name_))) {
      known.insert(name);
      const auto given = settings_.sizes.find(name);
      const bool tensor = definition.is_object() && definition.find("tensor");
      sizes_[name] = given != settings_.sizes.end() ? given->second : size_of(name, definition);
      if (sizes_[name] < 1)
        g_.fail(ErrorKind::mismatch, text("the size '{}' is {}", escaped(name), sizes_[name]));
      if (!tensor && !definition.is_string())
        said_ += text("{}{} {}", said_.empty() ? "" : ", ", escaped(name), sizes_[name]);
    }
  for (const auto& [name, value] : settings_.sizes)
    if (!known.contains(name))
      g_.fail(ErrorKind::usage, text("has no size '{}'; its sizes are {}", escaped(name),
                                     join({known.begin(), known.end()}, ", ")));
}

std::optional<double> RecipeReader::from_config(const Json& keys) const {
  if (keys.is_array()) {
    for (const Json& key : keys.as_array())
      if (const auto found = from_config(key)) return found;
    return {};
  }
  const std::string& key = keys.as_string(text("{}: config", name_));
  const Json* found = settings_.config.find(key);
  if (!found || found->is_null()) return {};
  if (!found->is_number())
    g_.fail(ErrorKind::mismatch,
            text("config.json says {} for '{}': expected a number", escaped(found->dump()), escaped(key)));
  return found->as_double();
}

int64_t RecipeReader::size_of(const std::string& name, const Json& definition) {
  double size = 0;
  if (definition.is_string()) {
    size = expression(definition.as_string());
  } else if (definition.find("tensor")) {
    const std::string of = tensor_name(definition, "tensor", {{"p", prefix_}});
    const int64_t axis = field(definition, "axis", name_).as_int(text("{}: axis", name_));
    const std::vector<int64_t>& dims = g_.dims(of);
    if (axis < 0 || axis >= static_cast<int64_t>(dims.size())) g_.fail_at(of, text("has no axis {}", axis));
    size = static_cast<double>(dims[static_cast<size_t>(axis)]);
  } else {
    const auto said = from_config(field(definition, "config", name_));
    const Json* otherwise = definition.find("default");
    if (!said && !otherwise)
      g_.fail(ErrorKind::mismatch, text("needs the size '{}', which no tensor says", escaped(name)),
              text("--size {}=N says it, or a config.json beside the file", escaped(name)));
    size = said                     ? *said
           : otherwise->is_string() ? expression(otherwise->as_string())
                                    : otherwise->as_double(text("{}: default", name_));
  }
  if (!(std::abs(size) < 1e15) || size != std::floor(size))
    g_.fail(ErrorKind::mismatch, text("the size '{}' is {}, no whole number", escaped(name), size));
  return static_cast<int64_t>(size);
}

double RecipeReader::expression(const std::string& words) const {
  return evaluate(
      words,
      [&](std::string_view name) -> std::optional<double> {
        const auto at = sizes_.find(name);
        if (at == sizes_.end()) return {};
        return static_cast<double>(at->second);
      },
      name_);
}

void RecipeReader::ignore_tensors() {
  const Json* patterns = recipe_.find("ignore");
  if (!patterns) return;
  for (const Json& pattern : patterns->as_array(text("{}: ignore", name_)))
    for (const std::string& name : stored_)
      if (matches(pattern.as_string(text("{}: ignore", name_)), name)) g_.ignore(name);
}

void RecipeReader::statements(const Json& list, const Names& names, int depth) {
  if (depth > kDepth) bad(text("statements within statements deeper than {}", kDepth));
  if (!list.is_array()) bad("a graph is no list of statements");
  for (const Json& s : list.as_array()) {
    count(1);
    statement(s, names, depth);
  }
}

// Blocks within blocks multiply what a small file says: fields, values and names of statements count as these do.
void RecipeReader::count(size_t steps) const {
  steps_ += static_cast<int64_t>(steps);
  if (steps_ > kSteps) bad(text("more than {} statements, fields and values of them", kSteps));
}

void RecipeReader::statement(const Json& s, const Names& names, int depth) {
  if (!s.is_object()) bad("a statement is no object");
  count(s.as_object().size());
  if (s.find("op")) return block(s, names);
  if (s.find("onnx")) return onnx(s, names);
  if (s.find("repeat")) return repeat(s, names, depth);
  if (s.find("use")) return use(s, names, depth);
  if (!s.find("if")) bad("a statement without op, onnx, repeat, use or if");
  if (g_.has(tensor_name(s, "if", names)))
    statements(field(s, "graph", name_), names, depth + 1);
  else if (const Json* otherwise = s.find("else"))
    statements(*otherwise, names, depth + 1);
}

void RecipeReader::repeat(const Json& s, const Names& names, int depth) {
  const std::string variable = s.at("repeat").as_string(text("{}: repeat", name_));
  int64_t i = s.find("from") ? s.at("from").as_int(text("{}: from", name_)) : 0;
  for (std::string before;; ++i) {
    Names inner = names;
    inner[variable] = text("{}", i);
    count(inner.size());
    const std::string tensor = tensor_name(s, "while", inner);
    if (tensor == before) bad(text("the repeat of '{}' names the same tensor each time", escaped(variable)));
    if (!g_.has(tensor)) return;
    statements(field(s, "graph", name_), inner, depth + 1);
    before = tensor;
  }
}

void RecipeReader::use(const Json& s, const Names& names, int depth) {
  const std::string& which = s.at("use").as_string(text("{}: use", name_));
  const Json* blocks = recipe_.find("blocks");
  if (blocks) count(blocks->as_object(text("{}: blocks", name_)).size());
  const Json* body = blocks ? blocks->find(which) : nullptr;
  if (!body) bad(text("uses the block '{}', which it does not have", escaped(which)));
  Names inner = names;
  if (const Json* with = s.find("with"))
    for (const auto& [name, given] : with->as_object(text("{}: with", name_)))
      inner[name] = fill(given.is_string() ? given.as_string() : given.dump(), names);
  count(inner.size());
  statements(*body, inner, depth + 1);
}

}  // namespace dws::network
