// What one statement of a recipe makes.
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "network/recipe_reader.h"

namespace dws::network {

// Names of names could grow without end.
constexpr size_t kLongest = 65'536;  // as of a tensor's name

std::string RecipeReader::fill(const std::string& pattern, const Names& names) const {
  std::string out;
  count(1 + pattern.size() / 64);
  for (size_t at = 0; at < pattern.size();) {
    if (out.size() > kLongest) bad(text("a name of more than {} letters: {}", kLongest, escaped(out)));
    const size_t open = pattern.find('{', at);
    const size_t close = open == std::string::npos ? open : pattern.find('}', open);
    if (close == std::string::npos) return out + pattern.substr(at);
    const std::string name = pattern.substr(open + 1, close - open - 1);
    const auto found = names.find(name);
    if (found == names.end())
      bad(text("'{}' names {{{}}}, which stands for nothing", escaped(pattern), escaped(name)));
    out += pattern.substr(at, open - at) + found->second;
    at = close + 1;
  }
  return out;
}

// A tensor's name; of a list the first that is there, else the last.
std::string RecipeReader::tensor_name(const Json& s, const char* key, const Names& names) const {
  const Json* given = s.find(key);
  if (!given) bad(text("a statement lacks '{}': {}", key, escaped(s.dump())));
  if (given->is_string()) return fill(given->as_string(), names);
  std::string name, first;
  for (const Json& one : given->as_array(text("{}: {}", name_, key))) {
    name = fill(one.as_string(text("{}: {}", name_, key)), names);
    if (first.empty()) first = name;
    if (!g_.has(name)) continue;
    if (name != first) stands_for_.emplace(name, first);
    break;
  }
  return name;
}
std::optional<std::string> RecipeReader::optional_tensor(const Json& s, const std::string& key,
                                                         const Names& names) const {
  if (s.find(key)) return tensor_name(s, key.c_str(), names);
  const std::string maybe = key + "?";
  if (!s.find(maybe)) return {};
  const std::string name = tensor_name(s, maybe.c_str(), names);
  if (!g_.has(name)) return {};
  return name;
}
// {"config": KEY, "default": TEXT} where the configuration may say it.
std::string RecipeReader::word(const Json& s, const char* key, const Names& names,
                               const char* otherwise) const {
  const Json* given = s.find(key);
  if (!given) {
    if (otherwise) return otherwise;
    bad(text("a statement lacks '{}': {}", key, escaped(s.dump())));
  }
  if (given->is_object()) {
    const Json* named = given->find("config");
    const Json* said = named ? settings_.config.find(named->as_string(text("{}: config", name_))) : nullptr;
    if (said && said->is_string()) return said->as_string();
    if (said && !said->is_null())
      g_.fail(ErrorKind::mismatch, text("config.json says {} for '{}': expected a word",
                                        escaped(said->dump()), escaped(named->as_string())));
    given = given->find("default");
    if (!given) bad(text("'{}' has neither config nor default that say it", key));
  }
  return fill(given->as_string(text("{}: {}", name_, key)), names);
}
double RecipeReader::real(const Json& s, const char* key, const Names& names, double otherwise) const {
  const Json* given = s.find(key);
  if (!given) return otherwise;
  if (given->is_object()) {
    if (const Json* keys = given->find("config"))
      if (const auto said = from_config(*keys)) return *said;
    given = given->find("default");
    if (!given) bad(text("'{}' has neither config nor default that say it", key));
  }
  if (given->is_number()) return given->as_double();
  return expression(fill(given->as_string(text("{}: {}", name_, key)), names));
}
int64_t RecipeReader::whole(const Json& s, const char* key, const Names& names, int64_t otherwise) const {
  const double x = real(s, key, names, static_cast<double>(otherwise));
  if (!(std::abs(x) < 1e15) || x != std::floor(x)) bad(text("'{}' is {}, no whole number", key, x));
  return static_cast<int64_t>(x);
}
bool RecipeReader::flag(const Json& s, const char* key) const {
  const Json* given = s.find(key);
  return given && given->as_bool(text("{}: {}", name_, key));
}

// Numbers and names of sizes; -1 for any.
std::vector<int64_t> RecipeReader::shape_of(const Json& list) const {
  std::vector<int64_t> shape;
  for (const Json& extent : list.as_array(text("{}: shape", name_))) {
    count(1);
    if (extent.is_integer()) {
      shape.push_back(extent.as_int());
      continue;
    }
    const auto size = sizes_.find(extent.as_string(text("{}: shape", name_)));
    if (size == sizes_.end()) bad(text("'{}' is no size", escaped(extent.as_string())));
    shape.push_back(size->second);
  }
  return shape;
}

// A value by its name, {"tensor": PATTERN, "shape": [...]} (the shape may be left out), {"ints": [...]} or {"number": X}.
int RecipeReader::value_of(const Json& item, const Names& names) {
  count(1);
  if (item.is_object()) {
    if (item.find("tensor")) {
      const std::string name = tensor_name(item, "tensor", names);
      const Json* shape = item.find("shape");
      return shape ? g_.tensor(name, shape_of(*shape)) : g_.tensor(name);
    }
    if (const Json* x = item.find("number")) return g_.number(x->as_double(text("{}: number", name_)));
    if (const Json* list = item.find("ints")) {
      std::vector<int64_t> ints;
      count(list->as_array(text("{}: ints", name_)).size());
      for (const Json& i : list->as_array()) ints.push_back(i.as_int(text("{}: ints", name_)));
      return g_.ints(ints);
    }
    bad(text("no value: {}", escaped(item.dump())));
  }
  const std::string& name = item.as_string(text("{}: in", name_));
  const auto at = values_.find(name);
  if (at == values_.end()) bad(text("the value '{}' is used and never made", escaped(name)));
  return at->second;
}
int RecipeReader::value(const Json& s, const char* key, const Names& names) {
  const Json* given = s.find(key);
  if (!given) bad(text("a statement lacks '{}': {}", key, escaped(s.dump())));
  return value_of(*given, names);
}
std::vector<int> RecipeReader::values(const Json& s, const Names& names) {
  const Json* given = s.find("in");
  if (!given) bad(text("a statement lacks 'in': {}", escaped(s.dump())));
  std::vector<int> all;
  if (given->is_array())
    for (const Json& item : given->as_array()) all.push_back(value_of(item, names));
  else
    all.push_back(value_of(*given, names));
  if (all.empty()) bad("a statement of no values");
  return all;
}
void RecipeReader::define(const Json& s, int made) {
  values_[word(s, "out", {})] = made;
}
void RecipeReader::define_all(const Json& s, const std::vector<int>& made) {
  const Json::Array& names = s.at("out").as_array(text("{}: out", name_));
  if (names.size() != made.size()) bad(text("{} values have {} names", made.size(), names.size()));
  for (size_t i = 0; i < made.size(); ++i) values_[names[i].as_string(text("{}: out", name_))] = made[i];
}

void RecipeReader::input(const Json& s) {
  const std::string type = word(s, "type", {}, "float");
  if (type != "float" && type != "int64")
    bad(text("an input of type '{}': expected float or int64", escaped(type)));
  std::vector<GraphBuilder::Extent> extents;
  const Json* dims = s.find("dims");
  if (!dims) bad("an input without dims");
  count(dims->as_array(text("{}: dims", name_)).size());
  for (const Json& d : dims->as_array()) {
    if (d.is_integer()) {
      extents.push_back({.fixed = d.as_int()});
      continue;
    }
    const std::string& name = d.as_string(text("{}: dims", name_));
    const auto size = sizes_.find(name);
    extents.push_back(size == sizes_.end() ? GraphBuilder::Extent{.symbol = name}
                                           : GraphBuilder::Extent{.fixed = size->second});
  }
  for (const GraphBuilder::Extent& e : extents)
    if (e.symbol.empty() && (e.fixed < 1 || e.fixed > (int64_t{1} << 40)))
      bad("an input of a shape that no tensor has");
  const int made = g_.input(word(s, "out", {}), type == "float" ? g_.type() : OnnxType::i64, extents);
  const size_t axis = s.find("channels") ? static_cast<size_t>(whole(s, "channels", {}, 0)) : extents.size();
  if (axis < extents.size()) g_.set_channels(made, extents[axis].fixed);
  define(s, made);
}

void RecipeReader::attention(const Json& s, const Names& names) {
  const int64_t heads = whole(s, "heads", names, 1);
  define(s, blocks::attention(g_, value(s, "q", names), value(s, "k", names), value(s, "v", names),
                              {.heads = heads,
                               .kv_heads = whole(s, "kv_heads", names, heads),
                               .causal = flag(s, "causal"),
                               .rotary = flag(s, "rotary"),
                               .theta = real(s, "theta", names, 10000)}));
}

void RecipeReader::norm(const Json& s, const Names& names) {
  const std::string& op = s.at("op").as_string();
  define(s, blocks::norm(g_, value(s, "in", names),
                         {.kind = op.substr(0, op.find('_')),
                          .weight = tensor_name(s, "weight", names),
                          .bias = optional_tensor(s, "bias", names),
                          .mean = optional_tensor(s, "mean", names),
                          .variance = optional_tensor(s, "variance", names),
                          .epsilon = real(s, "epsilon", names, 1e-5),
                          .groups = whole(s, "groups", names, 1)}));
}

void RecipeReader::activation(const Json& s, const Names& names) {
  const std::string kind = word(s, "kind", names);
  const std::optional<int> made = blocks::activation(g_, value(s, "in", names), kind);
  if (!made)
    bad(text("the activation '{}' is none of {}", escaped(kind), join(blocks::activation_names(), ", ")));
  define(s, *made);
}

void RecipeReader::combine(const Json& s, const Names& names) {
  const std::vector<int> all = values(s, names);
  int made = all.front();
  for (size_t i = 1; i < all.size(); ++i)
    made = g_.add(s.at("op").as_string() == "add" ? "Add" : "Mul", {made, all[i]});
  g_.set_channels(made, g_.channels(all.front()));
  define(s, made);
}

void RecipeReader::concat(const Json& s, const Names& names) {
  const std::vector<int> all = values(s, names);
  const int made = g_.add("Concat", all, {attribute("axis", whole(s, "axis", names, -1))});
  int64_t channels = 0;
  for (const int v : all) channels = g_.channels(v) < 0 || channels < 0 ? -1 : channels + g_.channels(v);
  g_.set_channels(made, channels);
  define(s, made);
}

void RecipeReader::max_pool(const Json& s, const Names& names) {
  using Ints = std::vector<int64_t>;
  const int64_t k = whole(s, "kernel", names, 2), stride = whole(s, "stride", names, k),
                pad = whole(s, "padding", names, 0);
  const int x = value(s, "in", names);
  const int made = g_.add("MaxPool", {x},
                          {attribute("kernel_shape", Ints{k, k}), attribute("strides", Ints{stride, stride}),
                           attribute("pads", Ints{pad, pad, pad, pad})});
  g_.set_channels(made, g_.channels(x));
  define(s, made);
}

void RecipeReader::mean_pool(const Json& s, const Names& names) {
  const int x = value(s, "in", names);
  const int made = g_.add("Flatten", {g_.add("GlobalAveragePool", {x})}, {attribute("axis", int64_t{1})});
  g_.set_channels(made, g_.channels(x));
  define(s, made);
}

void RecipeReader::split(const Json& s, const Names& names) {
  constexpr size_t kMost = 64;
  const Json* out = s.find("out");
  const size_t parts = out && out->is_array() ? out->as_array().size() : 0;
  if (parts < 1 || parts > kMost) bad(text("a split into {} parts: expected 1 to {}", parts, kMost));
  define_all(s, blocks::split(g_, value(s, "in", names), static_cast<int>(parts)));
}

void RecipeReader::block(const Json& s, const Names& names) {
  using Make = void (*)(RecipeReader&, const Json&, const Names&);
  using R = RecipeReader;
  static const std::map<std::string, Make, std::less<>> all = {
      {"input", [](R& r, const Json& j, const Names&) { r.input(j); }},
      {"output",
       [](R& r, const Json& j, const Names& n) { r.g_.output(r.value(j, "in", n), r.word(j, "out", {})); }},
      {"linear",
       [](R& r, const Json& j, const Names& n) {
         r.define(j, blocks::linear(r.g_, r.value(j, "in", n),
                                    {r.tensor_name(j, "weight", n), r.optional_tensor(j, "bias", n),
                                     r.flag(j, "transposed")}));
       }},
      {"conv",
       [](R& r, const Json& j, const Names& n) {
         r.define(j, blocks::conv(r.g_, r.value(j, "in", n),
                                  {r.tensor_name(j, "weight", n), r.optional_tensor(j, "bias", n),
                                   r.whole(j, "stride", n, 1), r.whole(j, "padding", n, -1),
                                   r.whole(j, "groups", n, 1)}));
       }},
      {"layer_norm", [](R& r, const Json& j, const Names& n) { r.norm(j, n); }},
      {"rms_norm", [](R& r, const Json& j, const Names& n) { r.norm(j, n); }},
      {"batch_norm", [](R& r, const Json& j, const Names& n) { r.norm(j, n); }},
      {"group_norm", [](R& r, const Json& j, const Names& n) { r.norm(j, n); }},
      {"activation", [](R& r, const Json& j, const Names& n) { r.activation(j, n); }},
      {"embedding",
       [](R& r, const Json& j, const Names& n) {
         r.define(j, blocks::embedding(r.g_, r.value(j, "in", n), r.tensor_name(j, "weight", n)));
       }},
      {"add_positions",
       [](R& r, const Json& j, const Names& n) {
         r.define(j, blocks::add_positions(r.g_, r.value(j, "in", n), r.tensor_name(j, "weight", n)));
       }},
      {"add_row",
       [](R& r, const Json& j, const Names& n) {
         r.define(j, blocks::add_row(r.g_, r.value(j, "in", n), r.tensor_name(j, "weight", n),
                                     r.whole(j, "row", n, 0)));
       }},
      {"prepend",
       [](R& r, const Json& j, const Names& n) {
         r.define(j, blocks::prepend(r.g_, r.value(j, "in", n), r.tensor_name(j, "weight", n)));
       }},
      {"first_token", [](R& r, const Json& j,
                         const Names& n) { r.define(j, blocks::first_token(r.g_, r.value(j, "in", n))); }},
      {"tokens",
       [](R& r, const Json& j, const Names& n) { r.define(j, blocks::tokens(r.g_, r.value(j, "in", n))); }},
      {"flatten",
       [](R& r, const Json& j, const Names& n) { r.define(j, blocks::flatten(r.g_, r.value(j, "in", n))); }},
      {"split", [](R& r, const Json& j, const Names& n) { r.split(j, n); }},
      {"add", [](R& r, const Json& j, const Names& n) { r.combine(j, n); }},
      {"mul", [](R& r, const Json& j, const Names& n) { r.combine(j, n); }},
      {"concat", [](R& r, const Json& j, const Names& n) { r.concat(j, n); }},
      {"max_pool", [](R& r, const Json& j, const Names& n) { r.max_pool(j, n); }},
      {"mean_pool", [](R& r, const Json& j, const Names& n) { r.mean_pool(j, n); }},
      {"attention", [](R& r, const Json& j, const Names& n) { r.attention(j, n); }},
  };
  const std::string& op = s.at("op").as_string(text("{}: op", name_));
  const auto at = all.find(op);
  if (at != all.end()) return at->second(*this, s, names);
  std::vector<std::string> known;
  for (const auto& [name, make] : all) known.push_back(name);
  const std::string near = nearest(op, known);
  bad(text("no block '{}'{}", escaped(op), near.empty() ? "" : text(", did you mean {}", near)));
}

void RecipeReader::onnx(const Json& s, const Names& names) {
  std::vector<OnnxAttribute> attributes;
  if (const Json* given = s.find("attributes"))
    for (const auto& [name, value] : given->as_object(text("{}: attributes", name_))) {
      count(1);
      if (value.is_string()) {
        attributes.push_back(attribute(name, std::string_view(value.as_string())));
      } else if (value.is_integer()) {
        attributes.push_back(attribute(name, value.as_int()));
      } else if (value.is_array()) {
        std::vector<int64_t> ints;
        count(value.as_array().size());
        for (const Json& i : value.as_array()) ints.push_back(i.as_int(text("{}: {}", name_, name)));
        attributes.push_back(attribute(name, std::move(ints)));
      } else {
        attributes.push_back(attribute(name, value.as_double(text("{}: {}", name_, name))));
      }
    }
  const std::string op = word(s, "onnx", names);
  const Json* out = s.find("out");
  if (out && out->is_array()) {
    if (out->as_array().empty() || out->as_array().size() > 64)
      bad("an operator with no or more than 64 outputs");
    define_all(s, g_.add_many(op, values(s, names), static_cast<int>(out->as_array().size()),
                              std::move(attributes)));
  } else {
    define(s, g_.add(op, values(s, names), std::move(attributes)));
  }
}

}  // namespace dws::network
