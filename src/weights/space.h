// How the tensors of a network are held by equivariant layers: which of them lie on which group of neurons,
// and where each number of the flat parameter vector goes.
//
// With g(t) the number of axes of tensor t that a group moves:
//   matrix, g = 2: features M (B, R, C, F), R and C its two axes in the tensor's order (interior weights);
//   vector, g = 1: all vectors of group k side by side in V_k (B, d_k, m_k F) (first and last weight, hidden
//                  biases);
//   scalar, g = 0: all scalars side by side in s (B, m_s F) (the output bias).
// The m free indices of a tensor (product of its free axes, row-major) are folded into the channels,
// index-major: column (offset + free index) * F + channel.
#pragma once

#include <cstdint>
#include <vector>

#include "symmetry/layout.h"

namespace dws::weights {

enum class SlotKind { matrix, vector, scalar };

// Where one tensor of the layout is found.
struct Slot {
  SlotKind kind = SlotKind::scalar;
  int row_group = -1;        // matrix: the group of R; vector: its group
  int col_group = -1;        // matrix: the group of C
  int bundle = -1;           // index of M (matrix) or k of V_k (vector); 0 for scalars
  int64_t multiplicity = 1;  // m: free indices
  int64_t offset = 0;        // free indices of the tensors before it in its bundle
  int layer = 0;             // tensors of rank 2 and more start a layer
  bool bias = false;         // rank 1
};

class WeightSpace {
 public:
  WeightSpace() = default;
  // Throws Error{usage} for a tensor with more than two permuted axes or with two axes in one group.
  explicit WeightSpace(symmetry::Layout layout);
  static WeightSpace mlp(const std::vector<int64_t>& dims) { return WeightSpace(symmetry::mlp_layout(dims)); }

  const symmetry::Layout& layout() const noexcept { return layout_; }
  int tensors() const noexcept { return static_cast<int>(slots_.size()); }
  int groups() const noexcept { return static_cast<int>(layout_.groups.size()); }
  int matrices() const noexcept { return static_cast<int>(matrices_.size()); }
  const Slot& slot(int tensor) const { return slots_.at(static_cast<size_t>(tensor)); }
  int64_t param_count() const noexcept { return layout_.param_count(); }

  int64_t group_size(int k) const { return layout_.groups.at(static_cast<size_t>(k)).size; }
  const std::vector<int>& vectors(int k) const { return vectors_.at(static_cast<size_t>(k)); }
  const std::vector<int>& scalars() const noexcept { return scalars_; }
  int matrix(int i) const { return matrices_.at(static_cast<size_t>(i)); }  // its tensor
  int64_t vector_width(int k) const;                                        // m_k
  int64_t scalar_width() const;                                             // m_s
  // True when some group moves both tensors (or they are one and the same and moved at all).
  bool share_group(int a, int b) const;
  // The shared group of two different tensors, -1 when none.
  int shared_group(int a, int b) const;

  // Element e of a bundle, without channels, is number table[e] of the flat vector.
  const std::vector<int64_t>& vector_table(int k) const { return vector_tables_.at(static_cast<size_t>(k)); }
  const std::vector<int64_t>& matrix_table(int i) const { return matrix_tables_.at(static_cast<size_t>(i)); }
  const std::vector<int64_t>& scalar_table() const noexcept { return scalar_table_; }

 private:
  void classify();
  void fill_tables();
  symmetry::Layout layout_;
  std::vector<Slot> slots_;
  std::vector<std::vector<int>> vectors_;
  std::vector<int> matrices_, scalars_;
  std::vector<std::vector<int64_t>> vector_tables_, matrix_tables_;
  std::vector<int64_t> scalar_table_;
};

}  // namespace dws::weights
