#include <algorithm>
#include <set>

#include "core/text.h"
#include "network/context.h"
#include "network/engine/plan.h"

namespace dws::network::engine {
namespace {

constexpr double kExact = 1 << 24;  // integers that a float holds

std::string operator_name(const Node& node) {
  return node.domain.empty() ? node.op : node.domain + "." + node.op;
}

}  // namespace

Planner find_planner(std::string_view domain, std::string_view op) {
  using Table = std::map<std::pair<std::string_view, std::string_view>, Planner>;
  static const Table all = [] {
    Table t;
    for (const auto& family :
         {elementwise_planners(), broadcast_planners(), product_planners(), convolution_planners(),
          norm_planners(), reduction_planners(), movement_planners(), attention_planners(), rotary_planners(),
          recurrent_planners(), resize_planners()})
      for (const PlannerRow& row : family) t.emplace(std::pair{row.domain, row.op}, row.plan);
    return t;
  }();
  const auto at = all.find({domain, op});
  return at == all.end() ? nullptr : at->second;
}

std::vector<ArrayPtr> run_reference(const Network& network, const Node& node, std::vector<ArrayPtr> inputs) {
  const Operator op = find_operator(node.domain, node.op);
  const auto where = [&] { return text("{}: {}", one_line(network.file), node.where(network.values)); };
  if (!op || !node.bodies.empty())
    throw Error(ErrorKind::unsupported, text("{}: cannot be run on its own", where()));
  Context context(node, std::move(inputs), false, where, {});
  try {
    op(context);
  } catch (const AttributeError& e) {
    throw e.of(where());
  }
  return context.take_outputs();
}

void to_floats(const Array& array, float* out) {
  for (size_t i = 0; i < array.reals.size(); ++i) out[i] = static_cast<float>(array.reals[i]);
  for (size_t i = 0; i < array.ints.size(); ++i) {
    const auto v = static_cast<double>(array.ints[i]);
    if (v > kExact || v < -kExact)
      throw Error(ErrorKind::unsupported, text("the integer {} is beyond 2^24", array.ints[i]));
    out[i] = static_cast<float>(v);
  }
}
ArrayPtr from_floats(const Array& shape, const float* numbers) {
  auto array = std::make_shared<Array>(Array{.type = shape.type, .dims = shape.dims});
  const auto count = static_cast<size_t>(shape.size());
  if (array->real())
    array->reals.assign(numbers, numbers + count);
  else
    for (size_t i = 0; i < count; ++i) array->ints.push_back(static_cast<int64_t>(numbers[i]));
  return array;
}

Builder::Builder(const Network& network, std::vector<ArrayPtr> shapes, const std::vector<int>& watched)
    : network_(network),
      shapes_(std::move(shapes)),
      readers_(network.values.size()),
      kept_(network.values.size()),
      fixed_(network.values.size()),
      sizes_(network.values.size()),
      alias_of_(network.values.size(), kNone) {
  for (const int v : network.graph.outputs) kept_[static_cast<size_t>(v)] = true;
  for (const int v : watched) kept_[static_cast<size_t>(v)] = true;
  for (const Node& node : network.graph.nodes)
    for (const int input : node.inputs)
      if (input != kNone) readers_[static_cast<size_t>(input)].push_back(&node);
  for (size_t v = 0; v < shapes_.size(); ++v) {
    if (shapes_[v]) sizes_[v] = shapes_[v]->size();
    fixed_[v] = network.values[v].constant != kNone;
  }
  for (const Node& node : network.graph.nodes) plan(node);
}

int64_t Builder::size(int value) const {
  return sizes_[static_cast<size_t>(value)];
}
ArrayPtr Builder::integers(int value) const {
  if (!fixed(value)) return nullptr;
  const ArrayPtr& a = shapes_[static_cast<size_t>(value)];
  if (!a || a->real()) return nullptr;
  if (a->known()) return a;
  const Constant* c = network_.constant_of(value);
  return c ? std::make_shared<const Array>(to_array(*c)) : nullptr;
}
const Node* Builder::sole_reader(int value) const {
  if (kept_[static_cast<size_t>(value)]) return nullptr;
  const auto& readers = readers_[static_cast<size_t>(value)];
  return readers.size() == 1 && readers[0]->bodies.empty() ? readers[0] : nullptr;
}

void Builder::step(Step step) {
  steps_.push_back(std::move(step));
}
int Builder::derive(int64_t size, std::vector<int> from, Fold work) {
  const int value = static_cast<int>(sizes_.size());
  sizes_.push_back(size);
  fixed_.push_back(true);
  alias_of_.push_back(kNone);
  derived_.push_back({value, size, std::move(from), std::move(work)});
  return value;
}
void Builder::alias(int out, int in) {
  alias_of_[static_cast<size_t>(out)] = in;
}

void Builder::plan(const Node& node) {
  bool all_fixed = true, known = true;
  for (const int input : node.inputs) all_fixed = all_fixed && (input == kNone || fixed(input));
  for (const int output : node.outputs) {
    if (output == kNone) continue;
    const ArrayPtr& a = shapes_[static_cast<size_t>(output)];
    if (!a)
      throw Error(ErrorKind::unsupported, text("{}: {}: the shape of its output depends on numbers",
                                               one_line(network_.file), node.where(network_.values)));
    known = known && !a->real() && a->known();  // Shape and what follows from it
  }
  if (all_fixed || known) {
    for (const int output : node.outputs)
      if (output != kNone) fixed_[static_cast<size_t>(output)] = true;
    if (!known) fixed_nodes_.push_back(&node);
    return;
  }
  if (!node.bodies.empty())
    throw Error(ErrorKind::unsupported,
                text("{}: {}: operator {} on numbers that flow", one_line(network_.file),
                     node.where(network_.values), escaped(operator_name(node))));
  if (std::ranges::find(absorbed_, &node) != absorbed_.end()) return;
  const Planner planner = find_planner(node.domain, node.op);
  if (!planner || !planner(*this, node)) by_reference(node);
}

void Builder::by_reference(const Node& node) {
  slow_.push_back(operator_name(node));
  Step step;
  for (const int input : node.inputs)
    if (input != kNone) step.reads.push_back(input);
  for (const int output : node.outputs)
    if (output != kNone) step.writes.push_back(output);
  std::vector<ArrayPtr> shapes, known;
  for (const int input : node.inputs) {
    shapes.push_back(input == kNone ? nullptr : shape_ptr(input));
    known.push_back(input == kNone ? nullptr : integers(input));
  }
  std::erase_if(step.reads, [&](int v) { return integers(v) != nullptr; });
  step.work = [&network = network_, &node, shapes, known](const Frame& f) {
    std::vector<ArrayPtr> inputs;
    for (size_t i = 0; i < shapes.size(); ++i)
      inputs.push_back(known[i]     ? known[i]
                       : !shapes[i] ? nullptr
                                    : from_floats(*shapes[i], f.in(node.inputs[i])));
    const std::vector<ArrayPtr> outputs = run_reference(network, node, std::move(inputs));
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (node.outputs[i] != kNone && outputs[i]) to_floats(*outputs[i], f.out(node.outputs[i]));
  };
  this->step(std::move(step));
}

Builder::Result Builder::take() {
  std::ranges::sort(slow_);
  slow_.erase(std::unique(slow_.begin(), slow_.end()), slow_.end());
  return {std::move(steps_),  std::move(derived_), std::move(alias_of_),
          std::move(fixed_),  std::move(sizes_),   std::move(fixed_nodes_),
          std::move(shapes_), std::move(slow_),    flops_};
}

}  // namespace dws::network::engine
