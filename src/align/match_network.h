// Weight matching of two networks of any kind: the element of their symmetry that brings B's weights as near to A's as coordinate
// descent can (Ainsworth, Hayase and Srinivasa, "Git Re-Basin: Merging Models modulo Permutation Symmetries", ICLR 2023, Algorithm 1), with
// heads and what is in them, signs, positive scales, and phases besides the permutations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "align/pair.h"

namespace dws::align {

struct NetworkMatchOptions {
  symmetry::Draw kinds{};  // what may be moved
  int max_sweeps = 100;    // the authors have seen 3 to 50
  int restarts = 0;   // descents from random elements, besides the two from B as it is and from a first pass
  uint64_t seed = 0;  // of the order in which a sweep visits groups, and of restarts
};

struct NetworkMatch {
  symmetry::NetworkElement element;
  // <A', g' B'> at the start, then after each sweep of the descent that was taken; it never falls. First and last are sums
  // in float64; between them, where units only reorder, it is reckoned from the float32 gains. A' and B' are the
  // networks of least norm among those that scales make (balance.h), where scales may be moved; biases that phases shift count by distance.
  std::vector<double> objective;
  double cosine_before = 0, cosine_after = 0;  // of A and B, A and g B, as stored; 0 where one is all zeros
  int starts = 0;                              // descents made
  int steps = 0;                               // of Frank-Wolfe, where it was used
  int sweeps() const noexcept { return static_cast<int>(objective.size()) - 1; }
};

// The same bits on any number of threads. Throws Error{bad_value} when products of weights are not finite.
NetworkMatch match_networks(const Pair& pair, const NetworkMatchOptions& options);

// The same of networks that stay in their files (streamed.h), for checkpoints larger than memory: numbers become float32 a block at a
// time, gains are those of one unit, and nothing is kept from visit to visit, so that each sweep multiplies anew. The same element but
// for the rounding of gains; where the other keeps nothing either, the same bits.
struct StoredPair;
NetworkMatch match_networks(const StoredPair& pair, const NetworkMatchOptions& options);

// Cosines of A and B, and of A and B after match.element.
void set_cosines(const Pair& pair, NetworkMatch& match);
void set_cosines(const StoredPair& pair, NetworkMatch& match);
// <A, g B>, as Pair::objective().
double objective(const StoredPair& pair, const symmetry::NetworkElement& g);

// About what the two take in bytes, beside the program itself.
struct MatchMemory {
  uint64_t held = 0;         // of a Pair; `a`, `b`: which types they are stored in
  uint64_t streamed = 0;     // of a StoredPair: the least
  std::string largest = {};  // what needs that
};
MatchMemory match_memory(const symmetry::Spec& spec, const network::Network& a, const network::Network& b,
                         const symmetry::Draw& kinds);

// Items of a group (over all blocks) that have another place, sign, scale or phase after its element.
int64_t items_moved(const symmetry::NetworkGroup& group, const symmetry::GroupElement& element);

}  // namespace dws::align
