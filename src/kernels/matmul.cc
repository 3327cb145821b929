#include "kernels/matmul.h"

#include <type_traits>

#include "kernels/ref/matmul.h"
#include "kernels/table_fields.h"

namespace dws::kernels {

template <class T>
void matmul(int64_t M, int64_t N, int64_t K, const T* a, int64_t a_row, int64_t a_col, const T* b,
            int64_t ldb, T* c, int64_t ldc, bool accumulate) noexcept {
  if constexpr (std::is_same_v<T, float>) {
    const Bf16Kernels* bf16 = bf16_kernels(M, N, K);
    (bf16 ? bf16->matmul : table().matmul)(M, N, K, a, a_row, a_col, b, ldb, c, ldc, accumulate);
  } else {
    ref::matmul(M, N, K, a, a_row, a_col, b, ldb, c, ldc, accumulate);
  }
}
template void matmul(int64_t, int64_t, int64_t, const float*, int64_t, int64_t, const float*, int64_t, float*,
                     int64_t, bool) noexcept;
template void matmul(int64_t, int64_t, int64_t, const double*, int64_t, int64_t, const double*, int64_t,
                     double*, int64_t, bool) noexcept;

template <class T>
void matmul_onto_rows(int64_t M, int64_t N, int64_t K, const T* a, const T* b, int64_t ldb, T* c, int64_t ldc,
                      const T* row, int64_t row_ld, int64_t period) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().matmul_onto_rows(M, N, K, a, b, ldb, c, ldc, row, row_ld, period);
  else
    ref::matmul_onto_rows(M, N, K, a, b, ldb, c, ldc, row, row_ld, period);
}
template void matmul_onto_rows(int64_t, int64_t, int64_t, const float*, const float*, int64_t, float*,
                               int64_t, const float*, int64_t, int64_t) noexcept;
template void matmul_onto_rows(int64_t, int64_t, int64_t, const double*, const double*, int64_t, double*,
                               int64_t, const double*, int64_t, int64_t) noexcept;

template <class T>
void matrix_update(int64_t R, int64_t C, int64_t F, int64_t G, const T* x, const T* w, const T* row,
                   const T* col, T* y) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().matrix_update(R, C, F, G, x, w, row, col, y);
  else
    ref::matrix_update(R, C, F, G, x, w, row, col, y);
}
template void matrix_update(int64_t, int64_t, int64_t, int64_t, const float*, const float*, const float*,
                            const float*, float*) noexcept;
template void matrix_update(int64_t, int64_t, int64_t, int64_t, const double*, const double*, const double*,
                            const double*, double*) noexcept;

template <class T>
void matrix_update_sums(int64_t R, int64_t C, int64_t G, const T* dy, T* drow, bool add_row, T* dcol,
                        bool add_col) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().matrix_update_sums(R, C, G, dy, drow, add_row, dcol, add_col);
  else
    ref::matrix_update_sums(R, C, G, dy, drow, add_row, dcol, add_col);
}
template void matrix_update_sums(int64_t, int64_t, int64_t, const float*, float*, bool, float*,
                                 bool) noexcept;
template void matrix_update_sums(int64_t, int64_t, int64_t, const double*, double*, bool, double*,
                                 bool) noexcept;

template <class T>
void transpose(int64_t rows, int64_t cols, const T* in, T* out) noexcept {
  if constexpr (std::is_same_v<T, float>)
    table().transpose(rows, cols, in, out);
  else
    ref::transpose(rows, cols, in, out);
}
template void transpose(int64_t, int64_t, const float*, float*) noexcept;
template void transpose(int64_t, int64_t, const double*, double*) noexcept;

}  // namespace dws::kernels
