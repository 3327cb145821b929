// Matrix products of the shards: small, tall and many. One core a call; parallelism is outside. T is float
// (run-time dispatch) or double (the scalar twin, kernels/ref/matmul.h). M, N, K may be 0; strides count
// elements.
#pragma once

#include <cstdint>

namespace dws::kernels {

// c (M, N) = a b, or += with `accumulate`. Element (m, k) of a is a[m * a_row + k * a_col], so a transposed
// operand is a matter of strides; one of the two is 1. b (K, N) and c (M, N) have contiguous rows `ldb` and `ldc` apart. The order
// of the sum over k depends on the sizes alone.
template <class T>
void matmul(int64_t M, int64_t N, int64_t K, const T* a, int64_t a_row, int64_t a_col, const T* b,
            int64_t ldb, T* c, int64_t ldc, bool accumulate) noexcept;

// c[m,:] = row[m / period,:] + a[m,:] b: a product that starts at a vector shared by `period` rows. a (M, K)
// contiguous; rows of b, c and row lie ldb, ldc and row_ld apart.
template <class T>
void matmul_onto_rows(int64_t M, int64_t N, int64_t K, const T* a, const T* b, int64_t ldb, T* c, int64_t ldc,
                      const T* row, int64_t row_ld, int64_t period) noexcept;

// y[r,c,:] = x[r,c,:] w + row[r,:] + col[c,:] for one network: x (R, C, F), w (F, G), row (R, G), col (C, G),
// y (R, C, G).
template <class T>
void matrix_update(int64_t R, int64_t C, int64_t F, int64_t G, const T* x, const T* w, const T* row,
                   const T* col, T* y) noexcept;
// The sums its backward needs: drow[r,:] = sum_c dy[r,c,:], dcol[c,:] = sum_r dy[r,c,:]; += with the flags.
template <class T>
void matrix_update_sums(int64_t R, int64_t C, int64_t G, const T* dy, T* drow, bool add_row, T* dcol,
                        bool add_col) noexcept;

// out (cols, rows) = in (rows, cols) transposed.
template <class T>
void transpose(int64_t rows, int64_t cols, const T* in, T* out) noexcept;

}  // namespace dws::kernels
