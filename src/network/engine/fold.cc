#include "network/engine/fold.h"

#include <algorithm>
#include <cmath>

namespace dws::network::engine {

bool foldable_norm(const Builder& b, const Node& node) {
  if (node.op != "BatchNormalization" || !node.domain.empty() || node.inputs.size() != 5 ||
      node.attr_int("training_mode", 0) || output_of(node, 1) != kNone)
    return false;
  for (size_t i = 1; i < 5; ++i)
    if (node.inputs[i] == kNone || !b.fixed(node.inputs[i])) return false;
  return b.shape(node.inputs[0]).rank() >= 2;
}

Tail tail_of(Builder& b, int y, size_t channel_axis, bool free_bias) {
  Tail tail{.out = y};
  const size_t rank = b.shape(y).dims.size();
  const int64_t channels = b.shape(y).dims[channel_axis];
  while (const Node* next = b.sole_reader(tail.out)) {
    if (!tail.norm && channel_axis == 1 && foldable_norm(b, *next) && next->inputs[0] == tail.out) {
      tail.norm = next;
      tail.fixed.assign(next->inputs.begin() + 1, next->inputs.end());
    } else if (next->op == "Add" && next->domain.empty() && free_bias && !tail.norm && tail.bias == kNone) {
      const int other = next->inputs.at(next->inputs.at(0) == tail.out ? 1 : 0);
      if (other == tail.out || !b.fixed(other) || !b.real(other)) break;
      const std::vector<int64_t>& dims = b.shape(other).dims;
      const size_t behind = rank - channel_axis;  // the channel's place from the end
      const bool along = dims.size() >= behind && dims.size() <= rank && b.size(other) == channels &&
                         dims[dims.size() - behind] == channels;
      if (!along && !(b.size(other) == 1 && dims.size() <= rank)) break;
      tail.bias = other;
    } else if (next->op == "Relu" && next->domain.empty()) {
      tail.relu = true;
    } else {
      break;
    }
    b.absorb(*next);
    tail.out = next->outputs.at(0);
    if (tail.relu) break;
  }
  return tail;
}

void fold_norm(const Frame& f, const Node* norm, int64_t channels, const float* bias, bool one_bias,
               float* factor, float* shift) {
  const double epsilon = norm ? norm->attr_float("epsilon", 1e-5) : 0;
  for (int64_t c = 0; c < channels; ++c) {
    const double added = bias ? bias[one_bias ? 0 : c] : 0;
    double scale = 1, at = added;
    if (norm) {
      const auto number = [&](size_t i) { return static_cast<double>(f.in(norm->inputs[i])[c]); };
      scale = number(1) / std::sqrt(number(4) + epsilon);
      at = (added - number(3)) * scale + number(2);
    }
    if (factor) factor[c] = static_cast<float>(scale);
    if (shift) shift[c] = static_cast<float>(at);
  }
}

}  // namespace dws::network::engine
