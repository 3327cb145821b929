#include "nn/blocks.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/error.h"
#include "core/text.h"

namespace dws::nn {

namespace {
constexpr std::array<const char*, 6> kNames = {"weight_self",    "weight_neighbour", "weight_other",
                                               "weight_to_bias", "bias_to_weight",   "bias_to_bias"};
}

std::vector<std::string> block_names() {
  return {kNames.begin(), kNames.end()};
}

const char* block_name(Block block) noexcept {
  return kNames[static_cast<size_t>(block)];
}

std::vector<Block> all_blocks() {
  std::vector<Block> blocks;
  for (size_t i = 0; i < kNames.size(); ++i) blocks.push_back(static_cast<Block>(i));
  return blocks;
}

Block parse_block(const std::string& name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (name == kNames[i]) return static_cast<Block>(i);
  const std::string near = nearest(name, block_names());
  throw Error(ErrorKind::usage, text("unknown block '{}'", escaped(name)),
              near.empty() ? "blocks: " + join(block_names(), ", ") : text("did you mean '{}'?", near));
}

Block block_of(const weights::WeightSpace& space, int source, int target) {
  const weights::Slot &s = space.slot(source), &t = space.slot(target);
  if (s.bias && t.bias) return Block::bias_to_bias;
  if (s.bias) return Block::bias_to_weight;
  if (t.bias) return Block::weight_to_bias;
  const int distance = std::abs(s.layer - t.layer);
  return distance == 0 ? Block::weight_self : distance == 1 ? Block::weight_neighbour : Block::weight_other;
}

BlockMask block_mask(const weights::WeightSpace& space, std::vector<Block> blocks, bool diagonal) {
  const int n = space.tensors();
  std::vector<bool> table(static_cast<size_t>(n) * static_cast<size_t>(n));
  for (int s = 0; s < n; ++s)
    for (int t = 0; t < n; ++t) {
      const bool listed = std::find(blocks.begin(), blocks.end(), block_of(space, s, t)) != blocks.end();
      const bool near = space.slot(s).layer == space.slot(t).layer || space.share_group(s, t);
      table[static_cast<size_t>(s * n + t)] = listed && (near || !diagonal);
    }
  return [n, table = std::move(table)](int s, int t) { return table[static_cast<size_t>(s * n + t)]; };
}

}  // namespace dws::nn
