#include "symmetry/layout.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace dws::symmetry {

int64_t TensorAxes::size() const noexcept {
  int64_t product = 1;
  for (int64_t extent : dims) product *= extent;
  return product;
}

int64_t Layout::param_count() const noexcept {
  int64_t sum = 0;
  for (const TensorAxes& tensor : tensors) sum += tensor.size();
  return sum;
}

Layout mlp_layout(const std::vector<int64_t>& dims) {
  if (dims.size() < 2) throw Error(ErrorKind::usage, "a network needs an input and an output dimension");
  for (int64_t extent : dims)
    if (extent < 1) throw Error(ErrorKind::usage, text("a layer of width {} is no layer", extent));
  const int layers = static_cast<int>(dims.size()) - 1;
  Layout layout;
  for (int hidden = 0; hidden + 1 < layers; ++hidden)
    layout.groups.push_back({text("hidden.{}", hidden), dims[static_cast<size_t>(hidden) + 1]});
  for (int i = 0; i < layers; ++i) {
    const int in = i == 0 ? kFree : i - 1;
    const int out = i + 1 == layers ? kFree : i;
    const int64_t d_in = dims[static_cast<size_t>(i)], d_out = dims[static_cast<size_t>(i) + 1];
    layout.tensors.push_back({text("layers.{}.weight", i), {d_out, d_in}, {out, in}});
    layout.tensors.push_back({text("layers.{}.bias", i), {d_out}, {out}});
  }
  return layout;
}

Element identity(const Layout& layout) {
  Element g;
  for (const Group& group : layout.groups) {
    std::vector<int32_t> order(static_cast<size_t>(group.size));
    std::iota(order.begin(), order.end(), 0);
    g.permutation.push_back(std::move(order));
  }
  return g;
}

Element random_element(const Layout& layout, Rng& rng) {
  Element g = identity(layout);
  for (auto& order : g.permutation) rng.shuffle(std::span<int32_t>(order));
  return g;
}

Element inverse(const Element& g) {
  Element result = g;
  for (size_t k = 0; k < g.permutation.size(); ++k)
    for (size_t i = 0; i < g.permutation[k].size(); ++i)
      result.permutation[k][static_cast<size_t>(g.permutation[k][i])] = static_cast<int32_t>(i);
  return result;
}

Element compose(const Element& a, const Element& b) {
  if (a.permutation.size() != b.permutation.size())
    throw Error(ErrorKind::mismatch, "group elements of different layouts cannot be composed");
  Element result = a;
  for (size_t k = 0; k < a.permutation.size(); ++k) {
    if (a.permutation[k].size() != b.permutation[k].size())
      throw Error(ErrorKind::mismatch, "group elements of different layouts cannot be composed");
    // (a b v)[i] = (b v)[a[i]] = v[b[a[i]]].
    for (size_t i = 0; i < a.permutation[k].size(); ++i)
      result.permutation[k][i] = b.permutation[k][static_cast<size_t>(a.permutation[k][i])];
  }
  return result;
}

namespace {

// Copies one tensor, axis by axis; the innermost run that no group moves is copied at once.
template <class T>
void permute(const TensorAxes& tensor, const Element& g, size_t axis, const T* in, T* out, int64_t channels) {
  bool fixed = true;
  for (size_t a = axis; a < tensor.dims.size(); ++a) fixed = fixed && tensor.axis_group[a] == kFree;
  int64_t inner = channels;
  for (size_t a = axis + 1; a < tensor.dims.size(); ++a) inner *= tensor.dims[a];
  if (fixed) {
    const int64_t count = axis < tensor.dims.size() ? inner * tensor.dims[axis] : channels;
    std::copy(in, in + count, out);
    return;
  }
  const int group = tensor.axis_group[axis];
  if (group != kFree && inner == 1) {  // the innermost axis, where most of the numbers are: no call for each
    const int32_t* order = g.permutation[static_cast<size_t>(group)].data();
    for (int64_t i = 0; i < tensor.dims[axis]; ++i) out[i] = in[order[i]];
    return;
  }
  for (int64_t i = 0; i < tensor.dims[axis]; ++i) {
    const int64_t from =
        group == kFree ? i : g.permutation[static_cast<size_t>(group)][static_cast<size_t>(i)];
    permute(tensor, g, axis + 1, in + from * inner, out + i * inner, channels);
  }
}

}  // namespace

template <class T>
void act(const Layout& layout, const Element& g, const T* in, T* out, int64_t channels) {
  if (g.permutation.size() != layout.groups.size())
    throw Error(ErrorKind::mismatch, text("a group element of {} permutations for a layout of {} groups",
                                          g.permutation.size(), layout.groups.size()));
  for (size_t k = 0; k < layout.groups.size(); ++k)
    if (static_cast<int64_t>(g.permutation[k].size()) != layout.groups[k].size)
      throw Error(ErrorKind::mismatch,
                  text("a permutation of {} neurons for group '{}' of {}", g.permutation[k].size(),
                       layout.groups[k].name, layout.groups[k].size));
  for (const TensorAxes& tensor : layout.tensors) {
    permute(tensor, g, 0, in, out, channels);
    in += tensor.size() * channels;
    out += tensor.size() * channels;
  }
}

template void act(const Layout&, const Element&, const float*, float*, int64_t);
template void act(const Layout&, const Element&, const double*, double*, int64_t);

}  // namespace dws::symmetry
