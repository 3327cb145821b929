#include "network/graph_builder.h"

#include <cstring>
#include <deque>

#include "core/error.h"
#include "core/shape.h"
#include "core/text.h"
#include "network/array.h"

namespace dws::network {

namespace {
constexpr int64_t kOpset = 23;  // whose operators are built
constexpr int64_t kMaxNodes = 1'000'000;
}  // namespace

struct GraphBuilder::Owner {
  std::shared_ptr<const void> stored;
  std::deque<std::vector<std::byte>> made;
};

OnnxAttribute attribute(std::string_view name, int64_t value) {
  OnnxAttribute a;
  a.name = name;
  a.kind = OnnxAttribute::Kind::i;
  a.i = value;
  return a;
}
OnnxAttribute attribute(std::string_view name, double value) {
  OnnxAttribute a;
  a.name = name;
  a.kind = OnnxAttribute::Kind::f;
  a.f = value;
  return a;
}
OnnxAttribute attribute(std::string_view name, std::string_view value) {
  OnnxAttribute a;
  a.name = name;
  a.kind = OnnxAttribute::Kind::s;
  a.s = value;
  return a;
}
OnnxAttribute attribute(std::string_view name, std::vector<int64_t> values) {
  OnnxAttribute a;
  a.name = name;
  a.kind = OnnxAttribute::Kind::ints;
  a.ints = std::move(values);
  return a;
}

GraphBuilder::GraphBuilder(StoredTensors stored, std::string about)
    : about_(std::move(about)), owner_(std::make_shared<Owner>()), stored_(std::move(stored.tensors)) {
  net_.file = std::move(stored.file);
  net_.opsets[""] = kOpset;
  owner_->stored = std::move(stored.owner);
  std::map<OnnxType, int64_t> types;
  for (size_t i = 0; i < stored_.size(); ++i) {
    if (!numbers_.emplace(stored_[i].name, i).second)
      throw Error(ErrorKind::duplicate_name,
                  text("{}: two tensors '{}'", one_line(net_.file), escaped(stored_[i].name)));
    if (stored_[i].floating()) types[stored_[i].type] += stored_[i].elements();
  }
  int64_t most = -1;
  for (const auto& [type, count] : types)
    if (count > most) {
      most = count;
      type_ = type;
    }
  value_of_.assign(stored_.size(), kNone);
  used_.assign(stored_.size(), false);
}

void GraphBuilder::fail(ErrorKind kind, const std::string& what, const std::string& advice) const {
  throw Error(kind, text("{}: {}: {}", one_line(net_.file), about_, what), advice);
}
void GraphBuilder::fail_at(const std::string& tensor, const std::string& what) const {
  fail(ErrorKind::mismatch, text("tensor '{}' {}", escaped(tensor), what));
}

int GraphBuilder::fresh(std::string name) {
  net_.values.push_back({.name = std::move(name)});
  return static_cast<int>(net_.values.size()) - 1;
}
int GraphBuilder::constant(Constant c) {
  const int value = fresh(c.name);
  Value& v = net_.values.back();
  v.constant = static_cast<int>(net_.constants.size());
  v.type = c.type;
  v.dims = c.dims;
  net_.constants.push_back(std::move(c));
  return value;
}

int GraphBuilder::input(const std::string& name, OnnxType type, const std::vector<Extent>& extents) {
  const int value = fresh(name);
  Value& v = net_.values.back();
  v.type = type;
  v.dims.emplace();
  for (const Extent& e : extents) {
    v.dims->push_back(e.symbol.empty() ? e.fixed : -1);
    v.symbols.push_back(e.symbol);
  }
  net_.graph.inputs.push_back(value);
  return value;
}
void GraphBuilder::output(int value, const std::string& name) {
  net_.values[static_cast<size_t>(value)].name = name;
  net_.graph.outputs.push_back(value);
}

std::vector<int> GraphBuilder::add_many(std::string_view op, std::vector<int> inputs, int outputs,
                                        std::vector<OnnxAttribute> attributes, const std::string& name) {
  if (static_cast<int64_t>(net_.graph.nodes.size()) >= kMaxNodes)
    fail(ErrorKind::resource_limit, text("more than {} nodes", kMaxNodes));
  Node node{.name = name, .op = std::string(op), .domain = "", .version = kOpset};
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  for (int i = 0; i < outputs; ++i) node.outputs.push_back(fresh(text("{}_{}", op, net_.values.size())));
  std::vector<int> made = node.outputs;
  net_.graph.nodes.push_back(std::move(node));
  return made;
}
int GraphBuilder::add(std::string_view op, std::vector<int> inputs, std::vector<OnnxAttribute> attributes,
                      const std::string& name) {
  return add_many(op, std::move(inputs), 1, std::move(attributes), name).front();
}

const std::vector<int64_t>& GraphBuilder::dims(const std::string& tensor) const {
  const auto at = numbers_.find(tensor);
  if (at == numbers_.end()) fail(ErrorKind::missing_tensor, text("tensor '{}' is missing", escaped(tensor)));
  return stored_[at->second].dims;
}
int GraphBuilder::tensor(const std::string& name) {
  const auto at = numbers_.find(name);
  if (at == numbers_.end()) fail(ErrorKind::missing_tensor, text("tensor '{}' is missing", escaped(name)));
  used_[at->second] = true;
  int& value = value_of_[at->second];
  if (value != kNone) return value;
  const Constant& c = stored_[at->second];
  value = constant(c);
  if (c.floating() && c.type != type_)
    value = add("Cast", {value}, {attribute("to", static_cast<int64_t>(type_))}, name);
  return value;
}
int GraphBuilder::tensor(const std::string& name, const std::vector<int64_t>& expected) {
  const std::vector<int64_t>& have = dims(name);
  bool fits = have.size() == expected.size();
  for (size_t a = 0; fits && a < have.size(); ++a) fits = expected[a] < 0 || expected[a] == have[a];
  if (!fits) {
    std::vector<std::string> parts;
    for (const int64_t extent : expected) parts.push_back(extent < 0 ? "?" : text("{}", extent));
    fail_at(name, text("has shape {}, expected ({})", shape_text(have), join(parts, ", ")));
  }
  if (!stored_[numbers_.at(name)].floating())
    fail_at(name, text("is of type {}, expected floating numbers",
                       onnx_type_name(stored_[numbers_.at(name)].type)));
  return tensor(name);
}

int GraphBuilder::made(const char* what, OnnxType type, std::vector<int64_t> shape,
                       std::vector<std::byte> bytes) {
  owner_->made.push_back(std::move(bytes));
  return constant({.name = text("{}_{}", what, net_.values.size()),
                   .type = type,
                   .dims = std::move(shape),
                   .bytes = owner_->made.back(),
                   .made = true});
}
int GraphBuilder::ints(const std::vector<int64_t>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(int64_t));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return made("sizes", OnnxType::i64, {static_cast<int64_t>(values.size())}, std::move(bytes));
}
int GraphBuilder::number(double value) {
  return made("number", type_, {}, to_bytes(Array{.type = type_, .dims = {}, .reals = {value}}));
}
int GraphBuilder::numbers(const std::vector<double>& values) {
  const std::vector<int64_t> shape = {static_cast<int64_t>(values.size())};
  return made("numbers", type_, shape, to_bytes(Array{.type = type_, .dims = shape, .reals = values}));
}

int64_t GraphBuilder::channels(int value) const {
  const auto at = channels_.find(value);
  return at == channels_.end() ? -1 : at->second;
}

void GraphBuilder::ignore(const std::string& tensor) {
  used_[numbers_.at(tensor)] = true;
}

Network GraphBuilder::take() {
  for (size_t i = 0; i < stored_.size(); ++i)
    if (!used_[i]) fail_at(stored_[i].name, text("{} has no place in it", shape_text(stored_[i].dims)));
  if (net_.graph.outputs.empty()) fail(ErrorKind::bad_schema, "makes no output");
  net_.owner = owner_;
  return std::move(net_);
}

}  // namespace dws::network
