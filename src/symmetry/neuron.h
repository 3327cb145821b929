// What may be done to one hidden neuron without a change of the function, by the symmetry of its activation:
//   sign   act(-z) = -act(z) (sine, tanh): incoming weights, bias and outgoing weights negated;
//   phase  sin(omega (z + k pi / omega)) = (-1)^k sin(omega z): k pi / omega added to the bias, outgoing
//          weights times (-1)^k;
//   scale  max(0, s z) = s max(0, z) for s > 0 (ReLU): incoming weights and bias times s, outgoing divided by
//          s.
// (Godfrey et al., "On the symmetries of deep learning models and their internal representations", NeurIPS
// 2022, call these with the permutations the intertwiner group; the sine's shifts are elementary.)
#pragma once

#include <string_view>
#include <vector>

#include "symmetry/layout.h"

namespace dws::symmetry {

struct NeuronKinds {
  bool sign = false, phase = false, scale = false;
};
// Of an activation as ZooInfo names it (siren, tanh, relu); nothing for one that is not known.
NeuronKinds neuron_kinds(std::string_view activation) noexcept;

// For every neuron of every group: its incoming weights and bias times `incoming`, `shift` added to its bias,
// its outgoing weights times `outgoing`.
struct NeuronElement {
  std::vector<std::vector<double>> incoming, shift, outgoing;
};

// Which elements are drawn.
struct NeuronDraw {
  bool sign = false;  // each neuron with probability 1/2
  int turns = 0;      // half turns of the phase, uniform over -turns .. turns
  double omega = 1;   // of the sine
  double scale = 0;   // factors between 1 / (1 + scale) and 1 + scale, uniform in their logarithm
  bool none() const noexcept { return !sign && turns == 0 && scale <= 0; }
};
// It is the caller's business that the activation has the symmetries asked for (neuron_kinds()).
NeuronElement random_neuron_element(const Layout& layout, const NeuronDraw& draw, Rng& rng);

// Changes a network's flat parameters (layout.param_count()) in place. A tensor's first axis is its outputs,
// the others its inputs; a tensor of one axis is a bias. T is float or double. Throws Error{mismatch} for an
// element of another layout.
template <class T>
void act(const Layout& layout, const NeuronElement& g, T* params);

}  // namespace dws::symmetry
