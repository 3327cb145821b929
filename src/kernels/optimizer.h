// Optimiser updates on flat arrays. T is float or double.
#pragma once

#include <cstdint>

namespace dws::kernels {

struct AdamwStep {
  double lr, beta1, beta2, eps, weight_decay;
  double correction1, correction2;  // 1 - beta^t
  bool amsgrad;
};

// AdamW (Loshchilov & Hutter 2019) as PyTorch's: w *= 1 - lr * wd; m, v running means of g and g^2;
// w -= lr / correction1 * m / (sqrt(v^) / sqrt(correction2) + eps), v^ the running maximum of v with amsgrad
// (Reddi et al. 2018). vmax may be null without amsgrad. g is multiplied by `grad_scale` first (clipping,
// averaging).
template <class T>
void adamw(int64_t n, const AdamwStep& step, T grad_scale, const T* g, T* w, T* m, T* v, T* vmax) noexcept;

// Sum of squares in double, fixed order.
template <class T>
double sum_squares(int64_t n, const T* x) noexcept;

}  // namespace dws::kernels
