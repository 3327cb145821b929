// How many floating-point operations a DWS network takes, from its architecture alone: what rates in GFLOP/s
// are measured against.
#pragma once

#include "metanets/dws_net.h"

namespace dws {

// Of one network read. A multiply-add counts two. Only matrix products count; pooling, norms, rectifiers,
// sums and the optimiser count nothing.
struct Flops {
  double forward = 0;
  // Forward, and for each product the gradients of both its factors; the numbers of the network read need no
  // gradient, so the first layer's products (and the input skip's) have one of the two only.
  double training = 0;
};

// For networks of this space and `outputs` classes.
Flops dws_flops(const weights::WeightSpace& space, int64_t outputs, const DwsConfig& config);

}  // namespace dws
