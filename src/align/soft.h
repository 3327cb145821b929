// Doubly stochastic matrices in place of permutations: what Frank-Wolfe methods move through.
//
// A group's element becomes a matrix for each block, new_i = sum_j P[i][j] old_j, in the hull of its permutations; with signs in the
// hull of permutations with signs. Then <A, P B> is a polynomial in the matrices, of first degree in each place where a group lies.
#pragma once

#include <cstdint>
#include <vector>

#include "align/assignment.h"
#include "align/pair.h"

namespace dws::align {

// By group, then by class of what changes sign together: (blocks, size, size). No classes where nothing moves.
using SoftElement = std::vector<std::vector<std::vector<float>>>;

class SoftAction {
 public:
  // Groups of `spec` on the tensors that `scored` counts; with `signs`, permutations with signs. Scales and phases stay as they are.
  // Throws Error{unsupported} where an item has more kinds of signs than can be tried.
  SoftAction(const symmetry::Spec& spec, const std::vector<bool>& scored, bool signs);

  SoftElement zero() const;
  SoftElement corner(const symmetry::NetworkElement& g) const;  // its orders and signs as matrices
  // The element with the largest <gradient, g>: an assignment for each block, signs where they gain.
  symmetry::NetworkElement best_corner(const SoftElement& gradient) const;

  // P on the tensors that count and that it moves; others stay the views they are.
  Numbers act(const SoftElement& p, const Numbers& numbers) const;
  // gradient += d <target, P numbers> / d P; returns <target, P numbers> over the scored tensors.
  double add_gradient(const SoftElement& p, const Numbers& target, const Numbers& numbers,
                      SoftElement& gradient) const;
  // Of <A, P B> along a line in P.
  int degree() const noexcept { return degree_; }

  const symmetry::Spec& spec() const noexcept { return *spec_; }
  const std::vector<bool>& scored() const noexcept { return scored_; }

 private:
  // Where a group lies in a tensor, and its class there.
  struct Term {
    int group, member, sign_class;
    // Without slices: items of `symmetry::Member` in a tensor of shape (before, length, after).
    int64_t before, length, after;
    std::vector<Slices> slices;  // by block, of groups within others
  };
  struct GroupClasses {
    std::vector<std::vector<int>>
        generators;  // of each class: which lists of signs flip it; the first is none
    int lists = 0;
  };
  using Floats = std::vector<float>;
  void add_terms(int group, bool signs);
  void find_degree();
  int64_t columns(const Term& term, int64_t block) const;
  void pack(const Term& term, int64_t block, const float* tensor, Floats& items) const;
  void unpack(const Term& term, int64_t block, const Floats& items, float* tensor) const;
  void apply(const Term& term, const SoftElement& p, bool turned, Floats& tensor) const;
  void add_products(const Term& term, const Floats& left, const Floats& right, SoftElement& gradient) const;
  std::vector<Floats> steps(int tensor, const SoftElement& p, const Numbers& numbers) const;

  const symmetry::Spec* spec_;
  std::vector<bool> scored_;
  std::vector<GroupClasses> classes_;         // by group
  std::vector<std::vector<Term>> by_tensor_;  // in the order in which they act
  int degree_ = 1;
};

// <x, y> in float64.
double inner_product(const SoftElement& x, const SoftElement& y);
// p + step (q - p).
SoftElement between(const SoftElement& p, const SoftElement& q, double step);

}  // namespace dws::align
