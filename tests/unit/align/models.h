// Exported networks and their elements.
#pragma once

#include <cmath>
#include <memory>
#include <string>

#include "align/match_network.h"
#include "network/executor.h"

namespace dws::align {

struct Model {
  explicit Model(const std::string& name)
      : Model(network::from_onnx(std::make_shared<const Onnx>(
            Onnx::open(std::string(DWS_TEST_DATA) + "/../models/" + name + ".onnx")))) {}
  explicit Model(network::Network network)
      : net(std::move(network)),
        spec(symmetry::discover(net, network::input_shapes(net, {}))),
        scored(scored_tensors(spec, net)),
        numbers(read_numbers(spec, net)) {}
  network::Network net;
  symmetry::Spec spec;
  std::vector<bool> scored;
  Numbers numbers;
};

// Entries in which two elements differ.
struct Wrong {
  int64_t items = 0, orders = 0, signs = 0, turns = 0, scales = 0;
};
inline Wrong compare(const symmetry::Spec& spec, const symmetry::NetworkElement& x,
                     const symmetry::NetworkElement& y) {
  Wrong w;
  for (size_t n = 0; n < x.size(); ++n) {
    if (spec.groups[n].fixed) continue;
    for (size_t i = 0; i < x[n].order.size(); ++i) {
      ++w.items;
      w.orders += x[n].order[i] != y[n].order[i];
      for (size_t k = 0; k < x[n].signs.size(); ++k) w.signs += x[n].signs[k][i] != y[n].signs[k][i];
      for (size_t k = 0; k < x[n].turns.size(); ++k) w.turns += x[n].turns[k][i] != y[n].turns[k][i];
      for (size_t k = 0; k < x[n].scales.size(); ++k)
        w.scales += !(std::abs(x[n].scales[k][i] / y[n].scales[k][i] - 1) < 1e-3);
    }
  }
  return w;
}

}  // namespace dws::align
