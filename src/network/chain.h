// Fully connected networks recognised from the names and shapes of their tensors.
#pragma once

#include <string>
#include <vector>

#include "network/graph_builder.h"
#include "network/network.h"

namespace dws::network {

struct ChainSettings {
  std::string
      activation{};  // "" for what is not known: then nothing is claimed but that each neuron has the same
  double omega = 1;  // of "sin": sin(omega x)
};

struct ChainResult {
  Network network;
  std::string assumed;  // "2-32-32-1, linear layers '0', '2', '4' in this order, activation not known"
};

// Tensors P.weight (out, in) with P.bias (out) or without, and norms: P.weight (size) with P.bias, and with P.running_mean and
// P.running_var. The order is that of the numbers in the names, else the one order in which the shapes fit. A norm stands between
// its layer and the activation; without running statistics it is a layer norm. Throws Error{mismatch} naming the first tensor
// that has no place in such a chain, and where shapes leave more than one order.
ChainResult from_chain(StoredTensors tensors, const ChainSettings& settings);

}  // namespace dws::network
