// Scalar twin of the loss.
#pragma once

#include <cmath>

#include "kernels/ref/scalar.h"

namespace dws::kernels::ref {

// weight * sum over rows b and classes k of t_bk (log sum_j exp z_bj - z_bk); logits z and targets t (B, K).
template <class T>
T cross_entropy(int64_t B, int64_t K, const T* z, const T* t, T weight) noexcept {
  T loss(0);
  for (int64_t b = 0; b < B; ++b, z += K, t += K) {
    T top = z[0], sum(0);
    for (int64_t k = 1; k < K; ++k)
      if (real_part(z[k]) > real_part(top)) top = z[k];
    for (int64_t k = 0; k < K; ++k) sum += std::exp(z[k] - top);
    for (int64_t k = 0; k < K; ++k) loss += t[k] * (std::log(sum) + top - z[k]);
  }
  return weight * loss;
}

}  // namespace dws::kernels::ref
