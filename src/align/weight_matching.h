// Weight matching: the group element that brings one network's weights as near to another's as coordinate descent
// can (Ainsworth, Hayase and Srinivasa, "Git Re-Basin: Merging Models modulo Permutation Symmetries", ICLR 2023,
// Algorithm 1), with the signs of odd activations besides the permutations.
//
// The descent starts twice, and the better end counts. From the network as it is, as published: there the gains of a
// layer are noise as far as they come through a layer that is not matched yet, and a narrow network can end with
// neurons exchanged. And from a first pass, group by group from the input, that counts only what is known by then:
// numbers that lie on fixed axes or on groups already placed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "align/assignment.h"
#include "align/signed_element.h"

namespace dws::align {

struct MatchOptions {
  bool signs = false;    // also negate neurons: for odd activations only
  int max_sweeps = 100;  // the authors have seen 3 to 50
  uint64_t seed = 0;     // of the order in which a sweep visits the groups
};

struct Match {
  SignedElement element;
  // <A, g B>: at the start, then after each sweep; in float64, and it never falls. The last sweep changes nothing
  // unless max_sweeps came first.
  std::vector<double> objective = {};
  double cosine_before = 0, cosine_after = 0;  // of A and g B; 0 where a network is all zeros
  int sweeps() const noexcept { return static_cast<int>(objective.size()) - 1; }
};

// Matches networks to one reference A. Keeps its scratch from call to call; one thread at a time.
class WeightMatcher {
 public:
  // `reference` (layout.param_count()) is copied. Throws Error{mismatch} for another size.
  WeightMatcher(symmetry::Layout layout, std::span<const float> reference, const MatchOptions& options);

  // Finds g for `network` B (P) and writes g B to `aligned` (P). The result is a function of B, the options and
  // `stream` (the network's number in its zoo) alone. Throws Error{bad_value} when products of weights are not
  // finite.
  Match match(std::span<const float> network, uint64_t stream, std::span<float> aligned);

 private:
  // Where a descent stands: current = element B.
  struct Walk {
    SignedElement element;
    std::vector<float> current;
    std::vector<double> objective;
    // Of each group: whether its gains may have changed since it was found to be best as it is, and the column duals
    // of its last assignment, in the order of its neurons now.
    std::vector<uint8_t> dirty;
    std::vector<std::vector<double>> dual;
  };
  Walk from(std::span<const float> network) const;
  void gather_gains(size_t group, const std::vector<bool>& known, std::span<const float> current);
  bool find_step(size_t group, Walk& walk);
  void act_one(size_t group, std::span<float> network);
  void take_step(size_t group, Walk& walk, double objective);
  bool improve(size_t group, Walk& walk);
  void place_all(Walk& walk);
  void descend(Walk& walk, Rng rng);

  symmetry::Layout layout_;
  std::vector<float> reference_;
  MatchOptions options_;
  double reference_norm_ = 0, scale_ = 0;  // scale: |A| |B|, for what counts as a rise
  AssignmentSolver solver_;
  SignedElement identity_;
  std::vector<int32_t> order_, old_order_;  // the step of one group
  std::vector<float> sign_, old_sign_;
  std::vector<bool> all_known_;
  std::vector<std::vector<size_t>> neighbours_;  // groups whose gains a step of this one changes
  std::vector<float> trial_, gain_, magnitude_, columns_;
};

}  // namespace dws::align
