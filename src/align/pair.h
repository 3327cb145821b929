// Networks as alignment sees them: the numbers of the tensors that a symmetry moves, as float32.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "network/network.h"
#include "symmetry/element.h"
#include "symmetry/spec.h"

namespace dws::align {

// One network's numbers, by Spec::tensors, row-major: views of a mapped file where it stores float32, else copies in `held`.
struct Numbers {
  std::vector<std::span<const float>> tensors;  // of Spec::tensors; empty for those without numbers
  std::vector<std::shared_ptr<const std::vector<float>>> held;
  std::shared_ptr<const void> owner;  // of what views point into
};

// `network` must have every tensor of `spec` by name and shape; its type may be another (integers of quantised tensors count
// as n / 128). Throws Error{missing_tensor|mismatch} naming the first difference, Error{bad_value} naming tensor and index for NaN,
// infinity, and what no float32 holds.
Numbers read_numbers(const symmetry::Spec& spec, const network::Network& network);

// By Spec::tensors: whether it counts in <A, g B>: what some group moves. BatchNorm's running statistics are moved and do not count (they are data's, and
// far larger than weights), nor do tensors that no training changes, or whose numbers are packed.
std::vector<bool> scored_tensors(const symmetry::Spec& spec, const network::Network& network);

// g on every tensor that it moves, in double and rounded once; other tensors stay the views they are.
Numbers act(const symmetry::Spec& spec, const symmetry::NetworkElement& g, const Numbers& numbers);

// <a, b> over the scored tensors, in float64; the same bits on any number of threads.
double inner_product(const std::vector<bool>& scored, const Numbers& a, const Numbers& b);

// Two networks of one architecture, B to be moved into A's basis.
struct Pair {
  symmetry::Spec spec;  // of A; B has the same tensors
  std::vector<bool> scored;
  Numbers a, b;

  Pair(symmetry::Spec spec, const network::Network& a, const network::Network& b);
  Pair(symmetry::Spec spec, std::vector<bool> scored, Numbers a, Numbers b);

  double objective(const symmetry::NetworkElement& g) const;  // <A, g B>
  // (blocks, n, n): at [block][i][j] the inner product of item i of A and item j of h B, summed over the group's scored members, where h
  // is `g` with this group's own element left out. Of two permutations of the group the one with the larger sum of gains
  // is better by that much, if no tensor has the group on two axes.
  std::vector<float> gains(int group, const symmetry::NetworkElement& g) const;
};

// Where a group's items lie in one member's tensor, as flat indices: of item i of a block those from [i * per_item] on, items in the same
// order of their other coordinates. For whoever needs slices as a matrix (size, per_item).
struct Slices {
  int64_t per_item = 0;
  std::vector<int64_t> at;  // (size * per_item)
};
Slices slices_of(const symmetry::Spec& spec, int group, int member, int64_t block);

}  // namespace dws::align
