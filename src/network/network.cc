#include "network/network.h"

#include "core/text.h"
#include "network/array.h"

namespace dws::network {

int64_t Constant::elements() const noexcept {
  int64_t product = 1;
  for (const int64_t extent : dims) product *= extent;
  return product;
}
bool Constant::floating() const noexcept {
  return is_real(type);
}
bool Constant::parameter() const noexcept {
  return !made && (floating() || type == OnnxType::i8 || type == OnnxType::u8 || type == OnnxType::i4 ||
                   type == OnnxType::u4);
}

Error AttributeError::of(const std::string& where) const {
  return Error(kind(), text("{}: {}", where, what()));
}

namespace {

const char* name_of(OnnxAttribute::Kind kind) {
  constexpr const char* kNames[] = {
      "nothing", "FLOAT",   "INT",    "STRING",        "TENSOR",         "GRAPH",      "FLOATS",     "INTS",
      "STRINGS", "TENSORS", "GRAPHS", "SPARSE_TENSOR", "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS"};
  return kNames[static_cast<int>(kind)];
}

}  // namespace

const OnnxAttribute* Node::find(std::string_view attribute, OnnxAttribute::Kind kind) const {
  using Kind = OnnxAttribute::Kind;
  for (const OnnxAttribute& a : attributes) {
    if (a.name != attribute || a.kind == Kind::undefined) continue;
    if (a.kind == kind) return &a;
    throw AttributeError(
        text("attribute '{}': expected {}, got {}", escaped(attribute), name_of(kind), name_of(a.kind)));
  }
  return nullptr;
}
int64_t Node::attr_int(std::string_view attribute, int64_t otherwise) const {
  const OnnxAttribute* a = find(attribute, OnnxAttribute::Kind::i);
  return a ? a->i : otherwise;
}
double Node::attr_float(std::string_view attribute, double otherwise) const {
  const OnnxAttribute* a = find(attribute, OnnxAttribute::Kind::f);
  return a ? a->f : otherwise;
}
std::string Node::attr_string(std::string_view attribute, std::string_view otherwise) const {
  const OnnxAttribute* a = find(attribute, OnnxAttribute::Kind::s);
  return a ? a->s : std::string(otherwise);
}
std::optional<std::vector<int64_t>> Node::attr_ints(std::string_view attribute) const {
  const OnnxAttribute* a = find(attribute, OnnxAttribute::Kind::ints);
  if (!a) return {};
  return a->ints;
}
const Graph* Node::body(std::string_view attribute) const noexcept {
  for (const auto& [key, graph] : bodies)
    if (key == attribute) return &graph;
  return nullptr;
}
std::string Node::where(const std::vector<Value>& values) const {
  if (!name.empty()) return text("node '{}' ({})", escaped(name), escaped(op));
  for (const int output : outputs)
    if (output != kNone)
      return text("the node that makes '{}' ({})", escaped(values[static_cast<size_t>(output)].name),
                  escaped(op));
  return text("a node ({})", escaped(op));
}

const Constant* Network::constant_of(int value) const noexcept {
  if (value == kNone) return nullptr;
  const int number = values[static_cast<size_t>(value)].constant;
  return number == kNone ? nullptr : &constants[static_cast<size_t>(number)];
}
int Network::find_value(std::string_view name) const noexcept {
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i].name == name) return static_cast<int>(i);
  return kNone;
}

}  // namespace dws::network
