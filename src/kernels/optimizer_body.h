// Float bodies of optimizer.h for one instruction set.
#pragma once

#include "kernels/elementwise_body.h"
#include "kernels/optimizer.h"

namespace dws::kernels::DWS_ISA {

DWS_INLINE Vec square_root(Vec v) {
#if DWS_LANES == 16
  return reinterpret_cast<Vec>(_mm512_maskz_sqrt_ps(0xFFFF, reinterpret_cast<__m512>(v)));
#elif DWS_LANES == 8
  return reinterpret_cast<Vec>(_mm256_sqrt_ps(reinterpret_cast<__m256>(v)));
#else
  for (int i = 0; i < kLanes; ++i) v[i] = __builtin_sqrtf(v[i]);
  return v;
#endif
}

static void adamw(int64_t n, const AdamwStep& step, float grad_scale, const float* g, float* w, float* m,
                  float* v, float* vmax) noexcept {
  const float decay = static_cast<float>(1 - step.lr * step.weight_decay);
  const float rate = static_cast<float>(step.lr / step.correction1);
  const float beta1 = static_cast<float>(step.beta1), rest1 = static_cast<float>(1 - step.beta1);
  const float beta2 = static_cast<float>(step.beta2), rest2 = static_cast<float>(1 - step.beta2);
  const float root = static_cast<float>(1 / __builtin_sqrt(step.correction2)),
              eps = static_cast<float>(step.eps);
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    const Vec grad = load_n(g + i, lanes) * grad_scale;
    const Vec first = beta1 * load_n(m + i, lanes) + rest1 * grad;
    Vec second = beta2 * load_n(v + i, lanes) + rest2 * (grad * grad);
    store_n(m + i, first, lanes);
    store_n(v + i, second, lanes);
    if (step.amsgrad) {
      second = max(second, load_n(vmax + i, lanes));
      store_n(vmax + i, second, lanes);
    }
    const Vec change = rate * first / (square_root(second) * root + eps);
    store_n(w + i, decay * load_n(w + i, lanes) - change, lanes);
  });
}

static double sum_squares(int64_t n, const float* x) noexcept {
  double total = 0;
  for (int64_t i = 0; i < n; i += 1024) {
    const int64_t count = n - i < 1024 ? n - i : 1024;
    Vec block[4] = {};
    int64_t j = 0;
    for (; j + 4 * kLanes <= count; j += 4 * kLanes)
      for (int q = 0; q < 4; ++q) {
        const Vec v = load(x + i + j + q * kLanes);
        block[q] = fma(v, v, block[q]);
      }
    for (; j < count; j += kLanes) {
      const Vec v = load_n(x + i + j, count - j);
      block[0] = fma(v, v, block[0]);
    }
    total += static_cast<double>(sum((block[0] + block[1]) + (block[2] + block[3])));
  }
  return total;
}

}  // namespace dws::kernels::DWS_ISA
