// Scalar twins of optimizer.h.
#pragma once

#include <cmath>

#include "kernels/optimizer.h"
#include "kernels/ref/scalar.h"

namespace dws::kernels::ref {

template <class T>
void adamw(int64_t n, const AdamwStep& step, T grad_scale, const T* g, T* w, T* m, T* v, T* vmax) noexcept {
  const T decay = T(1 - step.lr * step.weight_decay), rate = T(step.lr / step.correction1);
  const T beta1 = T(step.beta1), beta2 = T(step.beta2), rest1 = T(1 - step.beta1), rest2 = T(1 - step.beta2);
  const T root = T(1 / std::sqrt(step.correction2)), eps = T(step.eps);
  for (int64_t i = 0; i < n; ++i) {
    const T grad = g[i] * grad_scale;
    m[i] = beta1 * m[i] + rest1 * grad;
    v[i] = beta2 * v[i] + rest2 * (grad * grad);
    T second = v[i];
    if (step.amsgrad) second = vmax[i] = v[i] > vmax[i] ? v[i] : vmax[i];
    w[i] = decay * w[i] - rate * m[i] / (std::sqrt(second) * root + eps);
  }
}

template <class T>
double sum_squares(int64_t n, const T* x) noexcept {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += double(x[i]) * double(x[i]);
  return sum;
}

}  // namespace dws::kernels::ref
