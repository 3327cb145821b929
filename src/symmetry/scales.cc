#include "symmetry/scales.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <optional>
#include <set>
#include <utility>

#include "symmetry/scale_rules.h"

namespace dws::symmetry {

using network::kNone;
using network::Node;

int Unknowns::add() {
  nodes_.push_back({static_cast<int>(nodes_.size()), 1, false});
  return nodes_.back().to;
}
std::pair<int, int> Unknowns::find(int x) const noexcept {
  int root = x, exponent = 1;
  while (nodes_[static_cast<size_t>(root)].to != root) {
    exponent *= nodes_[static_cast<size_t>(root)].exponent;
    root = nodes_[static_cast<size_t>(root)].to;
  }
  // All on the way point to the root from now on: exponents are 1 or -1, their own inverses.
  for (int rest = exponent; x != root;) {
    Node& node = nodes_[static_cast<size_t>(x)];
    x = std::exchange(node.to, root);
    rest *= std::exchange(node.exponent, rest);
  }
  return {root, exponent};
}
void Unknowns::one(int x) {
  nodes_[static_cast<size_t>(find(x).first)].one = true;
}
bool Unknowns::is_one(int x) const noexcept {
  return nodes_[static_cast<size_t>(find(x).first)].one;
}
void Unknowns::join(int x, int y, int exponent) {
  const auto [a, ea] = find(x);
  const auto [b, eb] = find(y);
  if (a == b) {
    if (ea != eb * exponent) nodes_[static_cast<size_t>(a)].one = true;  // x = 1/x
    return;
  }
  // x = a^ea, y = b^eb, x = y^exponent  =>  a = b^(ea eb exponent).
  nodes_[static_cast<size_t>(a)].to = b;
  nodes_[static_cast<size_t>(a)].exponent = ea * eb * exponent;
  if (nodes_[static_cast<size_t>(a)].one) nodes_[static_cast<size_t>(b)].one = true;
}

LeafScales::LeafScales(Discovery& d, FactorId leaf) : d_(d), leaf_(d.factors.root(leaf)) {}

const std::vector<LeafScales::Place>& LeafScales::places(int value) {
  if (value == kNone || !d_.known(value) || !d_.swept(value)) {
    static const std::vector<Place> none;
    return none;
  }
  const auto [at, fresh] = places_.try_emplace(value);
  std::vector<Place>& found = at->second;
  if (fresh) {
    const Axes& axes = d_.axes(value);
    for (size_t a = 0; a < axes.size(); ++a) {
      const network::Constant* c = d_.network().constant_of(value);
      const auto add = [&](FactorId part, int64_t begin) {
        const auto n = std::ranges::count(d_.factors.leaves(part), leaf_);
        if (n == 0) return;
        const Place place{static_cast<int>(a), positive.add(), begin};
        signs.add();
        found.push_back(place);
        // Where the leaf is met twice within a part, or the numbers are integers, nothing is scaled.
        if (n > 1 || (c && !c->floating())) one(place.unknown);
      };
      // Parts behind one another may have been cut into parts themselves.
      const auto add_parts = [&](auto&& self, FactorId f, int64_t begin) -> void {
        if (d_.factors.kind(f) != Factors::Kind::sum) return add(f, begin);
        for (const FactorId part : d_.factors.parts(f)) {
          self(self, part, begin);
          begin += d_.factors.size(part);
        }
      };
      add_parts(add_parts, axes[a], 0);
    }
  }
  return found;
}
int LeafScales::at(int value, int axis) {
  for (const Place& p : places(value))
    if (p.axis == axis) return p.unknown;
  return kNone;
}
std::vector<int> LeafScales::all_at(int value, int axis) {
  std::vector<int> found;
  for (const Place& p : places(value))
    if (p.axis == axis) found.push_back(p.unknown);
  return found;
}
bool LeafScales::several(const Node& node) {
  for (const auto* list : {&node.inputs, &node.outputs})
    for (const int value : *list) {
      const auto& all = places(value);
      for (size_t i = 1; i < all.size(); ++i)
        if (all[i].axis == all[i - 1].axis) return true;
    }
  return false;
}
void LeafScales::one(int x) {
  if (x == kNone) return;
  positive.one(x);
  signs.one(x);
}
void LeafScales::one_all(const Node& node) {
  for (const int value : node.inputs)
    for (const Place& p : places(value)) one(p.unknown);
  for (const int value : node.outputs)
    for (const Place& p : places(value)) one(p.unknown);
}
void LeafScales::same(int x, int y) {
  if (x == kNone || y == kNone) {
    one(x);
    one(y);
    return;
  }
  positive.same(x, y);
  signs.same(x, y);
}
void LeafScales::inverse(int x, int y) {
  if (x == kNone || y == kNone) {
    one(x);
    one(y);
    return;
  }
  positive.inverse(x, y);
  signs.same(x, y);
}
namespace {

// Unknowns of one place tied item by item; where there are not as many, each is held at 1.
template <class Tie, class Hold>
void tie_each(const std::vector<int>& x, const std::vector<int>& y, Tie tie, Hold hold) {
  if (x.size() == y.size()) {
    for (size_t i = 0; i < x.size(); ++i) tie(x[i], y[i]);
    return;
  }
  for (const auto* list : {&x, &y})
    for (const int unknown : *list) hold(unknown);
}

}  // namespace

void LeafScales::same(const std::vector<int>& x, const std::vector<int>& y) {
  tie_each(
      x, y, [&](int a, int b) { same(a, b); }, [&](int a) { one(a); });
}
void LeafScales::inverse(const std::vector<int>& x, const std::vector<int>& y) {
  tie_each(
      x, y, [&](int a, int b) { inverse(a, b); }, [&](int a) { one(a); });
}
void LeafScales::product(int out, int a, int b, bool constant_b) {
  products_.push_back({out, a, b, constant_b});
}
// x_out = x_a x_b: where one of the three is 1 the others are tied; where none is, one is held at 1.
void LeafScales::settle_products() {
  const auto settle = [](Unknowns& u, const Product& p) {
    if (u.is_one(p.a))
      u.same(p.out, p.b);
    else if (u.is_one(p.b))
      u.same(p.out, p.a);
    else if (u.is_one(p.out))
      u.inverse(p.a, p.b);
    else
      return false;
    return true;
  };
  for (Unknowns* u : {&positive, &signs}) {
    std::vector<Product> open = products_;
    while (!open.empty()) {
      const size_t before = open.size();
      std::erase_if(open, [&](const Product& p) { return settle(*u, p); });
      if (open.size() < before) continue;
      u->one(open.front().constant_b ? open.front().b : open.front().a);
    }
  }
}

void LeafScales::run(const Passages::Passage& passage) {
  for (const Node* node : passage.nodes) apply_scale_rule(*this, *node);
}

Passages::Passages(Discovery& d) {
  see(d, d.network().graph);
}
const Passages::Passage& Passages::of(FactorId leaf) const {
  static const Passage none;
  const auto at = passages_.find(leaf);
  return at == passages_.end() ? none : at->second;
}
void Passages::see(Discovery& d, const network::Graph& graph) {
  const auto leaves_of = [&](int value, std::set<FactorId>& leaves) {
    if (value == kNone || !d.known(value) || !d.swept(value)) return;
    for (const FactorId f : d.axes(value))
      for (const FactorId leaf : d.factors.leaves(f))
        if (!d.factors.pinned(leaf)) leaves.insert(leaf);
  };
  for (const Node& node : graph.nodes) {
    std::set<FactorId> leaves;
    for (const network::Body& body : node.bodies) {
      see(d, body.graph);
      // What inner graphs are handed and hand out goes through the node.
      for (const auto* list : {&body.graph.inputs, &body.graph.outputs})
        for (const int value : *list) leaves_of(value, leaves);
    }
    for (const int value : node.inputs) leaves_of(value, leaves);
    for (const int value : node.outputs) leaves_of(value, leaves);
    for (const FactorId leaf : leaves) passages_[leaf].nodes.push_back(&node);
  }
}

namespace {

// The unknowns of one group's tensors, gathered by class.
class Emission {
 public:
  // `value_of`: of each constant of the network the value that it is.
  Emission(const std::vector<int>& value_of, LeafScales& scales, const Spec& spec, NetworkGroup& group)
      : scales_(scales), group_(group) {
    for (size_t m = 0; m < group.members.size(); ++m) {
      const Member& member = group.members[m];
      const SpecTensor& tensor = spec.tensors[static_cast<size_t>(member.tensor)];
      const bool stored = tensor.constant != kNone;
      const int value = stored ? value_of.at(static_cast<size_t>(tensor.constant)) : tensor.value;
      if (stored) stored_ = m + 1;
      // The place whose part the member lies in: the last that begins before it.
      int unknown = kNone;
      for (const LeafScales::Place& p : scales.places(value))
        if (p.axis == member.axis && p.begin <= member.offset) unknown = p.unknown;
      unknown_.push_back(unknown);
    }
  }
  std::map<int, std::vector<Scaling::Part>> classes(const Unknowns& u) const {
    std::map<int, std::vector<Scaling::Part>> found;
    for (size_t m = 0; m < unknown_.size(); ++m)
      if (unknown_[m] != kNone && !u.is_one(unknown_[m])) {
        const auto [c, exponent] = u.find(unknown_[m]);
        // Factors that no tensor takes are nobody's to choose; tensors stand before values.
        if (m >= stored_ && !found.contains(c)) continue;
        found[c].push_back({static_cast<int>(m), exponent});
      }
    return found;
  }
  int member_of(int unknown) const {
    const auto at = std::ranges::find(unknown_, unknown);
    return at == unknown_.end() ? kNone : static_cast<int>(at - unknown_.begin());
  }

  void emit() {
    for (auto& [c, parts] : classes(scales_.positive)) group_.scales.push_back({parts});
    // Sines: the sign of what goes in and of what comes out, the second free where half turns make up for it.
    Unknowns& u = scales_.signs;
    for (const auto& sine : scales_.sines)
      if (sine.bias == kNone || member_of(sine.bias) == kNone) u.same(sine.in, sine.out);
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto& sine : scales_.sines)
        if (u.is_one(sine.out) && !u.is_one(sine.in)) {
          u.one(sine.in);
          changed = true;
        }
    }
    // What a half turn negates must not go into another sine, through nothing but itself: that one's sign goes on then.
    const auto turned_before = [&](int in) {
      return std::ranges::any_of(scales_.sines, [&](const auto& other) {
        return u.find(other.out).first == u.find(in).first && u.find(other.in).first != u.find(in).first;
      });
    };
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto& sine : scales_.sines)
        if (!u.is_one(sine.in) && u.find(sine.in).first != u.find(sine.out).first && turned_before(sine.in)) {
          u.same(sine.in, sine.out);
          changed = true;
        }
    }
    const auto outgoing = classes(u);
    std::map<int, Phase> phases;
    for (const auto& sine : scales_.sines) {
      const int c = u.find(sine.out).first;
      if (u.is_one(sine.out) || c == u.find(sine.in).first || !outgoing.contains(c)) continue;
      Phase& phase = phases[c];
      phase.shifts.push_back({member_of(sine.bias), sine.half_turn});
      phase.negated = outgoing.at(c);
    }
    for (const auto& sine : scales_.sines)
      if (const auto at = phases.find(u.find(sine.out).first); at != phases.end())
        for (const auto& [unknown, half_turn] : sine.shifted)
          if (const int member = member_of(unknown); unknown != kNone && member != kNone)
            at->second.shifts.push_back({member, half_turn});
    for (auto& [c, phase] : phases) group_.phases.push_back(std::move(phase));
    for (const auto& sine : scales_.sines) u.same(sine.in, sine.out);
    for (auto& [c, parts] : classes(u)) group_.signs.push_back({parts});
  }

 private:
  LeafScales& scales_;
  NetworkGroup& group_;
  std::vector<int> unknown_;
  size_t stored_ = 0;  // members before it lie on stored tensors
};

std::vector<int> values_of_constants(const network::Network& network) {
  std::vector<int> value_of(network.constants.size(), kNone);
  for (size_t v = 0; v < network.values.size(); ++v)
    if (const int c = network.values[v].constant; c != kNone)
      value_of[static_cast<size_t>(c)] = static_cast<int>(v);
  return value_of;
}

// The copies of tensors that each leaf lies along: most have nothing to do with most leaves.
std::map<FactorId, std::vector<const Discovery::Copy*>> copies_by_leaf(Discovery& d) {
  std::map<FactorId, std::vector<const Discovery::Copy*>> all;
  for (const Discovery::Copy& copy : d.copies()) {
    std::set<FactorId> leaves;
    for (const auto& [value, axis] : {std::pair(copy.a, copy.axis_a), std::pair(copy.b, copy.axis_b)})
      if (d.known(value) && d.swept(value))
        for (const FactorId leaf : d.factors.leaves(d.axis(value, axis))) leaves.insert(leaf);
    for (const FactorId leaf : leaves) all[leaf].push_back(&copy);
  }
  return all;
}

}  // namespace

void add_scales(Discovery& d, const std::vector<FactorId>& leaf_of_group, Spec& spec) {
  const Uses uses(d.network());
  const Passages passages(d);
  const std::vector<int> value_of = values_of_constants(d.network());
  const auto copies = copies_by_leaf(d);
  for (size_t g = 0; g < spec.groups.size(); ++g) {
    if (spec.groups[g].fixed) continue;
    LeafScales scales(d, leaf_of_group[g]);
    scales.uses = &uses;
    const FactorId leaf = d.factors.root(leaf_of_group[g]);
    scales.run(passages.of(leaf));
    if (const auto at = copies.find(leaf); at != copies.end())
      for (const Discovery::Copy* copy : at->second)
        scales.same(scales.all_at(copy->a, copy->axis_a), scales.all_at(copy->b, copy->axis_b));
    scales.settle_products();
    Emission(value_of, scales, spec, spec.groups[g]).emit();
  }
}

}  // namespace dws::symmetry
