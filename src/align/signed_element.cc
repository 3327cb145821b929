#include "align/signed_element.h"

#include "symmetry/neuron.h"

namespace dws::align {

SignedElement signed_identity(const symmetry::Layout& layout) {
  SignedElement g{symmetry::identity(layout), {}};
  for (const symmetry::Group& group : layout.groups)
    g.sign.emplace_back(static_cast<size_t>(group.size), 1.f);
  return g;
}

SignedElement random_signed(const symmetry::Layout& layout, Rng& rng) {
  SignedElement g = signed_identity(layout);
  g.order = symmetry::random_element(layout, rng);
  for (auto& signs : g.sign)
    for (float& sign : signs) sign = rng.below(2) == 0 ? 1.f : -1.f;
  return g;
}

SignedElement compose(const SignedElement& a, const SignedElement& b) {
  SignedElement result{symmetry::compose(a.order, b.order), a.sign};
  for (size_t k = 0; k < result.sign.size(); ++k)
    for (size_t i = 0; i < result.sign[k].size(); ++i)
      result.sign[k][i] *= b.sign[k][static_cast<size_t>(a.order.permutation[k][i])];
  return result;
}

void act(const symmetry::Layout& layout, const SignedElement& g, const float* in, float* out) {
  symmetry::NeuronElement negated;
  for (const std::vector<float>& signs : g.sign) {
    negated.incoming.emplace_back(signs.begin(), signs.end());
    negated.shift.emplace_back(signs.size(), 0.0);
  }
  negated.outgoing = negated.incoming;
  symmetry::act(layout, g.order, in, out);
  symmetry::act(layout, negated, out);
}

}  // namespace dws::align
