// What the axes of an attention in one operator are made of, for its rule and for its scales.
#pragma once

#include <array>
#include <optional>

#include "symmetry/discovery.h"

namespace dws::symmetry {

struct AttentionParts {
  struct Side {
    FactorId batch, length, heads, size;
  };
  Side query, key, value;
  bool flat = true;  // the output is (batch, length, heads size), not (batch, heads, length, size)
};
// Of Attention, MultiHeadAttention and GroupQueryAttention; refines what has to be refined. nullopt: it does not fit.
std::optional<AttentionParts> attention_parts(Discovery& d, const network::Node& node);

}  // namespace dws::symmetry
