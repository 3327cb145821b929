// The blocks of an equivariant layer: which tensors of the input may influence which tensors of the output.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "weights/space.h"

namespace dws::nn {

// May features of tensor `source` reach tensor `target`? Empty: all may.
using BlockMask = std::function<bool(int source, int target)>;

// Kinds of blocks, named after Navon et al. (ICML 2023, section 5): a weight to itself, to the weights of the
// layers next to it, to all others; weights to biases and back; biases to biases.
enum class Block {
  weight_self,
  weight_neighbour,
  weight_other,
  weight_to_bias,
  bias_to_weight,
  bias_to_bias
};

std::vector<std::string> block_names();      // "weight_self", ...
Block parse_block(const std::string& name);  // throws Error{usage}
const char* block_name(Block block) noexcept;
Block block_of(const weights::WeightSpace& space, int source, int target);

// Pairs whose block is in `blocks`; with `diagonal` only those of the same layer or with a group in common
// (the published option of that name).
BlockMask block_mask(const weights::WeightSpace& space, std::vector<Block> blocks, bool diagonal);
std::vector<Block> all_blocks();

}  // namespace dws::nn
