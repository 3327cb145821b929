// Positive scales taken out of a network: of all the networks that its scales make of it, the one of least norm.
#pragma once

#include "align/pair.h"

namespace dws::align {

// The element of scales alone that makes the sum of squares of the scored tensors least. That network is the same for every network
// that differs by scales (and moves with orders and signs), so that two of them can be compared: for a ReLU neuron what comes
// in has the norm of what goes out. Each scale in turn is set to its best, s^4 = P(-1) / P(+1) by the squares of what it
// divides and multiplies, until nothing changes. Source: Kempf and Ness, "The length of vectors in representation spaces", 1979, for why it
// is unique; the steps are those of matrix balancing (Osborne 1960). A scale that acts on zeros alone on one side stays 1.
symmetry::NetworkElement balance(const symmetry::Spec& spec, const std::vector<bool>& scored,
                                 const Numbers& numbers);

struct StoredPair;
struct StoredNumbers;
// The same of one of a pair that stays in its files.
symmetry::NetworkElement balance(const StoredPair& pair, const StoredNumbers& numbers);
// Memory that it takes: squares of tensors that scales link, directly or through others. `counted`: scored, with numbers.
uint64_t balance_bytes(const symmetry::Spec& spec, const std::vector<bool>& counted);

}  // namespace dws::align
