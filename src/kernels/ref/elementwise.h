// Scalar twins of elementwise.h.
#pragma once

#include <cmath>

#include "core/rng.h"
#include "kernels/ref/scalar.h"

namespace dws::kernels::ref {

template <class T>
void add(int64_t n, const T* a, const T* b, T* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

template <class T>
void scale(int64_t n, T factor, const T* a, T* y, bool accumulate) noexcept {
  for (int64_t i = 0; i < n; ++i) put(y[i], factor * a[i], accumulate);
}

template <class T>
void relu(int64_t n, const T* a, T* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = real_part(a[i]) < 0 ? T(0) : a[i];
}

template <class T>
void relu_backward(int64_t n, const T* y, const T* dy, T* dx, bool accumulate) noexcept {
  for (int64_t i = 0; i < n; ++i) put(dx[i], real_part(y[i]) > 0 ? dy[i] : T(0), accumulate);
}

// Smallest word that is kept: a word is uniform in [0, 2^32), kept when it is >= p 2^32. 2^32 keeps none.
inline uint64_t dropout_threshold(double p) noexcept {
  if (!(p > 0)) return 0;
  return p >= 1 ? uint64_t{1} << 32 : static_cast<uint64_t>(std::ceil(p * 0x1p32));
}

template <class T>
void dropout(int64_t n, double p, uint64_t seed, uint64_t stream, const T* a, T* y,
             bool accumulate) noexcept {
  const uint64_t threshold = dropout_threshold(p);
  const T factor = T(p < 1 ? 1 / (1 - (p > 0 ? p : 0)) : 0);
  const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  for (int64_t i = 0; i < n; i += 4) {
    const uint64_t block = static_cast<uint64_t>(i) / 4;
    const auto words = philox({low(block), high(block), low(stream), high(stream)}, {low(seed), high(seed)});
    for (int64_t j = i; j < n && j < i + 4; ++j)
      put(y[j], words[static_cast<size_t>(j - i)] >= threshold ? a[j] * factor : T(0), accumulate);
  }
}

// Whole channels of x (B, positions, C), one draw for each network and channel.
template <class T>
void dropout_channels(int64_t B, int64_t positions, int64_t C, double p, uint64_t seed, uint64_t stream,
                      const T* x, T* y) noexcept {
  for (int64_t b = 0; b < B; ++b)
    for (int64_t c = 0; c < C; ++c) {
      const int64_t draw = b * C + c;
      const uint64_t block = static_cast<uint64_t>(draw) / 4;
      const auto low = [](uint64_t v) { return static_cast<uint32_t>(v); };
      const auto high = [](uint64_t v) { return static_cast<uint32_t>(v >> 32); };
      const auto words =
          philox({low(block), high(block), low(stream), high(stream)}, {low(seed), high(seed)});
      const bool kept = words[static_cast<size_t>(draw % 4)] >= dropout_threshold(p);
      for (int64_t n = 0; n < positions; ++n) {
        const int64_t at = (b * positions + n) * C + c;
        y[at] = kept ? x[at] * T(1 / (1 - p)) : T(0);
      }
    }
}

template <class T>
void add_row_vector(int64_t rows, int64_t C, const T* x, const T* v, T* y) noexcept {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c) y[r * C + c] = x[r * C + c] + v[c];
}

template <class T>
void column_sums(int64_t rows, int64_t C, const T* x, T* v, bool accumulate) noexcept {
  for (int64_t c = 0; c < C; ++c) {
    Wide<T> sum{};
    for (int64_t r = 0; r < rows; ++r) sum += x[r * C + c];
    put(v[c], T(sum), accumulate);
  }
}

template <class T>
void softmax(int64_t rows, int64_t C, const T* x, T* y) noexcept {
  for (int64_t r = 0; r < rows; ++r, x += C, y += C) {
    if (C == 0) return;
    T largest = x[0];
    for (int64_t c = 1; c < C; ++c)
      if (real_part(x[c]) > real_part(largest)) largest = x[c];
    T sum(0);
    for (int64_t c = 0; c < C; ++c) sum += y[c] = std::exp(x[c] - largest);
    for (int64_t c = 0; c < C; ++c) y[c] /= sum;
  }
}

template <class T>
void softmax_backward(int64_t rows, int64_t C, const T* y, const T* dy, T* dx, bool accumulate) noexcept {
  for (int64_t r = 0; r < rows; ++r, y += C, dy += C, dx += C) {
    T dot(0);
    for (int64_t c = 0; c < C; ++c) dot += y[c] * dy[c];
    for (int64_t c = 0; c < C; ++c) put(dx[c], y[c] * (dy[c] - dot), accumulate);
  }
}

}  // namespace dws::kernels::ref
