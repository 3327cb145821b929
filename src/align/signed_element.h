// Permutations with signs: what leaves a network with an odd activation (sine, tanh) the function it is. A neuron
// whose incoming weights, bias and outgoing weights are all negated computes -h, and the next layer takes it back.
#pragma once

#include <vector>

#include "core/rng.h"
#include "symmetry/layout.h"

namespace dws::align {

// new[i] = sign[group][i] * old[permutation[group][i]] along every axis the group moves.
struct SignedElement {
  symmetry::Element order;
  std::vector<std::vector<float>> sign;  // +1 or -1, one a neuron of each group
};
SignedElement signed_identity(const symmetry::Layout& layout);
SignedElement random_signed(const symmetry::Layout& layout, Rng& rng);
SignedElement compose(const SignedElement& a, const SignedElement& b);  // (a b) v = a (b v)

// Moves a network's flat parameters (layout.param_count()). in and out must not overlap. Throws Error{mismatch}
// when element and layout differ in groups or sizes.
void act(const symmetry::Layout& layout, const SignedElement& g, const float* in, float* out);

}  // namespace dws::align
