#include "network/engine/fixed.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"

namespace dws::network::engine {

Fixed::Fixed(const Network& network, const Builder::Result& built, const std::vector<int>& kept)
    : network_(network),
      built_(built),
      needed_(built.sizes.size()),
      changed_(built.sizes.size(), true),
      arrays_(built.sizes.size()),
      own_(built.sizes.size()),
      numbers_(built.sizes.size()) {
  const auto need = [&](int v) {
    while (built.alias_of[static_cast<size_t>(v)] != kNone) v = built.alias_of[static_cast<size_t>(v)];
    if (built.fixed[static_cast<size_t>(v)]) needed_[static_cast<size_t>(v)] = true;
  };
  for (const int v : kept) need(v);
  for (const Step& step : built.steps)
    for (const int v : step.reads) need(v);
  for (const Derived& derived : built.derived)
    for (const int v : derived.from) need(v);
}

void Fixed::set(int constant, const float* numbers) {
  if (numbers)
    replaced_[constant] = numbers;
  else
    replaced_.erase(constant);
  for (size_t v = 0; v < network_.values.size(); ++v)
    if (network_.values[v].constant == constant) changed_[v] = true;
}

// What a fixed node is given.
ArrayPtr Fixed::array_of(int value) {
  if (value == kNone) return nullptr;
  const auto at = static_cast<size_t>(value);
  const int constant = network_.values[at].constant;
  if (constant == kNone) return arrays_[at] ? arrays_[at] : built_.shapes[at];
  const Constant& c = network_.constants[static_cast<size_t>(constant)];
  const auto other = replaced_.find(constant);
  if (other != replaced_.end()) return from_floats({.type = c.type, .dims = c.dims}, other->second);
  return std::make_shared<const Array>(to_array(c));
}

void Fixed::load(int value) {
  const auto at = static_cast<size_t>(value);
  const int constant = at < network_.values.size() ? network_.values[at].constant : kNone;
  if (constant != kNone) {
    if (const auto other = replaced_.find(constant); other != replaced_.end()) {
      numbers_[at] = const_cast<float*>(other->second);  // steps only read what is fixed
      return;
    }
    const Constant& c = network_.constants[static_cast<size_t>(constant)];
    if (own_[at].empty()) {
      own_[at] = Buffer<float>(static_cast<size_t>(std::max<int64_t>(1, c.elements())));
      if (c.type == OnnxType::f32)
        std::memcpy(own_[at].data(), c.bytes.data(), c.bytes.size());
      else
        to_floats(to_array(c), own_[at].data());
    }
  } else {
    const ArrayPtr array = array_of(value);
    if (own_[at].empty()) own_[at] = Buffer<float>(static_cast<size_t>(std::max<int64_t>(1, array->size())));
    to_floats(*array, own_[at].data());
  }
  numbers_[at] = own_[at].data();
}

void Fixed::prepare() {
  const auto is_changed = [&](int v) { return v != kNone && changed_[static_cast<size_t>(v)]; };
  // Only what is wanted is worked out: from the last node to the first.
  std::vector<char> wanted = needed_;
  std::vector<const Node*> nodes;
  for (size_t i = built_.fixed_nodes.size(); i-- > 0;) {
    const Node& node = *built_.fixed_nodes[i];
    if (!std::ranges::any_of(node.outputs,
                             [&](int v) { return v != kNone && wanted[static_cast<size_t>(v)]; }))
      continue;
    nodes.push_back(&node);
    for (const int v : node.inputs)
      if (v != kNone) wanted[static_cast<size_t>(v)] = true;
  }
  for (size_t i = nodes.size(); i-- > 0;) {
    const Node& node = *nodes[i];
    const bool first = std::ranges::none_of(
        node.outputs, [&](int v) { return v != kNone && arrays_[static_cast<size_t>(v)]; });
    const bool again = first || std::ranges::any_of(node.inputs, is_changed);
    std::vector<ArrayPtr> inputs;
    if (again)
      for (const int v : node.inputs) inputs.push_back(array_of(v));
    const std::vector<ArrayPtr> outputs =
        again ? run_reference(network_, node, std::move(inputs)) : std::vector<ArrayPtr>{};
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      if (node.outputs[o] == kNone) continue;
      changed_[static_cast<size_t>(node.outputs[o])] = again;
      if (again) arrays_[static_cast<size_t>(node.outputs[o])] = outputs[o];
    }
  }
  std::vector<int> loads;
  for (size_t v = 0; v < network_.values.size(); ++v)
    if (needed_[v] && (changed_[v] || !numbers_[v])) loads.push_back(static_cast<int>(v));
  parallel_for(static_cast<int64_t>(loads.size()), [&](int64_t i) { load(loads[static_cast<size_t>(i)]); });
  parallel_for(static_cast<int64_t>(built_.derived.size()), [&](int64_t i) {
    const Derived& derived = built_.derived[static_cast<size_t>(i)];
    const auto at = static_cast<size_t>(derived.value);
    if (!own_[at].empty() && !std::ranges::any_of(derived.from, is_changed)) return;
    if (own_[at].empty()) own_[at] = Buffer<float>(static_cast<size_t>(std::max<int64_t>(1, derived.size)));
    numbers_[at] = own_[at].data();
    derived.work({numbers_.data(), nullptr}, own_[at].data());
  });
  std::ranges::fill(changed_, false);
}

}  // namespace dws::network::engine
