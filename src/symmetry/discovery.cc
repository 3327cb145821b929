#include "symmetry/discovery.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <tuple>

#include "core/text.h"

namespace dws::symmetry {
namespace {

using network::Constant;
using network::kNone;
using network::Node;

bool is_table_type(OnnxType type) noexcept {
  return type == OnnxType::i64 || type == OnnxType::i32 || type == OnnxType::boolean;
}

// Whether b holds the numbers of a, both of two axes; `transposed`: with rows and columns exchanged.
bool same_matrix(const Constant& a, const Constant& b, bool transposed) {
  const auto item = static_cast<size_t>(onnx_type_bits(a.type)) / 8;
  if (item == 0 || a.bytes.size() != b.bytes.size()) return false;
  if (!transposed)
    return a.dims == b.dims && std::memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) == 0;
  const auto rows = static_cast<size_t>(a.dims[0]), columns = static_cast<size_t>(a.dims[1]);
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < columns; ++c)
      if (std::memcmp(a.bytes.data() + (r * columns + c) * item, b.bytes.data() + (c * rows + r) * item,
                      item) != 0)
        return false;
  return true;
}
// All numbers alike: such tensors are equal by chance. The first of them tell, so that holes of a file are not read.
bool uniform(const Constant& c) {
  constexpr size_t kEnough = size_t{1} << 14;
  const auto item = static_cast<size_t>(onnx_type_bits(c.type)) / 8;
  const size_t size = std::min(c.bytes.size(), kEnough);
  return size <= item || std::memcmp(c.bytes.data(), c.bytes.data() + item, size - item) == 0;
}

// What a matrix and its transpose have in common: type, sizes, the first numbers of the diagonal and the last number.
using Fingerprint = std::tuple<OnnxType, int64_t, int64_t, std::string>;
Fingerprint fingerprint(const Constant& c) {
  constexpr int64_t kNumbers = 16;
  const auto [rows, columns] = std::minmax(c.dims[0], c.dims[1]);
  const size_t item = static_cast<size_t>(onnx_type_bits(c.type)) / 8;
  std::string numbers;
  const auto add = [&](size_t at) {
    if (item > 0 && (at + 1) * item <= c.bytes.size())
      numbers.append(reinterpret_cast<const char*>(c.bytes.data()) + at * item, item);
  };
  for (int64_t i = 0; i < std::min(rows, kNumbers); ++i) add(static_cast<size_t>(i * (c.dims[1] + 1)));
  add(static_cast<size_t>(c.elements()) - 1);
  return {c.type, rows, columns, numbers};
}

}  // namespace

Discovery::Discovery(const network::Network& network, Shapes shapes, std::vector<Shapes> others, bool unsure)
    : network_(network),
      shapes_(std::move(shapes)),
      others_(std::move(others)),
      unsure_(unsure),
      axes_(network.values.size()),
      made_(network.values.size()),
      from_data_(network.values.size()),
      bias_(network.values.size()) {
  find_biases(network.graph);
}

// 32-bit integers that are a quantised bias are no table.
void Discovery::find_biases(const network::Graph& graph) {
  for (const Node& node : graph.nodes) {
    const int bias = node.op == "QLinearConv"        ? input(node, 8)
                     : node.op == "DequantizeLinear" ? input(node, 0)
                                                     : kNone;
    if (bias != kNone && node.domain.empty()) bias_[static_cast<size_t>(bias)] = true;
    for (const auto& [name, body] : node.bodies) find_biases(body);
  }
}

bool Discovery::known(int value) const noexcept {
  return value != kNone && shapes_[static_cast<size_t>(value)] != nullptr;
}
const std::vector<int64_t>& Discovery::dims(int value) const {
  return shapes_[static_cast<size_t>(value)]->dims;
}
const Axes& Discovery::axes(int value) {
  const auto v = static_cast<size_t>(value);
  if (!made_[v]) {
    made_[v] = true;
    const Constant* constant = network_.constant_of(value);
    for (const int64_t extent : dims(value)) {
      axes_[v].push_back(factors.leaf(extent));
      if (constant && is_table_type(constant->type) && !bias_[v])
        factors.pin(axes_[v].back(), "a table of integers");
      if (constant && constant->made) factors.pin(axes_[v].back(), "numbers that no tensor holds");
    }
  }
  return axes_[v];
}
void Discovery::make(const Node& node, int output, const Axes& axes) {
  if (output == kNone) return;
  const auto v = static_cast<size_t>(output);
  if (!known(output)) {
    for (const FactorId f : axes) pin(node, f);
    return;
  }
  const std::vector<int64_t>& extents = dims(output);
  bool fits = axes.size() == extents.size();
  for (size_t a = 0; fits && a < axes.size(); ++a) fits = factors.size(axes[a]) == extents[a];
  if (!fits) {
    for (const FactorId f : axes) pin(node, f);
    pin_value(output, why(node));
    return;
  }
  made_[v] = true;
  axes_[v] = axes;
}
void Discovery::unify_stretched(const Node& node, FactorId a, FactorId b) {
  if (factors.size(b) == 1 && factors.size(a) != 1) return;
  unify(node, a, b);
}
FactorId Discovery::pinned(const Node& node, int64_t size) {
  const FactorId f = factors.leaf(size);
  pin(node, f);
  return f;
}
void Discovery::pin_value(int value, const std::string& why) {
  if (!known(value)) return;
  for (const FactorId f : axes(value)) factors.pin(f, why);
}
void Discovery::pin_all(const Node& node, const std::string& because) {
  const std::string reason = because.empty() ? why(node) : why(node) + ": " + because;
  for (const int value : node.inputs)
    if (value != kNone) pin_value(value, reason);
  for (const int value : node.outputs)
    if (value != kNone) pin_value(value, reason);
  for (const auto& [name, body] : node.bodies)
    for (const Node& inner : body.nodes) pin_all(inner, because);
}
void Discovery::mix(int value, std::vector<int> axes) {
  mixes_.push_back({value, std::move(axes)});
}
std::string Discovery::why(const Node& node) const {
  return node.where(network_.values);
}
const network::Array* Discovery::numbers(int value) const noexcept {
  if (!known(value)) return nullptr;
  const network::ArrayPtr& a = shapes_[static_cast<size_t>(value)];
  return a->known() ? a.get() : nullptr;
}
std::vector<int64_t> Discovery::integers(int value) const {
  const network::Array* a = numbers(value);
  return a && !a->real() ? a->ints : std::vector<int64_t>{};
}
bool Discovery::varies(int value) const noexcept {
  if (value == kNone || network_.constant_of(value)) return false;
  if (others_.empty()) return unsure_;
  const network::ArrayPtr& a = shapes_[static_cast<size_t>(value)];
  return std::ranges::any_of(others_, [&](const Shapes& other) {
    const network::ArrayPtr& b = other[static_cast<size_t>(value)];
    return !a || !b || a->dims != b->dims || a->ints != b->ints || a->reals != b->reals;
  });
}
int Discovery::input(const Node& node, size_t i) const noexcept {
  return i < node.inputs.size() ? node.inputs[i] : kNone;
}
int Discovery::output(const Node& node, size_t i) const noexcept {
  return i < node.outputs.size() ? node.outputs[i] : kNone;
}

// Data are floating inputs and rows looked up by integer inputs.
void Discovery::note_data(const Node& node) {
  bool data = node.op == "Gather" && !numbers(input(node, 1));
  for (const int value : node.inputs) data = data || (value != kNone && from_data(value));
  if (node.op == "Shape" || node.op == "Size") data = false;
  for (const int value : node.outputs)
    if (value != kNone) from_data_[static_cast<size_t>(value)] = data;
}

void Discovery::node(const Node& node) {
  note_data(node);
  // Sizes and axes being worked out: no number of the network depends on their order.
  const auto whole = [&](int value) { return value == kNone || (numbers(value) && !numbers(value)->real()); };
  if (node.bodies.empty() && std::ranges::all_of(node.outputs, whole)) {
    for (const int value : node.outputs)
      if (value != kNone) pin_value(value, why(node));
    if (node.op == "Shape" || node.op == "Size") return;
    for (const int value : node.inputs) pin_value(value, why(node));
    return;
  }
  const Rule rule = find_rule(node.domain, node.op);
  if (!rule)
    return pin_all(node, text("an operator that is not known (domain '{}', version {})",
                              node.domain.empty() ? "ai.onnx" : escaped(node.domain), node.version));
  if (node.bodies.empty() && (node.inputs.empty() || node.inputs[0] == kNone || node.outputs.empty()))
    return pin_all(node, "it is incomplete");
  if (!std::ranges::all_of(node.inputs, [&](int value) { return value == kNone || known(value); }))
    return pin_all(node, "shapes are not known before it runs");
  try {
    rule(*this, node);
  } catch (const network::AttributeError& e) {
    throw e.of(text("{}: {}", one_line(network_.file), node.where(network_.values)));
  }
}
void Discovery::sweep(const network::Graph& graph) {
  for (const Node& n : graph.nodes) node(n);
}

void Discovery::join_copies() {
  // A function that is called twice brings its tensors twice, and they are stored once.
  std::map<const std::byte*, int> stored;
  for (size_t v = 0; v < network_.values.size(); ++v) {
    const Constant* c = network_.constant_of(static_cast<int>(v));
    if (!c || c->bytes.empty() || !made_[v]) continue;
    const auto [at, fresh] = stored.emplace(c->bytes.data(), static_cast<int>(v));
    if (fresh) continue;
    const int first = at->second;
    for (int a = 0; a < rank(static_cast<int>(v)) && dims(first) == c->dims; ++a) {
      unify(axis(first, a), axis(static_cast<int>(v), a),
            text("tensor '{}' is stored once", escaped(c->name)));
      copies_.push_back({first, a, static_cast<int>(v), a});
    }
  }
  // Exporters write one tensor twice, as it is and transposed, when two places use it. Numbers that stay where they are when
  // rows and columns are exchanged tell most matrices apart; of copies only the first is compared with those behind.
  std::map<Fingerprint, std::vector<int>> alike;
  for (size_t v = 0; v < network_.values.size(); ++v) {
    const auto value = static_cast<int>(v);
    const Constant* c = network_.constant_of(value);
    if (!c || c->dims.size() != 2 || c->dims[0] <= 1 || c->dims[1] <= 1 || !made_[v] ||
        is_table_type(c->type) || uniform(*c))
      continue;
    std::vector<int>& firsts = alike[fingerprint(*c)];
    if (std::ranges::none_of(firsts, [&](int first) { return join_copy(first, value); }))
      firsts.push_back(value);
  }
}

bool Discovery::join_copy(int first_value, int second_value) {
  const Constant &first = *network_.constant_of(first_value), &second = *network_.constant_of(second_value);
  const bool straight = first.dims == second.dims && same_matrix(first, second, false);
  const bool turned = !straight && first.dims[0] == second.dims[1] && first.dims[1] == second.dims[0] &&
                      same_matrix(first, second, true);
  if (!straight && !turned) return false;
  const std::string reason = text("tensor '{}' is a copy of '{}'", escaped(second.name), escaped(first.name));
  for (const int a : {0, 1}) {
    const int b = turned ? 1 - a : a;
    unify(axis(first_value, a), axis(second_value, b), reason);
    copies_.push_back({first_value, a, second_value, b});
  }
  return true;
}

void Discovery::sweep() {
  for (Shapes& other : others_) {
    std::swap(shapes_, other);
    sweep_once();
    std::swap(shapes_, other);
    for (size_t v = 0; v < axes_.size(); ++v) {
      if (network_.values[v].constant != kNone) continue;
      axes_[v].clear();
      made_[v] = from_data_[v] = false;
    }
    mixes_.clear();
    copies_.clear();
  }
  sweep_once();
}

void Discovery::sweep_once() {
  for (const int input : network_.graph.inputs) {
    pin_value(input, text("input '{}'", escaped(network_.values[static_cast<size_t>(input)].name)));
    note_data(input);
  }
  sweep(network_.graph);
  for (const int output : network_.graph.outputs)
    pin_value(output, text("output '{}'", escaped(network_.values[static_cast<size_t>(output)].name)));
  join_copies();
}

}  // namespace dws::symmetry
