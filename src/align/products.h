// Products of large matrices on all threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/parallel.h"
#include "kernels/matmul.h"

namespace dws::align {

inline constexpr int64_t kProductRows = 64;  // of a block, fixed: the bits do not depend on threads

// c (M, N) = a b, or += with `accumulate`: kernels::matmul on blocks of rows.
inline void product(int64_t M, int64_t N, int64_t K, const float* a, int64_t a_row, int64_t a_col,
                    const float* b, int64_t ldb, float* c, int64_t ldc, bool accumulate = false) {
  parallel_blocks(M, kProductRows, [&](int64_t begin, int64_t end) {
    kernels::matmul<float>(end - begin, N, K, a + begin * a_row, a_row, a_col, b, ldb, c + begin * ldc, ldc,
                           accumulate);
  });
}

}  // namespace dws::align
