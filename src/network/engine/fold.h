// What stands behind a product and can be done with it: bias, BatchNorm, ReLU.
#pragma once

#include <vector>

#include "network/engine/plan.h"

namespace dws::network::engine {

struct Tail {
  int out = kNone;             // what the last of them makes
  int bias = kNone;            // fixed, one number a channel or one in all
  const Node* norm = nullptr;  // with fixed numbers
  bool relu = false;
  std::vector<int> fixed{};  // values that the norm reads
};
// Of the product `y`, whose readers are absorbed. `channel_axis`: of y. `free_bias`: it has none of its own.
Tail tail_of(Builder& b, int y, size_t channel_axis, bool free_bias);

// y = factor x + shift, a number a channel, of a BatchNorm whose numbers are fixed, after adding `bias` (by channel, or
// one for all where it has one number; null: none). Without a norm factor is 1. Either output may be null.
void fold_norm(const Frame& f, const Node* norm, int64_t channels, const float* bias, bool one_bias,
               float* factor, float* shift);
bool foldable_norm(const Builder& b, const Node& node);

}  // namespace dws::network::engine
