// Which signs and positive factors each item of a group may take, by what the operators on its way let through.
#pragma once

#include <vector>

#include "symmetry/discovery.h"
#include "symmetry/spec.h"

namespace dws::symmetry {

// Fills signs, scales and phases of spec.groups; leaf_of_group[g] is the factor of group g.
void add_scales(Discovery& d, const std::vector<FactorId>& leaf_of_group, Spec& spec);

// Takes away those of a group that others lie within (NetworkGroup::by) where the scales of all items within do the same, so that
// no two elements differ in scales or signs and do one thing.
void drop_redundant_scales(Spec& spec);

// One unknown for each axis of each value along which the leaf lies: the factor that its items take there. Positive factors
// are followed by their exponents (x or 1/x), signs need none. Sound by construction: what is not understood is held at 1.
class Unknowns {
 public:
  int add();
  // x = y, x = 1/y, x = 1.
  void same(int x, int y) { join(x, y, 1); }
  void inverse(int x, int y) { join(x, y, -1); }
  void one(int x);
  bool is_one(int x) const noexcept;
  // The class of x and the exponent of x in it.
  std::pair<int, int> find(int x) const noexcept;

 private:
  void join(int x, int y, int exponent);
  struct Node {
    int to, exponent;
    bool one;
  };
  mutable std::vector<Node> nodes_;  // find() shortens its ways
};

}  // namespace dws::symmetry
