// The features of one network's weight matrix through one equivariant layer, in one pass over memory a
// direction: norm and rectifier of the layer before are applied a block at a time in the first-level cache,
// never stored, and what the next layer wants to know of the result (statistics, maxima) is gathered while
// the block is there.
//
//   a = relu(scale x + shift),   y[r,c,:] = a[r,c,:] w + row[r,:] + col[c,:]
//
// x (R, C, F) is what the layer before gave, before its norm; y (R, C, G). All arrays row-major; those with a
// `ld` have rows that far apart. T is float (run-time dispatch) or double (the scalar twin).
#pragma once

#include <cstdint>

namespace dws::kernels {

inline constexpr int64_t kMostFusedChannels = 4096;  // F and G are at most this

template <class T>
struct FusedForward {
  int64_t R, C, F, G;
  const T* x;      // (R, C, F)
  const T* scale;  // (F); null: a = x, for the first layer
  const T* shift;  // (F)
  const T* w;      // (F, G)
  const T* row;    // (R, G)
  int64_t row_ld;
  const T* col;  // (C, G)
  int64_t col_ld;
  T* y;  // (R, C, G); may be x with F = G and a scale
  // Largest sign * y over c, r and both, and there y itself: max-pooling of a later relu(scale y + shift) for
  // any scale of that sign. sign (G), entries 1 or -1.
  const T* sign;
  T* pool_row;  // (R, G)
  T* pool_col;  // (C, G)
  T* pool_all;  // (G)
  // += sums over all positions of y - origin and its square; null in evaluation. origin (G)
  const T* origin;
  double* sum;     // (G)
  double* sum_sq;  // (G)
  // Sums of y over c and over r, for the backward; null together with `sum`.
  T* row_sum;  // (R, G)
  T* col_sum;  // (C, G)
};
template <class T>
void fused_forward(const FusedForward<T>& k) noexcept;

// The cotangent of y is dy = p gy + q y + r: gy behind a batch norm, whose backward is this map once its sums are
// known. From it dw += a^T dy, and g = (dy w^T + pooled) where a > 0, zero elsewhere, where `pooled` spreads the
// gradients of the maxima of a: each goes to the first position in row-major order whose x is the pooled one.
// Also += the sums over positions of g and g (x - origin), and the sums of g over c and over r. With F = G, g may
// be gy.
template <class T>
struct FusedBackward {
  int64_t R, C, F, G;
  const T* x;          // (R, C, F)
  const T* scale;      // (F); null: a = x, and only dw is wanted
  const T* shift;      // (F)
  const T* y;          // (R, C, G); null: only the pooled gradients, for the layer before the last pooling
  const T* gy;         // (R, C, G)
  const T *p, *q, *r;  // (G)
  const T* wt;         // (G, F), w transposed
  T* dw;               // (F, G), accumulated
  const T* pool_row;   // (R, F), of the forward that made x
  const T* pool_col;   // (C, F)
  const T* pool_all;   // (F)
  const T* drow;       // (R, F), gradients of the pools of a over c and r: read when y is
  int64_t drow_ld;
  T* dcol;  // (C, F), used up: zero where it found its position
  int64_t dcol_ld;
  const T* dall;    // (F)
  const T* origin;  // (F)
  T* g;             // (R, C, F)
  double* sum;      // (F)
  double* sum_x;    // (F)
  T* row_sum;       // (R, F), overwritten
  T* col_sum;       // (C, F), overwritten
};
template <class T>
void fused_backward(const FusedBackward<T>& k) noexcept;

}  // namespace dws::kernels
