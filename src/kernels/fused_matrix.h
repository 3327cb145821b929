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
  T* y;  // (R, C, G)
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
};
template <class T>
void fused_forward(const FusedForward<T>& k) noexcept;

// dy = p g + q y + r, in place over g: the cotangent behind a batch norm once its sums are known; and its sums
// drow[r,:] = sum_c dy, dcol[c,:] = sum_r dy (overwritten).
template <class T>
struct FusedCotangent {
  int64_t R, C, G;
  const T* y;          // (R, C, G)
  const T *p, *q, *r;  // (G)
  T* g;                // (R, C, G), in: g, out: dy
  T* drow;             // (R, G)
  int64_t drow_ld;
  T* dcol;  // (C, G)
  int64_t dcol_ld;
};
template <class T>
void fused_cotangent(const FusedCotangent<T>& k) noexcept;

// From dy: dw += a^T dy, and g = (dy w^T + pooled) where a > 0, zero elsewhere, where `pooled` spreads the
// gradients of the maxima of a: each goes to the first position in row-major order whose x is the pooled one.
// Also += the sums over positions of g and g (x - origin). With F = G, g may be dy.
template <class T>
struct FusedBackward {
  int64_t R, C, F, G;
  const T* x;         // (R, C, F)
  const T* scale;     // (F)
  const T* shift;     // (F)
  const T* dy;        // (R, C, G); null: only the pooled gradients, for the layer before the last pooling
  const T* wt;        // (G, F), w transposed
  T* dw;              // (F, G), accumulated
  const T* pool_row;  // (R, F), of the forward that made x
  const T* pool_col;  // (C, F)
  const T* pool_all;  // (F)
  const T* drow;      // (R, F), gradients of the pools of a; null: none
  int64_t drow_ld;
  T* dcol;  // (C, F), used up: zero where it found its position
  int64_t dcol_ld;
  const T* dall;    // (F)
  const T* origin;  // (F)
  T* g;             // (R, C, F)
  double* sum;      // (F)
  double* sum_x;    // (F)
};
template <class T>
void fused_backward(const FusedBackward<T>& k) noexcept;

}  // namespace dws::kernels
