#include "symmetry/verify.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "core/error.h"
#include "core/text.h"

namespace dws::symmetry {
namespace {

using network::Array;
using network::ArrayPtr;
using network::kNone;
using network::Network;
using network::Node;

constexpr int kControls = 16;  // groups of which a member is left out, at most

// How many rows the tables have that an integer value is looked up in.
void tables_of(const Network& net, const network::Graph& graph, std::map<int, int64_t>& rows) {
  // Through what keeps indices as they are, from where they are used back to where they come from.
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    for (const auto& [name, body] : node.bodies) tables_of(net, body, rows);
    const auto note = [&](int value, int64_t limit) {
      if (value == kNone) return;
      const auto [at, fresh] = rows.emplace(value, limit);
      if (!fresh) at->second = std::min(at->second, limit);
    };
    if (node.op == "Gather" && node.inputs.size() == 2)
      if (const network::Constant* c = net.constant_of(node.inputs[0]); c && !c->dims.empty()) {
        const int64_t axis = node.attr_int("axis", 0), rank = static_cast<int64_t>(c->dims.size());
        if (axis >= -rank && axis < rank)
          note(node.inputs[1], c->dims[static_cast<size_t>(axis < 0 ? axis + rank : axis)]);
      }
    constexpr std::string_view kKeeps[] = {"Cast",      "Identity", "Reshape", "Squeeze", "Unsqueeze",
                                           "Transpose", "Flatten",  "Expand",  "Slice"};
    if (std::ranges::find(kKeeps, node.op) != std::end(kKeeps) && !node.outputs.empty())
      if (const auto at = rows.find(node.outputs[0]); at != rows.end()) note(node.inputs[0], at->second);
  }
}

}  // namespace

std::vector<ArrayPtr> random_inputs(const Network& network, const std::vector<ArrayPtr>& shapes,
                                    const std::map<std::string, double>& set, Rng& rng) {
  std::map<int, int64_t> rows;
  tables_of(network, network.graph, rows);
  std::map<std::string, double> unused = set;
  std::vector<ArrayPtr> inputs;
  for (size_t i = 0; i < shapes.size(); ++i) {
    Array a{.type = shapes[i]->type, .dims = shapes[i]->dims};
    const auto count = static_cast<size_t>(network::elements(a.dims));
    const int value = network.graph.inputs[i];
    const auto given = set.find(network.values[static_cast<size_t>(value)].name);
    if (given != set.end()) unused.erase(given->first);
    if (a.real()) {
      a.reals.resize(count);
      for (double& x : a.reals)
        x = network::round_to(a.type, given == set.end() ? rng.normal() : given->second);
    } else {
      a.ints.resize(count);
      const auto at = rows.find(value);
      const int64_t limit = at == rows.end() ? 2 : std::max<int64_t>(at->second, 1);
      for (int64_t& x : a.ints)
        x = given == set.end() ? static_cast<int64_t>(rng.below(static_cast<uint64_t>(limit)))
                               : static_cast<int64_t>(given->second);
    }
    inputs.push_back(std::make_shared<const Array>(std::move(a)));
  }
  if (!unused.empty())
    throw Error(ErrorKind::usage,
                text("{}: no input '{}'", one_line(network.file), escaped(unused.begin()->first)));
  return inputs;
}

double relative_difference(const std::vector<ArrayPtr>& a, const std::vector<ArrayPtr>& b) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (a.size() != b.size()) return kInfinite;
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!a[i] || !b[i] || a[i]->type != b[i]->type || a[i]->dims != b[i]->dims) return kInfinite;
    double largest = 0, difference = 0;
    for (size_t k = 0; k < a[i]->reals.size(); ++k) {
      const double x = a[i]->reals[k], y = b[i]->reals[k];
      if (x == y || (std::isnan(x) && std::isnan(y))) {
        if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
        continue;
      }
      if (!std::isfinite(x) || !std::isfinite(y)) return kInfinite;
      largest = std::max(largest, std::abs(x));
      difference = std::max(difference, std::abs(x - y));
    }
    if (a[i]->ints != b[i]->ints) return kInfinite;
    if (difference > 0) worst = std::max(worst, largest > 0 ? difference / largest : kInfinite);
  }
  return worst;
}

network::Replacements replaced(const Network& network, const Spec& spec, const NetworkElement& g,
                               const LeftOut& left_out) {
  network::Replacements found;
  const std::vector<bool> moved = touched(spec);
  const MembersByTensor members = members_by_tensor(spec);
  std::vector<bool> idle(g.size());
  for (size_t n = 0; n < g.size(); ++n) idle[n] = is_identity(g[n]);
  for (size_t t = 0; t < spec.tensors.size(); ++t) {
    if (!moved[t]) continue;
    if (std::ranges::all_of(members[t], [&](const auto& at) { return idle[static_cast<size_t>(at.first)]; }))
      continue;
    const int c = spec.tensors[t].constant;
    found[c] = std::make_shared<const Array>(act(spec, g, static_cast<int>(t),
                                                 network::to_array(network.constants[static_cast<size_t>(c)]),
                                                 left_out, &members));
  }
  return found;
}

Verdict verify(const Network& network, const std::vector<ArrayPtr>& shapes, const Spec& spec,
               const VerifyOptions& options) {
  network::Executor executor(network, options.precision);
  Rng rng(options.seed);
  Verdict verdict;
  for (int trial = 0; trial < options.trials && verdict.holds; ++trial) {
    const std::vector<ArrayPtr> inputs = random_inputs(network, shapes, options.set, rng);
    const std::vector<ArrayPtr> before = executor.run(inputs);
    const NetworkElement g = random_element(spec, options.draw, rng);
    const auto differs = [&](const NetworkElement& e, const LeftOut& left_out = {}) {
      return relative_difference(before, executor.run(inputs, replaced(network, spec, e, left_out)));
    };
    const double difference = differs(g);
    verdict.difference = std::max(verdict.difference, difference);
    if (!(difference <= options.tolerance)) {
      verdict.holds = false;
      // Halves of the groups, as long as one of them alone makes a difference.
      std::vector<size_t> suspects;
      for (size_t n = 0; n < g.size(); ++n)
        if (!is_identity(g[n])) suspects.push_back(n);
      while (suspects.size() > 1) {
        const size_t half = suspects.size() / 2;
        const std::vector<size_t> first(suspects.begin(),
                                        suspects.begin() + static_cast<std::ptrdiff_t>(half));
        NetworkElement e = identity_element(spec);
        for (const size_t n : first) e[n] = g[n];
        suspects =
            differs(e) > options.tolerance
                ? first
                : std::vector<size_t>(suspects.begin() + static_cast<std::ptrdiff_t>(half), suspects.end());
      }
      if (!suspects.empty()) verdict.guilty = spec.groups[suspects.front()].name;
      return verdict;
    }
    // The control, until it has been seen once.
    int tried = 0;
    for (size_t n = 0; n < g.size() && !verdict.control && tried < kControls; ++n) {
      if (spec.groups[n].members.size() < 2 || is_identity(g[n])) continue;
      ++tried;
      NetworkElement e = identity_element(spec);
      e[n] = g[n];
      const double change = differs(e, {static_cast<int>(n), 0});
      verdict.control_difference = std::max(verdict.control_difference, change);
      verdict.control = change > options.tolerance;
      if (verdict.control) verdict.control_group = spec.groups[n].name;
    }
  }
  return verdict;
}

}  // namespace dws::symmetry
