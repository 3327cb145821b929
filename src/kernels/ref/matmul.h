// Scalar twins of matmul.h.
#pragma once

#include "kernels/ref/scalar.h"

namespace dws::kernels::ref {

template <class T>
void matmul(int64_t M, int64_t N, int64_t K, const T* a, int64_t a_row, int64_t a_col, const T* b,
            int64_t ldb, T* c, int64_t ldc, bool accumulate) noexcept {
  for (int64_t m = 0; m < M; ++m) {
    if (!accumulate)
      for (int64_t n = 0; n < N; ++n) c[m * ldc + n] = T(0);
    for (int64_t k = 0; k < K; ++k) {
      const T factor = a[m * a_row + k * a_col];
      for (int64_t n = 0; n < N; ++n) c[m * ldc + n] += factor * b[k * ldb + n];
    }
  }
}

template <class T>
void matmul_onto_rows(int64_t M, int64_t N, int64_t K, const T* a, const T* b, int64_t ldb, T* c, int64_t ldc,
                      const T* row, int64_t row_ld, int64_t period) noexcept {
  for (int64_t m = 0; m < M; ++m)
    for (int64_t n = 0; n < N; ++n) c[m * ldc + n] = row[m / period * row_ld + n];
  matmul(M, N, K, a, K, int64_t{1}, b, ldb, c, ldc, true);
}

template <class T>
void matrix_update(int64_t R, int64_t C, int64_t F, int64_t G, const T* x, const T* w, const T* row,
                   const T* col, T* y) noexcept {
  for (int64_t r = 0; r < R; ++r)
    for (int64_t c = 0; c < C; ++c)
      for (int64_t g = 0; g < G; ++g) y[(r * C + c) * G + g] = row[r * G + g] + col[c * G + g];
  matmul(R * C, G, F, x, F, int64_t{1}, w, G, y, G, true);
}

template <class T>
void matrix_update_sums(int64_t R, int64_t C, int64_t G, const T* dy, T* drow, bool add_row, T* dcol,
                        bool add_col) noexcept {
  for (int64_t i = 0; !add_row && i < R * G; ++i) drow[i] = T(0);
  for (int64_t i = 0; !add_col && i < C * G; ++i) dcol[i] = T(0);
  for (int64_t r = 0; r < R; ++r)
    for (int64_t c = 0; c < C; ++c)
      for (int64_t g = 0; g < G; ++g) {
        drow[r * G + g] += dy[(r * C + c) * G + g];
        dcol[c * G + g] += dy[(r * C + c) * G + g];
      }
}

template <class T>
void transpose(int64_t rows, int64_t cols, const T* in, T* out) noexcept {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) out[c * rows + r] = in[r * cols + c];
}

}  // namespace dws::kernels::ref
