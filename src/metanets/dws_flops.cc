#include "metanets/dws_flops.h"

#include <algorithm>
#include <vector>

#include "nn/pooling.h"

namespace dws {
namespace {

using weights::SlotKind;

// One equivariant layer, product by product as nn/dws_layer.h has them.
class LayerCount {
 public:
  LayerCount(const weights::WeightSpace& space, const DwsConfig& config, nn::BlockMask allowed, int64_t in)
      : space_(space), config_(config), allowed_(std::move(allowed)), in_(in), out_(config.hidden) {}

  // Multiply-adds that read the layer's input, and those between its own intermediate values (attention).
  int64_t of_input = 0, inner = 0;

  void count() {
    for (int k = 0; k < space_.groups(); ++k) count_axis(k);
    for (int s = 0; s < space_.tensors(); ++s)
      for (int t = 0; t < space_.tensors(); ++t)
        if (in_global(s, t)) of_input += width(s, in_) * width(t, out_);
    for (int i = 0; i < space_.matrices(); ++i) {
      const int t = space_.matrix(i);
      const weights::Slot& slot = space_.slot(t);
      if (permitted(t, t))
        of_input += space_.group_size(slot.row_group) * space_.group_size(slot.col_group) * in_ * out_;
    }
    if (config_.layer_skip) of_input += space_.param_count() * in_ * out_;
  }

 private:
  bool permitted(int s, int t) const { return !allowed_ || allowed_(s, t); }
  bool matrix_self(int s, int t) const { return s == t && space_.slot(s).kind == SlotKind::matrix; }
  bool in_global(int s, int t) const {
    return permitted(s, t) && (!config_.attention || matrix_self(s, t) || !space_.share_group(s, t));
  }
  // Channels of a tensor once its permuted axes are gone.
  int64_t width(int t, int64_t channels) const { return space_.slot(t).multiplicity * channels; }
  int64_t matrix_or_vector_width(int t, int64_t channels) const {
    return space_.slot(t).kind == SlotKind::matrix ? channels : width(t, channels);
  }

  // Everything that has a side on group k meets there, once a neuron.
  void count_axis(int k) {
    std::vector<int> here;
    for (int t = 0; t < space_.tensors(); ++t) {
      const weights::Slot& slot = space_.slot(t);
      if (slot.row_group == k || slot.col_group == k) here.push_back(t);
    }
    const int64_t n = space_.group_size(k);
    for (int s : here)
      for (int t : here) {
        if (!permitted(s, t)) continue;
        const int64_t from = matrix_or_vector_width(s, in_), to = matrix_or_vector_width(t, out_);
        if (!config_.attention || matrix_self(s, t))
          of_input += n * from * to;
        else
          count_attention(s, t, n, from, to);
      }
  }

  // Queries, keys and values of the n neurons; their scores and the mixed values; the map of the result.
  void count_attention(int s, int t, int64_t n, int64_t from, int64_t to) {
    const weights::Slot &a = space_.slot(s), &b = space_.slot(t);
    const int last = space_.slot(space_.tensors() - 1).layer;
    if (config_.broadcast_last && !a.bias && !b.bias && b.layer == last && a.layer + 1 == last)
      to /= b.multiplicity;
    of_input += 3 * n * from * to;
    inner += 2 * n * n * to + n * to * to;
  }

  const weights::WeightSpace& space_;
  const DwsConfig& config_;
  nn::BlockMask allowed_;
  int64_t in_, out_;
};

}  // namespace

Flops dws_flops(const weights::WeightSpace& space, int64_t outputs, const DwsConfig& config) {
  nn::BlockMask allowed;
  if (config.diagonal || config.blocks.size() < nn::all_blocks().size())
    allowed = nn::block_mask(space, config.blocks, config.diagonal);
  Flops flops;
  const auto add = [&](int64_t multiply_adds, bool input_needs_gradient) {
    const double forward = 2.0 * static_cast<double>(multiply_adds);
    flops.forward += forward;
    flops.training += (input_needs_gradient ? 3 : 2) * forward;
  };
  for (int64_t i = 0; i < config.layers; ++i) {
    LayerCount layer(space, config, allowed, i == 0 ? 1 : config.hidden);
    layer.count();
    add(layer.of_input, i > 0);
    add(layer.inner, true);
  }
  if (config.input_skip) add(space.param_count() * config.hidden, false);
  int64_t width = nn::invariant_width(space, config.hidden);
  for (int64_t next : config.head) {
    add(width * next, true);
    width = next;
  }
  add(width * outputs, true);
  return flops;
}

}  // namespace dws
