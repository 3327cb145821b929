// The equivariant layer of deep weight spaces (Navon, Shamsian, Achituve, Fetaya, Chechik, Maron, ICML 2023).
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/attention.h"
#include "nn/block_linear.h"
#include "nn/shared_linear.h"

namespace dws::nn {

struct DwsLayerOptions {
  int64_t in = 1, out = 32;  // channels F, G
  ops::Reduction reduction = ops::Reduction::max;
  BlockMask allowed;  // empty: all blocks
  bool bias = true;
  bool attention = false;  // SetAttention in place of DeepSets wherever two tensors share a group of neurons
  int64_t heads = 8;
  bool skip = false;  // + x S, one linear map shared by all tensors
  // Attention from the last weight but one to the last gives all output neurons one value, as published. (The
  // linear layer holds that as a special case.)
  bool broadcast_last = false;
};

// F -> G channels. With sum (or mean) pooling the linear layer spans every linear map that commutes with the
// group, each coefficient once. M_i has row, column and total pools r_i, c_i, a_i:
//
//   axis k    u_k = [V_k, r_i and c_i of the matrices lying on k],   y_k = u_k P_k
//   global    z = [red V_k ..., a_i ..., s] W + bias
//   result    V_k' = y_k + z,   s' = z,   M_i'[r, c] = M_i[r, c] A_i + y_row[r] + y_col[c] + z
//
// (each target its own columns of y and z). A DeepSets block x Gamma - red(x) Lambda is the pair (P_k, -W);
// Hartford's four terms of a matrix to itself are A, two blocks of P and one of W.
template <class T>
class DwsLayer {
 public:
  DwsLayer() = default;
  // `space` is shared by the layers of a network.
  DwsLayer(ParamSet<T>& params, const std::string& name, std::shared_ptr<const weights::WeightSpace> space,
           DwsLayerOptions options);
  DwsLayer(ParamSet<T>& params, const std::string& name, const weights::WeightSpace& space,
           DwsLayerOptions options)
      : DwsLayer(params, name, std::make_shared<const weights::WeightSpace>(space), std::move(options)) {}

  WeightFeatures<T> forward(Tape<T>& tape, const ParamSet<T>& params, const WeightFeatures<T>& x) const;

  // Every term of an output (own element, axis terms, global term; n of them: 4 for a matrix, 2 for a vector,
  // 1 for a scalar) gets the n-th part of the variance that He's rule (2 / fan-in, for rectified inputs)
  // gives a plain layer; pooled inputs are divided by how much larger pooling makes them (pooled_gain).
  // Biases are zero.
  void init(ParamSet<T>& params, uint64_t seed) const;

  // A pair of tensors that a SetAttention connects; its result, times 1 / tensors, joins the axis term.
  struct AttentionPair {
    int source = 0, target = 0, axis = 0;
    int64_t repeat = 1;  // copies over the target's free indices (broadcast_last)
    SetAttention<T> attention;
  };

  const DwsLayerOptions& options() const noexcept { return options_; }
  const BlockLinear<T>& axis(int k) const { return axis_.at(static_cast<size_t>(k)).map; }
  const BlockLinear<T>& global() const noexcept { return global_; }
  // Parameter A_i, -1 when masked out.
  int own(int matrix) const { return own_.at(static_cast<size_t>(matrix)); }
  const std::vector<AttentionPair>& attention() const noexcept { return attention_; }
  const Linear<T>& skip() const noexcept { return skip_; }

 private:
  using Field = typename BlockLinear<T>::Field;
  // What lies on one group of neurons; sources and targets in one order: vectors, row sides, column sides.
  struct Axis {
    std::vector<int> rows, cols;  // matrices whose row (column) axis this is
    std::vector<Field> sources, targets;
    BlockLinear<T> map;
  };
  Axis find_axis(int k) const;
  void add_attention(ParamSet<T>& params, const std::string& name, const BlockMask& allowed);
  Var<T> attend(Tape<T>& tape, const ParamSet<T>& params, int k, Var<T> u, Var<T> y) const;

  std::shared_ptr<const weights::WeightSpace> space_;
  DwsLayerOptions options_;
  std::vector<Axis> axis_;
  BlockLinear<T> global_;
  std::vector<int> own_;
  std::vector<AttentionPair> attention_;
  Linear<T> skip_;
};

extern template class DwsLayer<float>;
extern template class DwsLayer<double>;

}  // namespace dws::nn
