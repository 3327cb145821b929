// What the rules of the operators work on: every axis of every value as a factor, while the graph is swept once.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "network/array.h"
#include "network/network.h"
#include "symmetry/factors.h"

namespace dws::symmetry {

using Axes = std::vector<FactorId>;

class Discovery {
 public:
  using Shapes = std::vector<network::ArrayPtr>;  // what network::infer() says of every value
  // `others`: for other sizes of the inputs' free dimensions, empty where none is free or no other size fits; `unsure` in the
  // second case.
  Discovery(const network::Network& network, Shapes shapes, std::vector<Shapes> others, bool unsure);
  // All rules, in order; then inputs and outputs pinned, copies of one tensor joined. For the other sizes first, with the
  // stored tensors' axes kept: what holds by chance of one size is not claimed.
  void sweep();

  // --- for rules ---
  Factors factors;
  const network::Network& network() const noexcept { return network_; }
  // Whether the shape of a value is known; of one whose shape is not, nothing can be said but by pin().
  bool known(int value) const noexcept;
  const std::vector<int64_t>& dims(int value) const;
  OnnxType type(int value) const { return shapes_[static_cast<size_t>(value)]->type; }
  int rank(int value) const { return static_cast<int>(dims(value).size()); }
  // A factor an axis; made from its shape when first asked for.
  const Axes& axes(int value);
  FactorId axis(int value, int axis) { return axes(value)[static_cast<size_t>(axis)]; }
  // What a node makes: its axes are these. Where sizes disagree with the known shape both sides are pinned.
  void make(const network::Node& node, int output, const Axes& axes);
  void unify(const network::Node& node, FactorId a, FactorId b) { unify(a, b, why(node)); }
  void unify(FactorId a, FactorId b, const std::string& why) {
    if (!factors.unify(a, b, why)) crossed_.insert(crossed_.end(), {a, b});
  }
  // Axes that lie across one another (product P Q on product Q P): which of an item is meant is not clear.
  const std::vector<FactorId>& crossed() const noexcept { return crossed_; }
  // b is stretched to a: an axis of 1 gives way.
  void unify_stretched(const network::Node& node, FactorId a, FactorId b);
  void pin(const network::Node& node, FactorId f) { factors.pin(f, why(node)); }
  FactorId pinned(const network::Node& node, int64_t size);  // a leaf of its own
  void pin_value(int value, const std::string& why);
  void pin_all(const network::Node& node,
               const std::string& because = {});  // what an operator does of which nothing is known
  // Numbers are mixed along these axes, alike for all orders (a softmax, a norm): what lies along the others must not
  // take another order for each item of these.
  void mix(int value, std::vector<int> axes);
  // The same of what no value shows: `what` has no order of its own for each item of `by`.
  void forbid(FactorId what, FactorId by) { forbidden_.emplace_back(what, by); }
  // A sum over the items of a factor for each of the others': theirs cannot depend on which item it is.
  void contract(FactorId summed, const Axes& others) {
    for (const FactorId other : others) forbid(other, summed);
  }
  // The same of a sum of products, where `apart` are axes that not all terms of the product have: what is summed has one
  // order for all of their items, also where by chance the others have axes of the same factor (x x^T).
  void contract(FactorId summed, const Axes& others, const Axes& apart) {
    contract(summed, others);
    for (const FactorId other : apart) forbid(summed, other);
  }
  std::string why(const network::Node& node) const;
  // Numbers of an input where they follow from shapes and constants.
  const network::Array* numbers(int value) const noexcept;
  std::vector<int64_t> integers(int value) const;  // of numbers(); empty where unknown
  // Whether shape or numbers depend on the sizes of free dimensions.
  bool varies(int value) const noexcept;
  int input(const network::Node& node, size_t i) const noexcept;   // kNone where left out
  int output(const network::Node& node, size_t i) const noexcept;  // kNone where left out
  // False of what is computed from constants, shapes and integers alone: tables of angles, masks.
  bool from_data(int value) const noexcept { return from_data_[static_cast<size_t>(value)]; }
  void note_data(int value) {
    from_data_[static_cast<size_t>(value)] = known(value) && shapes_[static_cast<size_t>(value)]->real();
  }
  void sweep(const network::Graph& graph);

  struct Mix {
    int value;
    std::vector<int> axes;
  };
  const std::vector<Mix>& mixes() const noexcept { return mixes_; }
  const std::vector<std::pair<FactorId, FactorId>>& forbidden() const noexcept { return forbidden_; }
  // Axes of constants that hold the same numbers: (value, axis) pairs.
  struct Copy {
    int a, axis_a, b, axis_b;
  };
  const std::vector<Copy>& copies() const noexcept { return copies_; }
  bool swept(int value) const noexcept { return made_[static_cast<size_t>(value)]; }

 private:
  void node(const network::Node& node);
  void note_data(const network::Node& node);
  void join_copies();
  bool join_copy(int first_value, int second_value);  // whether they were copies
  void find_biases(const network::Graph& graph);

  void sweep_once();

  const network::Network& network_;
  Shapes shapes_;
  std::vector<Shapes> others_;
  bool unsure_;
  std::vector<Axes> axes_;
  std::vector<bool> made_, from_data_, bias_;
  std::vector<Mix> mixes_;
  std::vector<std::pair<FactorId, FactorId>> forbidden_;
  std::vector<Copy> copies_;
  std::vector<FactorId> crossed_;
};

using Rule = void (*)(Discovery&, const network::Node&);
// nullptr: not known, everything the node touches is pinned.
Rule find_rule(std::string_view domain, std::string_view op) noexcept;

}  // namespace dws::symmetry
