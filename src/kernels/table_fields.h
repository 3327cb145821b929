// The fields of Table: the float kernels of one instruction set. Signatures are those of the headers named
// beside them.
#pragma once

#include <cstdint>

#include "kernels/table.h"

namespace dws::kernels {

struct Table {
  // elementwise.h
  void (*add)(int64_t n, const float* a, const float* b, float* y) noexcept;
  // matmul.h
  void (*matmul)(int64_t M, int64_t N, int64_t K, const float* a, int64_t a_row, int64_t a_col,
                 const float* b, int64_t ldb, float* c, int64_t ldc, bool accumulate) noexcept;
  void (*matrix_update)(int64_t R, int64_t C, int64_t F, int64_t G, const float* x, const float* w,
                        const float* row, const float* col, float* y) noexcept;
};

// Each defined by its own table_*.cc; the last two exist on x86-64 alone.
const Table& portable_table() noexcept;
const Table& avx2_table() noexcept;
const Table& avx512_table() noexcept;

}  // namespace dws::kernels
