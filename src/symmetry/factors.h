// The algebra of axes: what an axis is made of, and what must move together.
//
// An axis is a factor. A factor is a leaf, a product of factors (outer to inner, as heads x head size) or a sum (as the
// channels of two branches behind one another). An operator that needs a boundary inside a leaf refines it, everywhere at
// once: the leaf becomes that product or sum. Leaves found to be the same are joined (union-find). A leaf is pinned when
// its items cannot be reordered; whoever pinned it first is remembered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dws::symmetry {

using FactorId = int;

class Factors {
 public:
  enum class Kind { leaf, product, sum, joined };

  FactorId leaf(int64_t size);
  // Outer to inner; factors of size 1 are left out. None: a leaf of size 1.
  FactorId product(const std::vector<FactorId>& parts);
  // One behind the other; empty factors are left out.
  FactorId sum(const std::vector<FactorId>& parts);

  int64_t size(FactorId f) const noexcept { return nodes_[static_cast<size_t>(root(f))].size; }
  Kind kind(FactorId f) const noexcept { return nodes_[static_cast<size_t>(root(f))].kind; }
  const std::vector<FactorId>& parts(FactorId f) const noexcept {
    return nodes_[static_cast<size_t>(root(f))].parts;
  }
  FactorId root(FactorId f) const noexcept;
  // Leaves from outer to inner, from first to last, roots all.
  std::vector<FactorId> leaves(FactorId f) const;

  // Makes two factors of one size the same, refining both as far as needed. Where no refinement fits (or the sizes
  // differ), both are pinned by `why`, and it is false.
  bool unify(FactorId a, FactorId b, const std::string& why);
  // f = first ⊕ second with `at` items in the first. nullopt where a product stands in the way.
  std::optional<std::pair<FactorId, FactorId>> split(FactorId f, int64_t at);
  // f = outer x inner with `outer` items outside. nullopt where it does not fit.
  std::optional<std::pair<FactorId, FactorId>> divide(FactorId f, int64_t outer);

  // All leaves below.
  void pin(FactorId f, const std::string& why);
  bool pinned(FactorId leaf) const noexcept {
    return !nodes_[static_cast<size_t>(root(leaf))].pinned.empty();
  }
  const std::string& pinned_by(FactorId leaf) const noexcept {
    return nodes_[static_cast<size_t>(root(leaf))].pinned;
  }

 private:
  struct Node {
    Kind kind = Kind::leaf;
    int64_t size = 0;
    std::vector<FactorId> parts{};
    FactorId to = -1;      // of a joined one
    std::string pinned{};  // by what; "" when it is free
  };
  FactorId add(Node node);
  FactorId child_leaf(FactorId of, int64_t size);
  bool try_unify(FactorId a, FactorId b);
  bool unify_sums(FactorId a, FactorId b);
  bool unify_products(FactorId a, FactorId b);
  void join(FactorId leaf, FactorId to);

  mutable std::vector<Node> nodes_;
};

}  // namespace dws::symmetry
