#include "format/yaml.h"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "core/text.h"
#include "core/utf8.h"
#include "format/yaml_scalar.h"

namespace dws {
namespace {

constexpr std::string_view kTag = "tag:yaml.org,2002:";

// A value with what it costs to repeat it.
struct Part {
  Json value;
  YamlLines lines;
  size_t nodes = 1, bytes = 0;
  int height = 1;
};

// A sequence or mapping that is being read.
struct Open {
  bool map = false;
  YAML::anchor_t anchor = 0;
  Part part;
  Json::Array items;
  Json::Object fields;
  std::optional<std::string> key;  // read, its value to come
  int key_line = 0;
  bool merge = false;  // the key is `<<`
  std::unordered_set<std::string> names;
  std::vector<Part> merged;
};

// Builds the documents from the parser's events: a tree of its own making would repeat aliases without end.
class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view name, const YamlLimits& limits) : name_(name), limits_(limits) {}

  std::vector<YamlDocument> take() { return std::move(documents_); }

  [[noreturn]] void fail(int line, const std::string& what, ErrorKind kind = ErrorKind::bad_yaml,
                         std::string advice = {}) const {
    throw Error(kind, text("{}: line {}: {}", name_, line, what), std::move(advice));
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_.size() >= limits_.documents)
      fail(mark.line + 1, text("more than {} documents", limits_.documents), ErrorKind::resource_limit);
    documents_.emplace_back().lines.line = mark.line + 1;
    anchors_.clear();
    open_anchors_.clear();
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (expects_key()) fail(mark.line + 1, "a key that is empty");
    add(counted(mark.line + 1, {}, 0), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const int line = mark.line + 1;
    if (value.size() > limits_.scalar_bytes)
      fail(line, text("a scalar of {} bytes, at most {} are read", value.size(), limits_.scalar_bytes),
           ErrorKind::resource_limit);
    if (expects_key()) {
      key(line, value, tag == "?");
      if (anchor) anchors_[anchor] = counted(line, Json(value), value.size());
      return;
    }
    add(counted(line, scalar(line, tag, value), value.size()), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const int line = mark.line + 1;
    if (open_anchors_.contains(anchor)) fail(line, "an alias inside of what it stands for");
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) fail(line, "an alias without its anchor");
    if (expects_key()) {
      if (!found->second.value.is_string()) fail(line, "a key that is no string");
      key(line, found->second.value.as_string(), false);
      return;
    }
    spend(line, found->second.nodes, found->second.bytes);
    if (static_cast<int>(open_.size()) + found->second.height > limits_.depth) too_deep(line);
    Part copy = found->second;
    copy.lines.line = line;
    add(std::move(copy), 0);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    if (tag != text("{}seq", kTag)) require_plain(mark.line + 1, tag);
    start(mark.line + 1, false, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    if (tag != text("{}map", kTag)) require_plain(mark.line + 1, tag);
    start(mark.line + 1, true, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapEnd() override { end(); }

 private:
  bool expects_key() const { return !open_.empty() && open_.back().map && !open_.back().key; }

  [[noreturn]] void too_deep(int line) const {
    fail(line, text("nested deeper than {}", limits_.depth), ErrorKind::resource_limit);
  }
  void require_plain(int line, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!") unknown_tag(line, tag);
  }
  [[noreturn]] void unknown_tag(int line, const std::string& tag) const {
    fail(line, text("the tag {} is not supported", escaped(tag)), ErrorKind::bad_yaml,
         "values are strings, numbers, true, false, null, lists and mappings");
  }

  // Nodes and bytes are counted over all documents, repeated ones each time.
  void spend(int line, size_t nodes, size_t bytes) {
    nodes_ += nodes;
    bytes_ += bytes;
    if (nodes_ > limits_.nodes)
      fail(line, text("more than {} values, those that aliases repeat included", limits_.nodes),
           ErrorKind::resource_limit);
    if (bytes_ > limits_.all_bytes)
      fail(line, text("more than {} bytes of scalars, those that aliases repeat included", limits_.all_bytes),
           ErrorKind::resource_limit);
  }
  Part counted(int line, Json value, size_t bytes) {
    spend(line, 1, bytes);
    Part part;
    part.value = std::move(value);
    part.lines.line = line;
    part.bytes = bytes;
    return part;
  }

  Json scalar(int line, const std::string& tag, const std::string& value) const {
    if (tag == "?") {
      if (std::optional<Json> typed = yaml_plain_scalar(value)) return *std::move(typed);
      fail(line, text("{}: an integer beyond 64 bits", escaped(value, 40)), ErrorKind::bad_yaml,
           "put quotes around it if it is a string");
    }
    if (tag.empty() || tag == "!" || tag == text("{}str", kTag)) return value;
    std::optional<Json> typed;
    if (tag == text("{}null", kTag)) {
      typed = yaml_null(value);
    } else if (tag == text("{}bool", kTag)) {
      typed = yaml_bool(value);
    } else if (tag == text("{}int", kTag)) {
      typed = yaml_int(value);
    } else if (tag == text("{}float", kTag)) {
      typed = yaml_float(value);
      if (!typed) typed = yaml_int(value);
      if (typed) typed = Json(typed->as_double());
    } else {
      unknown_tag(line, tag);
    }
    if (!typed) fail(line, text("'{}' is not what its tag {} says", escaped(value, 40), escaped(tag)));
    return *std::move(typed);
  }

  void key(int line, const std::string& name, bool plain) {
    Open& map = open_.back();
    if (name.size() > limits_.key_bytes)
      fail(line, text("a key of {} bytes, at most {} are read", name.size(), limits_.key_bytes),
           ErrorKind::resource_limit);
    spend(line, 0, name.size());
    map.part.bytes += name.size();
    map.merge = plain && name == "<<";
    if (!map.merge && !map.names.insert(name).second)
      fail(line, text("the key '{}' stands twice", escaped(name)));
    map.key = name;
    map.key_line = line;
  }

  void start(int line, bool map, YAML::anchor_t anchor) {
    if (expects_key()) fail(line, "a key that is a list or a mapping");
    if (static_cast<int>(open_.size()) >= limits_.depth) too_deep(line);
    Open open;
    open.map = map;
    open.anchor = anchor;
    open.part = counted(line, {}, 0);
    if (anchor) open_anchors_.insert(anchor);
    open_.push_back(std::move(open));
  }

  void end() {
    Open open = std::move(open_.back());
    open_.pop_back();
    for (Part& from : open.merged) merge(open, from);
    if (open.map)
      open.part.value = Json(std::move(open.fields));
    else
      open.part.value = Json(std::move(open.items));
    if (open.anchor) open_anchors_.erase(open.anchor);
    add(std::move(open.part), open.anchor);
  }

  // `<<: [first, second]`: what stands in the mapping itself comes before what stands in the first, and so on.
  static void merge(Open& map, Part& from) {
    const Json::Object& fields = from.value.as_object();
    for (size_t i = 0; i < fields.size(); ++i) {
      if (!map.names.insert(fields[i].first).second) continue;
      map.fields.push_back(fields[i]);
      map.part.lines.parts.push_back(from.lines.parts[i]);
    }
  }
  void take_merged(int line, Part part) {
    std::vector<Part>& merged = open_.back().merged;
    if (part.value.is_object()) {
      merged.push_back(std::move(part));
      return;
    }
    const bool list = part.value.is_array() && std::ranges::all_of(part.value.as_array(), &Json::is_object);
    if (!list) fail(line, "<<: expected a mapping or a list of mappings");
    const Json::Array& maps = part.value.as_array();
    for (size_t i = 0; i < maps.size(); ++i) {
      Part one;
      one.value = maps[i];
      one.lines = part.lines.parts[i];
      merged.push_back(std::move(one));
    }
  }

  void add(Part part, YAML::anchor_t anchor) {
    if (anchor) {
      spend(part.lines.line, part.nodes, part.bytes);
      anchors_[anchor] = part;
    }
    if (open_.empty()) {
      documents_.back().value = std::move(part.value);
      documents_.back().lines = std::move(part.lines);
      return;
    }
    Open& into = open_.back();
    into.part.nodes += part.nodes;
    into.part.bytes += part.bytes;
    into.part.height = std::max(into.part.height, part.height + 1);
    if (into.map && into.merge) {
      into.key.reset();
      into.merge = false;
      take_merged(into.key_line, std::move(part));
      return;
    }
    if (into.map) {
      part.lines.line = into.key_line;
      into.fields.emplace_back(*std::move(into.key), std::move(part.value));
      into.key.reset();
    } else {
      into.items.push_back(std::move(part.value));
    }
    into.part.lines.parts.push_back(std::move(part.lines));
  }

  std::string_view name_;
  const YamlLimits& limits_;
  std::vector<YamlDocument> documents_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, Part> anchors_;
  std::unordered_set<YAML::anchor_t> open_anchors_;
  size_t nodes_ = 0, bytes_ = 0;
};

int line_of(std::string_view text, size_t position) {
  return static_cast<int>(1 +
                          std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(position), '\n'));
}

void check_characters(std::string_view yaml, std::string_view name) {
  if (const size_t bad = first_bad_utf8(yaml); bad != yaml.npos)
    throw Error(ErrorKind::bad_utf8, text("{}: line {}: no UTF-8 at byte {}", name, line_of(yaml, bad), bad));
  for (size_t i = 0; i < yaml.size(); ++i) {
    const auto c = static_cast<unsigned char>(yaml[i]);
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
      throw Error(ErrorKind::bad_yaml, text("{}: line {}: the control character \\x{:02x} at byte {}", name,
                                            line_of(yaml, i), c, i));
  }
}

}  // namespace

std::vector<std::pair<std::string, YamlNode>> YamlNode::fields() const {
  std::vector<std::pair<std::string, YamlNode>> fields;
  if (!value_->is_object()) return fields;
  const Json::Object& object = value_->as_object();
  for (size_t i = 0; i < object.size(); ++i)
    fields.emplace_back(object[i].first, YamlNode(object[i].second, lines_->parts[i]));
  return fields;
}

std::optional<YamlNode> YamlNode::find(std::string_view key) const {
  if (!value_->is_object()) return std::nullopt;
  const Json::Object& object = value_->as_object();
  for (size_t i = 0; i < object.size(); ++i) {
    if (object[i].first == key) return YamlNode(object[i].second, lines_->parts[i]);
  }
  return std::nullopt;
}

std::vector<YamlNode> YamlNode::items() const {
  std::vector<YamlNode> items;
  if (!value_->is_array()) return items;
  const Json::Array& array = value_->as_array();
  for (size_t i = 0; i < array.size(); ++i) items.emplace_back(array[i], lines_->parts[i]);
  return items;
}

std::vector<YamlDocument> parse_yaml(std::string_view yaml, std::string_view name, const YamlLimits& limits) {
  if (yaml.size() > limits.text_bytes)
    throw Error(ErrorKind::resource_limit,
                text("{}: {} bytes of YAML, at most {} are read", name, yaml.size(), limits.text_bytes));
  check_characters(yaml, name);
  Builder builder(name, limits);
  try {
    std::istringstream stream{std::string(yaml)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::DeepRecursion& e) {
    builder.fail(e.mark.line + 1, text("nested deeper than {}", limits.depth), ErrorKind::resource_limit);
  } catch (const YAML::Exception& e) {
    builder.fail(std::max(0, e.mark.line) + 1, one_line(e.msg));
  }
  return builder.take();
}

}  // namespace dws
