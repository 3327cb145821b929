// The axis layout of a family of networks: which axes of which tensors move together. Everything that must
// respect the symmetry (equivariant layers, augmentation, alignment, tests) asks this description and keeps
// no list of its own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/rng.h"

namespace dws::symmetry {

// A set of interchangeable neurons: permuting them everywhere at once leaves the function as it is.
struct Group {
  std::string name;  // "hidden.0"
  int64_t size = 0;
};

// One tensor of the network, shape `dims`; axis_group[a] is the group that moves axis a, or kFree.
inline constexpr int kFree = -1;
struct TensorAxes {
  std::string name;           // "layers.0.weight"
  std::vector<int64_t> dims;  // as stored, row-major: (out, in) for a weight
  std::vector<int> axis_group;
  int64_t size() const noexcept;
};

struct Layout {
  std::vector<Group> groups;
  std::vector<TensorAxes> tensors;  // in the order of the flat parameter vector
  int64_t param_count() const noexcept;
};

// A fully connected network d_0 .. d_L: tensors W_0, b_0, W_1, b_1, ...; one group a hidden layer; input and
// output axes free.
Layout mlp_layout(const std::vector<int64_t>& dims);

// An element of the product of symmetric groups: new[i] = old[permutation[group][i]].
struct Element {
  std::vector<std::vector<int32_t>> permutation;
};
Element identity(const Layout& layout);
Element random_element(const Layout& layout, Rng& rng);
Element inverse(const Element& g);
Element compose(const Element& a, const Element& b);  // (a b) v = a (b v)

// Moves a network's flat parameters (layout.param_count()); with `channels` > 1 every parameter carries that
// many consecutive numbers (features). in and out must not overlap. T is float or double.
template <class T>
void act(const Layout& layout, const Element& g, const T* in, T* out, int64_t channels = 1);

}  // namespace dws::symmetry
