#include "symmetry/neuron.h"

#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/text.h"

namespace dws::symmetry {

NeuronKinds neuron_kinds(std::string_view activation) noexcept {
  return {.sign = activation == "siren" || activation == "tanh",
          .phase = activation == "siren",
          .scale = activation == "relu"};
}

NeuronElement random_neuron_element(const Layout& layout, const NeuronDraw& draw, Rng& rng) {
  NeuronElement g;
  const double half_turn = std::numbers::pi / draw.omega, log_scale = std::log1p(draw.scale);
  for (const Group& group : layout.groups) {
    const auto size = static_cast<size_t>(group.size);
    std::vector<double>& incoming = g.incoming.emplace_back(size, 1.0);
    std::vector<double>& shift = g.shift.emplace_back(size, 0.0);
    std::vector<double>& outgoing = g.outgoing.emplace_back(size, 1.0);
    for (size_t i = 0; i < size; ++i) {
      if (draw.sign && (rng.next_u32() & 1) != 0) incoming[i] = outgoing[i] = -1;
      if (draw.turns > 0) {
        const auto choices = 2 * static_cast<uint64_t>(draw.turns) + 1;
        const int64_t k = static_cast<int64_t>(rng.below(choices)) - draw.turns;
        shift[i] = static_cast<double>(k) * half_turn;
        if (k % 2 != 0) outgoing[i] = -outgoing[i];
      }
      if (draw.scale > 0) {
        const double s = std::exp(rng.uniform(-log_scale, log_scale));
        incoming[i] *= s;
        outgoing[i] /= s;
      }
    }
  }
  return g;
}

namespace {

// Multiplies the numbers below `axis` by `factor` and by what their places on the axes from here on carry.
template <class T>
T* multiply(const TensorAxes& tensor, const NeuronElement& g, size_t axis, double factor, T* x) {
  const int group = tensor.axis_group[axis];
  const auto& factors = axis == 0 ? g.incoming : g.outgoing;
  const double* f = group == kFree ? nullptr : factors[static_cast<size_t>(group)].data();
  const int64_t extent = tensor.dims[axis];
  if (axis + 1 < tensor.dims.size()) {
    for (int64_t i = 0; i < extent; ++i) x = multiply(tensor, g, axis + 1, f ? factor * f[i] : factor, x);
    return x;
  }
  if (f)
    for (int64_t i = 0; i < extent; ++i) x[i] = static_cast<T>(static_cast<double>(x[i]) * (factor * f[i]));
  else
    for (int64_t i = 0; i < extent; ++i) x[i] = static_cast<T>(static_cast<double>(x[i]) * factor);
  return x + extent;
}

}  // namespace

template <class T>
void act(const Layout& layout, const NeuronElement& g, T* params) {
  bool fits = g.incoming.size() == layout.groups.size() && g.shift.size() == layout.groups.size() &&
              g.outgoing.size() == layout.groups.size();
  for (size_t k = 0; fits && k < layout.groups.size(); ++k)
    for (const auto* part : {&g.incoming[k], &g.shift[k], &g.outgoing[k]})
      fits = fits && static_cast<int64_t>(part->size()) == layout.groups[k].size;
  if (!fits)
    throw Error(ErrorKind::mismatch,
                text("an element of other groups than the {} of this network", layout.groups.size()));
  for (const TensorAxes& tensor : layout.tensors) {
    T* const next = multiply(tensor, g, 0, 1.0, params);
    if (tensor.dims.size() == 1 && tensor.axis_group[0] != kFree) {
      const std::vector<double>& shift = g.shift[static_cast<size_t>(tensor.axis_group[0])];
      for (size_t i = 0; i < shift.size(); ++i)
        params[i] = static_cast<T>(static_cast<double>(params[i]) + shift[i]);
    }
    params = next;
  }
}

template void act(const Layout&, const NeuronElement&, float*);
template void act(const Layout&, const NeuronElement&, double*);

}  // namespace dws::symmetry
