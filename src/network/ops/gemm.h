// The one matrix product of the executor.
#pragma once

#include <cstdint>

namespace dws::network {

// c (m, n) += a (m, k) b (k, n), all row-major; a's rows are `lda` apart, b's `ldb`, c's `ldc`. Each number of c is summed in
// the order of k, whatever the number of threads.
void gemm_add(int64_t m, int64_t n, int64_t k, const double* a, int64_t lda, const double* b, int64_t ldb,
              double* c, int64_t ldc);

}  // namespace dws::network
