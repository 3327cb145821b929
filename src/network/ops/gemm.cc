#include "network/ops/gemm.h"

#include <algorithm>

#include "core/parallel.h"

namespace dws::network {
namespace {

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define DWS_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DWS_CLONES
#endif

constexpr int64_t kRows = 4, kDepth = 256, kColumns = 512;

// Up to four rows at once: each line of b is used four times while it is near.
DWS_CLONES void rows_add(int64_t rows, int64_t n, int64_t k, const double* a, int64_t lda, const double* b,
                         int64_t ldb, double* c, int64_t ldc) {
  if (rows == kRows) {
    double *c0 = c, *c1 = c + ldc, *c2 = c + 2 * ldc, *c3 = c + 3 * ldc;
    for (int64_t p = 0; p < k; ++p) {
      const double a0 = a[p], a1 = a[lda + p], a2 = a[2 * lda + p], a3 = a[3 * lda + p];
      const double* line = b + p * ldb;
      for (int64_t j = 0; j < n; ++j) {
        const double v = line[j];
        c0[j] += a0 * v;
        c1[j] += a1 * v;
        c2[j] += a2 * v;
        c3[j] += a3 * v;
      }
    }
    return;
  }
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t p = 0; p < k; ++p) {
      const double v = a[i * lda + p];
      const double* line = b + p * ldb;
      double* out = c + i * ldc;
      for (int64_t j = 0; j < n; ++j) out[j] += v * line[j];
    }
}

}  // namespace

void gemm_add(int64_t m, int64_t n, int64_t k, const double* a, int64_t lda, const double* b, int64_t ldb,
              double* c, int64_t ldc) {
  // Blocks of the output in parallel; each walks along k alone.
  const int64_t row_blocks = (m + kRows - 1) / kRows, column_blocks = (n + kColumns - 1) / kColumns;
  const auto block = [&](int64_t which) {
    const int64_t i = which / column_blocks * kRows, j = which % column_blocks * kColumns;
    for (int64_t p = 0; p < k; p += kDepth)
      rows_add(std::min(kRows, m - i), std::min(kColumns, n - j), std::min(kDepth, k - p), a + i * lda + p,
               lda, b + p * ldb + j, ldb, c + i * ldc + j, ldc);
  };
  if (m * n * k < 100'000) {
    for (int64_t which = 0; which < row_blocks * column_blocks; ++which) block(which);
  } else {
    parallel_for(row_blocks * column_blocks, block);
  }
}

}  // namespace dws::network
