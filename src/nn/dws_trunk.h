// The equivariant layers of a DWS network, from raw weights to pooled invariants, as one primitive: the fast
// path of training and of inference. It computes what DwsLayer, Activation and pool_invariant compute (they
// are its fallback and its oracle), in far fewer passes over memory:
//
// - norms and rectifiers are never stored: the layer that reads them applies them block by block in cache;
// - statistics of the next norm and max-pools over rows, columns and all are gathered while a block is still
//   there (a norm's scale has a known sign, so it commutes with max up to that sign);
// - the backward recomputes what the forward did not store, and applies a norm's backward while reading.
//
// It serves DeepSets layers without masks and skips, max-pooling, batch norm or none, no dropout.
#pragma once

#include <vector>

#include "nn/dws_layer.h"
#include "nn/norm.h"

namespace dws::nn {

// The levels between layers: level 0 is the raw network, level l what layer l - 1 gave (before its norm).
// Arrays of a level with F channels, in the arena of a tape:
template <class T>
struct TrunkLevel {
  // What the norm behind a level knows of one of its arrays (columns, channels of V_k, M_i or s).
  struct Bundle {
    T *scale = nullptr, *shift = nullptr, *sign = nullptr;  // (columns)
    double *mean = nullptr, *rstd = nullptr, *count = nullptr;
  };
  struct Axis {                // group k; width w = (m_k + sides) F
    T* y = nullptr;            // (B, d, w): V_k, then the row and column terms of the matrices on k
    T* u = nullptr;            // (B, d, w): V_k behind norm and rectifier, then row and column pools
    int32_t* index = nullptr;  // (B, w): where each maximum over d is
    Bundle norm;
  };
  struct Matrix {  // (B, R, C, F), its pools (B, R, F), (B, C, F), (B, F), its sums over C and over R
    T *y = nullptr, *row = nullptr, *col = nullptr, *all = nullptr;
    T *row_sum = nullptr, *col_sum = nullptr;  // where the batch's statistics are used
    Bundle norm;
  };
  Axis* axis = nullptr;
  Matrix* matrix = nullptr;
  T* z = nullptr;    // (B, z width): the global term of every target; the scalars stand last
  T* inv = nullptr;  // (B, invariant width): pools of everything, behind norm and rectifier
  Bundle scalar;
};

template <class T>
class DwsTrunk {
 public:
  DwsTrunk() = default;
  // Reads the structure; everything named outlives the trunk. `layers` and `activations` as in DwsNet: one
  // activation behind each layer.
  DwsTrunk(const weights::WeightSpace& space, const std::vector<DwsLayer<T>>& layers,
           const std::vector<Activation<T>>& activations);
  // Whether the trunk computes this network.
  bool usable() const noexcept { return usable_; }

  // x (B, P) -> (B, invariant_width(space, hidden)). batch_stats as in Model::forward.
  Var<T> forward(Tape<T>& tape, const ParamSet<T>& params, View<const T> x, T* batch_stats) const;

 private:
  template <class U>
  friend class TrunkBackward;
  template <class U>
  friend class TrunkForward;

  struct Axis {
    int64_t d = 0, vectors = 0, sides = 0;  // m_k; matrices that have k as row or column
    int64_t with_global = 0;                // fields of y that the global term reaches: vectors and row terms
    int64_t z = 0, inv = 0;                 // first field in z and inv
    int64_t fields() const noexcept { return vectors + sides; }
  };
  struct Matrix {
    int row_axis = 0, col_axis = 0;
    int64_t R = 0, C = 0;
    int64_t row_field = 0, col_field = 0;  // of its terms among the fields of the axes
    int64_t inv = 0;
  };
  struct Layer {
    std::vector<int> axis, own;  // parameters
    int global = -1, bias = -1;
  };
  // The norm behind a level, one array of it: parameters and buffers, -1 without a norm.
  struct Norm {
    std::vector<int> set;  // of each column, -1: left out
    int64_t sets = 0;
    int gamma = -1, beta = -1, mean = -1, var = -1;
  };
  struct Norms {
    std::vector<Norm> axis, matrix;
    Norm scalar;
  };
  // Of the first `normed` of `columns` columns; the others, terms that travel with V_k, have none.
  Norm norm_of(const Activation<T>& activation, size_t bundle, int64_t normed, int64_t columns) const;

  const weights::WeightSpace* space_ = nullptr;
  bool usable_ = false;
  int64_t channels_ = 0;
  std::vector<Axis> axes_;
  std::vector<Matrix> matrices_;
  int64_t scalars_ = 0;                    // m_s
  int64_t z_fields_ = 0, inv_fields_ = 0;  // scalars are the last of both
  std::vector<Layer> layers_;
  std::vector<Norms> norms_;  // [l]: behind layer l
  int params_ = 0;            // the trunk's parameters are numbers 0 .. params_ - 1 of the set
};

extern template class DwsTrunk<float>;
extern template class DwsTrunk<double>;

}  // namespace dws::nn
