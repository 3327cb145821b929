// Scalar twins of mix.h.
#pragma once

#include <cmath>
#include <cstring>

#include "core/dtype.h"
#include "core/rng.h"
#include "kernels/mix.h"

namespace dws::kernels::ref {

inline void widen(int64_t n, float (*convert)(uint16_t) noexcept, const std::byte* x, float* y) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    uint16_t bits;
    std::memcpy(&bits, x + 2 * i, sizeof bits);
    y[i] = convert(bits);
  }
}
inline void narrow(int64_t n, uint16_t (*convert)(float) noexcept, const float* x, std::byte* y) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    const uint16_t bits = convert(x[i]);
    std::memcpy(y + 2 * i, &bits, sizeof bits);
  }
}

template <class T>
void weighted_sum(int64_t n, int K, const T* const* x, const T* w, T* y) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    T sum = w[0] * x[0][i];
    for (int k = 1; k < K; ++k) sum += w[k] * x[k][i];
    y[i] = sum;
  }
}

template <class T>
void subtract(int64_t n, const T* a, const T* b, T* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] - b[i];
}

template <class T>
double dot(int64_t n, const T* a, const T* b) noexcept {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}
template <class T>
double sum_abs(int64_t n, const T* a) noexcept {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::abs(static_cast<double>(a[i]));
  return sum;
}

template <class T>
int64_t first_beyond(int64_t n, const T* x, T limit) noexcept {
  for (int64_t i = 0; i < n; ++i)
    if (!(std::abs(x[i]) < limit)) return i;
  return -1;
}

template <class T>
void agree(int64_t n, int K, const T* const* d, const T* w, bool normalize, T* y) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    T all = w[0] * d[0][i];
    for (int k = 1; k < K; ++k) all += w[k] * d[k][i];
    T sum = 0, weight = 0;
    for (int k = 0; k < K; ++k) {
      const T part = w[k] * d[k][i];
      if (all >= 0 ? part > 0 : part < 0) sum += part, weight += w[k];
    }
    y[i] = normalize && weight != 0 ? sum / weight : sum;
  }
}

inline void random_words(int64_t n, uint64_t seed, uint64_t stream, uint64_t first, uint32_t* y) noexcept {
  Rng rng(seed, stream);
  for (uint64_t i = 0; i < first; ++i) rng.next_u32();
  for (int64_t i = 0; i < n; ++i) y[i] = rng.next_u32();
}

}  // namespace dws::kernels::ref
