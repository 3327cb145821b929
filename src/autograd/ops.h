// Ops of the tape, by family. Dimension letters: B networks of a batch, R and C the two axes of a weight
// matrix, N items of an axis, F channels in, G channels out. All arrays are contiguous and row-major; all ops
// throw Error{mismatch} with the shapes when those do not fit. T is float or double.
#pragma once

#include <span>
#include <vector>

#include "autograd/tape.h"

namespace dws::ops {

enum class Reduction { max, mean, sum };

// --- linear (ops_linear.cc) --------------------------------------------------------------------------------
// x (..., F) times w (F, G) [+ bias (G)]: (..., G).
template <class T>
Var<T> linear(Var<T> x, Var<T> w);
template <class T>
Var<T> linear(Var<T> x, Var<T> w, Var<T> bias);
// Fused: y[b,r,c,:] = x[b,r,c,:] w + row[b,r,:] + col[b,c,:], the update of a weight matrix's features.
// x (B, R, C, F), w (F, G), row (B, R, G), col (B, C, G): (B, R, C, G).
template <class T>
Var<T> matrix_update(Var<T> x, Var<T> w, Var<T> row, Var<T> col);
// Its fallback from plain ops: linear, add_rows, add_cols.
template <class T>
Var<T> matrix_update_fallback(Var<T> x, Var<T> w, Var<T> row, Var<T> col);
// Batched matrix product over all leading axes: a (..., M, K) b (..., K, N), either transposed in its last
// two axes.
template <class T>
Var<T> matmul(Var<T> a, Var<T> b, bool transpose_a = false, bool transpose_b = false);

// --- elementwise (ops_elementwise.cc) ----------------------------------------------------------------------
template <class T>
Var<T> add(Var<T> a, Var<T> b);  // same shapes
template <class T>
Var<T> scale(Var<T> a, T factor);
template <class T>
Var<T> relu(Var<T> a);
template <class T>
Var<T> tanh(Var<T> a);
// GELU in its tanh form (kernels/activation.h).
template <class T>
Var<T> gelu(Var<T> a);
// Softmax over the last axis.
template <class T>
Var<T> softmax(Var<T> a);

// --- pictures (ops_picture.cc) -----------------------------------------------------------------------------
// Channels last, so that linear maps and norms of the last axis serve pictures too. The same in both directions,
// at all four sides.
struct Window {
  int64_t stride = 1, padding = 0, dilation = 1;
};
// x (N, H, W, C), w (KH, KW, C, F) [, bias (F)]: (N, OH, OW, F), OH = (H + 2 padding - dilation (KH - 1) - 1) /
// stride + 1.
template <class T>
Var<T> conv2d(Var<T> x, Var<T> w, const Window& window = {});
template <class T>
Var<T> conv2d(Var<T> x, Var<T> w, Var<T> bias, const Window& window = {});
// Over windows of `kernel` x `kernel`: x (N, H, W, C) to (N, OH, OW, C). max sends its gradient to the first largest
// element; mean is over the elements without pads. The mean over all places: reduce().
template <class T>
Var<T> max_pool2d(Var<T> x, int64_t kernel, const Window& window);
template <class T>
Var<T> mean_pool2d(Var<T> x, int64_t kernel, const Window& window);

// --- dropout (ops_dropout.cc) ------------------------------------------------------------------------------
// a (B, ..., C): keeps each channel of each network, at all positions alike, with probability 1 - p and
// scales it by 1 / (1 - p); for a (B, C) that is dropout of single numbers. Identity outside training. Throws
// Error{bad_value} unless p is in [0, 1). Why whole channels: dropout_mask.h.
template <class T>
Var<T> dropout(Var<T> a, double p);

// --- shape and broadcast (ops_shape.cc) --------------------------------------------------------------------
template <class T>
Var<T> reshape(Var<T> a, const Shape& shape);  // no copy
// Along the last axis; all other extents equal.
template <class T>
Var<T> concat(std::span<const Var<T>> parts);
template <class T>
Var<T> slice(Var<T> a, int64_t begin, int64_t count);  // of the last axis
// Swaps axes `i` and `j` (copies).
template <class T>
Var<T> transpose(Var<T> a, int i, int j);
// x (..., G) + v (G) on every row, e.g. a bias.
template <class T>
Var<T> add_bias(Var<T> x, Var<T> v);
// x (B, N..., G) + v (B, G): v is added at every position of its network.
template <class T>
Var<T> add_global(Var<T> x, Var<T> v);
// x (B, R, C, G) + row (B, R, G) or col (B, C, G).
template <class T>
Var<T> add_rows(Var<T> x, Var<T> row);
template <class T>
Var<T> add_cols(Var<T> x, Var<T> col);

// --- reductions (ops_reduce.cc) ----------------------------------------------------------------------------
// Over axis `axis` of x, which disappears. max sends its gradient to the first largest element.
template <class T>
Var<T> reduce(Var<T> x, int axis, Reduction kind);
// Fused, one pass: x (B, R, C, F) -> row (B, R, F) reduced over C, col (B, C, F) over R, all (B, F) over
// both.
template <class T>
struct Pooled {
  Var<T> row, col, all;
};
template <class T>
Pooled<T> pool_matrix(Var<T> x, Reduction kind);
template <class T>
Pooled<T> pool_matrix_fallback(Var<T> x, Reduction kind);

// --- normalisation (ops_norm.cc) ---------------------------------------------------------------------------
// BatchNorm over the rows of x viewed as (rows, C), C the last axis. `channel_of` (C) maps a column to one of
// P parameter sets, so columns may share statistics. gamma, beta (P). Training uses the biased variance of
// the rows here (one shard) and writes mean and unbiased variance to `batch_mean`, `batch_var` (P) when not
// null; otherwise `mean` and `var` (P) are used. eps as in Ioffe & Szegedy 2015.
template <class T>
struct BatchNormState {
  std::span<const int> channel_of;
  const T* mean = nullptr;
  const T* var = nullptr;
  T* batch_mean = nullptr;
  T* batch_var = nullptr;
  T eps = T(1e-5);
};
template <class T>
Var<T> batch_norm(Var<T> x, Var<T> gamma, Var<T> beta, const BatchNormState<T>& state);
// Fused batch_norm, relu and dropout in as few passes as possible; the fallback calls the three.
template <class T>
Var<T> norm_relu_dropout(Var<T> x, Var<T> gamma, Var<T> beta, const BatchNormState<T>& state, double p);
template <class T>
Var<T> norm_relu_dropout_fallback(Var<T> x, Var<T> gamma, Var<T> beta, const BatchNormState<T>& state,
                                  double p);
// Layer normalisation over the last axis (Ba et al. 2016): gamma, beta (C).
template <class T>
Var<T> layer_norm(Var<T> x, Var<T> gamma, Var<T> beta, T eps = T(1e-5));

// --- losses (ops_loss.cc) ----------------------------------------------------------------------------------
// Sum over the batch of weight * cross-entropy of softmax(logits) (B, K) against target rows (B, K), which
// sum to 1 (label smoothing and mixup are rows too): a scalar. Pass weight = 1 / batch for a mean across
// shards. Targets are constants whose memory must outlive the tape's step.
template <class T>
Var<T> cross_entropy(Var<T> logits, View<const T> targets, T weight);

}  // namespace dws::ops

namespace dws {
// Names of all primitives; a test fails when one of them has no gradient case.
std::vector<std::string_view> primitive_names();
}  // namespace dws
