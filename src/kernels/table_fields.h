// The fields of Table: the float kernels of one instruction set. Signatures are those of the headers named
// beside them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/bf16.h"
#include "kernels/conv.h"
#include "kernels/conv_product.h"
#include "kernels/fused_matrix.h"
#include "kernels/optimizer.h"
#include "kernels/pool.h"
#include "kernels/reduce.h"
#include "kernels/siren.h"
#include "kernels/table.h"

namespace dws::kernels {

struct Table {
  // elementwise.h
  void (*add)(int64_t n, const float* a, const float* b, float* y) noexcept;
  void (*scale)(int64_t n, float factor, const float* a, float* y, bool accumulate) noexcept;
  void (*relu)(int64_t n, const float* a, float* y) noexcept;
  void (*relu_backward)(int64_t n, const float* y, const float* dy, float* dx, bool accumulate) noexcept;
  void (*dropout)(int64_t n, double p, uint64_t seed, uint64_t stream, const float* a, float* y,
                  bool accumulate) noexcept;
  void (*add_row_vector)(int64_t rows, int64_t C, const float* x, const float* v, float* y) noexcept;
  void (*column_sums)(int64_t rows, int64_t C, const float* x, float* v, bool accumulate) noexcept;
  void (*softmax)(int64_t rows, int64_t C, const float* x, float* y) noexcept;
  void (*softmax_backward)(int64_t rows, int64_t C, const float* y, const float* dy, float* dx,
                           bool accumulate) noexcept;
  // matmul.h
  void (*matmul)(int64_t M, int64_t N, int64_t K, const float* a, int64_t a_row, int64_t a_col,
                 const float* b, int64_t ldb, float* c, int64_t ldc, bool accumulate) noexcept;
  void (*matmul_onto_rows)(int64_t M, int64_t N, int64_t K, const float* a, const float* b, int64_t ldb,
                           float* c, int64_t ldc, const float* row, int64_t row_ld, int64_t period) noexcept;
  void (*matrix_update)(int64_t R, int64_t C, int64_t F, int64_t G, const float* x, const float* w,
                        const float* row, const float* col, float* y) noexcept;
  void (*matrix_update_sums)(int64_t R, int64_t C, int64_t G, const float* dy, float* drow, bool add_row,
                             float* dcol, bool add_col) noexcept;
  void (*transpose)(int64_t rows, int64_t cols, const float* in, float* out) noexcept;
  // conv.h: the columns of its products, and a product without them
  void (*columns_nchw)(const Conv2d& c, int64_t channels, const float* x, int64_t row, int64_t rows,
                       float* cols, int64_t ld) noexcept;
  void (*conv_product)(const ConvProduct& p) noexcept;
  void (*pad_planes)(const PaddedPlanes& p, const float* x, float* to) noexcept;
  void (*columns_nhwc)(const Conv2d& c, const float* x, int64_t first, int64_t count, float* cols) noexcept;
  void (*add_columns_nhwc)(const Conv2d& c, const float* cols, int64_t first, int64_t count,
                           float* x) noexcept;
  // pool.h
  void (*max_pool2d)(const Pool2d& p, int64_t outer, int64_t inner, const float* x, float* y,
                     int32_t* index) noexcept;
  void (*max_pool2d_backward)(const Pool2d& p, int64_t outer, int64_t inner, const float* dy,
                              const int32_t* index, float* dx, bool accumulate) noexcept;
  void (*mean_pool2d)(const Pool2d& p, int64_t outer, int64_t inner, const float* x, float* y) noexcept;
  void (*mean_pool2d_backward)(const Pool2d& p, int64_t outer, int64_t inner, const float* dy, float* dx,
                               bool accumulate) noexcept;
  // reduce.h
  void (*reduce)(int64_t outer, int64_t N, int64_t inner, Reduce kind, const float* x, float* y,
                 int32_t* index) noexcept;
  void (*reduce_backward)(int64_t outer, int64_t N, int64_t inner, Reduce kind, const float* dy,
                          const int32_t* index, float* dx, bool accumulate) noexcept;
  void (*pool_matrix)(int64_t R, int64_t C, int64_t F, Reduce kind, const float* x, float* row, float* col,
                      float* all, int32_t* row_index, int32_t* col_index, int32_t* all_index) noexcept;
  void (*pool_matrix_backward)(int64_t R, int64_t C, int64_t F, Reduce kind, const float* drow,
                               const float* dcol, const float* dall, const int32_t* row_index,
                               const int32_t* col_index, const int32_t* all_index, float* dx,
                               bool accumulate) noexcept;
  // norm.h
  void (*column_moments)(int64_t rows, int64_t C, const float* x, const float* shift, double* sum,
                         double* sum_sq) noexcept;
  void (*affine)(int64_t rows, int64_t C, const float* x, const float* a, const float* b, bool with_relu,
                 float* y) noexcept;
  void (*affine_backward_sums)(int64_t rows, int64_t C, const float* x, const float* shift, const float* y,
                               const float* dy, double* sum_dy, double* sum_dy_x) noexcept;
  void (*affine_backward)(int64_t rows, int64_t C, const float* x, const float* y, const float* dy,
                          const float* p, const float* q, const float* r, float* dx,
                          bool accumulate) noexcept;
  void (*layer_norm)(int64_t rows, int64_t C, const float* x, const float* gamma, const float* beta,
                     float eps, float* y, float* mean, float* rstd) noexcept;
  void (*layer_norm_backward)(int64_t rows, int64_t C, const float* x, const float* gamma, const float* mean,
                              const float* rstd, const float* dy, float* dx, bool accumulate, float* dgamma,
                              float* dbeta) noexcept;
  // fused_matrix.h
  void (*fused_forward)(const FusedForward<float>& k) noexcept;
  void (*fused_backward)(const FusedBackward<float>& k) noexcept;
  // bf16.h, emulated
  Bf16Kernels bf16;
  // optimizer.h
  void (*adamw)(int64_t n, const AdamwStep& step, float grad_scale, const float* g, float* w, float* m,
                float* v, float* vmax) noexcept;
  double (*sum_squares)(int64_t n, const float* x) noexcept;
  // sincos.h
  void (*sincos)(int64_t n, const float* x, float* s, float* c) noexcept;
  void (*tanh)(int64_t n, const float* x, float* y) noexcept;
  // activation.h
  void (*tanh_backward)(int64_t n, const float* y, const float* dy, float* dx, bool accumulate) noexcept;
  void (*gelu)(int64_t n, const float* x, float* y) noexcept;
  void (*gelu_backward)(int64_t n, const float* x, const float* dy, float* dx, bool accumulate) noexcept;
  // siren.h
  double (*inr_loss)(const InrShape& shape, int64_t points, const float* x, const float* target, float offset,
                     const float* packed, float* gradient, float* scratch) noexcept;
  void (*inr_forward)(const InrShape& shape, int64_t points, const float* x, float offset,
                      const float* packed, float* y, float* scratch) noexcept;
  void (*adam)(int64_t n, const AdamStep& step, const float* g, float* w, float* m, float* v) noexcept;
  // assignment.h
  double (*net_gains)(int64_t n, const float* gain, const double* price, double* net, double* group) noexcept;
  int64_t (*relax_row)(int64_t n, const float* gain, const double* price, double base, int32_t row,
                       const int32_t* owner, double* distance, int32_t* from) noexcept;
  void (*soften_row)(int64_t n, const float* gain, const float* price, float sharpness, float* e,
                     float* mass) noexcept;
  void (*extremes)(int64_t n, const float* x, float* low, float* high) noexcept;
  // mix.h
  void (*widen_bf16)(int64_t n, const std::byte* x, float* y) noexcept;
  void (*widen_f16)(int64_t n, const std::byte* x, float* y) noexcept;
  void (*narrow_bf16)(int64_t n, const float* x, std::byte* y) noexcept;
  void (*narrow_f16)(int64_t n, const float* x, std::byte* y) noexcept;
  void (*weighted_sum)(int64_t n, int K, const float* const* x, const float* w, float* y) noexcept;
  void (*subtract)(int64_t n, const float* a, const float* b, float* y) noexcept;
  double (*dot)(int64_t n, const float* a, const float* b) noexcept;
  double (*sum_abs)(int64_t n, const float* a) noexcept;
  int64_t (*first_beyond)(int64_t n, const float* x, float limit) noexcept;
  void (*agree)(int64_t n, int K, const float* const* d, const float* w, bool normalize, float* y) noexcept;
  void (*random_words)(int64_t n, uint64_t seed, uint64_t stream, uint64_t first, uint32_t* y) noexcept;
  // peak.h
  double (*fma_chains)(int64_t steps) noexcept;
  void (*triad)(int64_t n, float s, const float* b, const float* c, float* a) noexcept;
  float (*read_all)(int64_t n, const float* a) noexcept;
  // special.h
  void (*exp)(int64_t n, const float* x, float* y) noexcept;
  void (*sigmoid)(int64_t n, float alpha, const float* x, float* y) noexcept;
  void (*erf)(int64_t n, const float* x, float* y) noexcept;
  void (*gelu_erf)(int64_t n, const float* x, float* y) noexcept;
};

// Each defined by its own table_*.cc; all but the first exist on x86-64 alone.
const Table& portable_table() noexcept;
const Table& avx2_table() noexcept;
const Table& avx512_table() noexcept;
const Bf16Kernels& avx512_bf16_kernels() noexcept;
const Bf16Kernels& amx_kernels() noexcept;

}  // namespace dws::kernels
