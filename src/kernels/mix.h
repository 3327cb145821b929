// What merging networks asks of arrays: numbers of files to float and back, weighted sums, sums in double, deltas that agree in
// sign. Files' numbers may lie at any address.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dws::kernels {

// float of n numbers of 16 bits, exact.
void widen_bf16(int64_t n, const std::byte* x, float* y) noexcept;
void widen_f16(int64_t n, const std::byte* x, float* y) noexcept;
// Rounded to nearest, ties to even, as core/dtype.h does it: NaN stays NaN, too large becomes infinite.
void narrow_bf16(int64_t n, const float* x, std::byte* y) noexcept;
void narrow_f16(int64_t n, const float* x, std::byte* y) noexcept;

// y = sum over k < K of w[k] x[k], from the first to the last; K > 0. y may be one of x.
void weighted_sum(int64_t n, int K, const float* const* x, const float* w, float* y) noexcept;
// y = a - b.
void subtract(int64_t n, const float* a, const float* b, float* y) noexcept;
// sum of a b and of |a|: blocks of 1024 in float, added in double.
double dot(int64_t n, const float* a, const float* b) noexcept;
double sum_abs(int64_t n, const float* a) noexcept;
// The first number of magnitude `limit` or more, or NaN; -1 for none. With an infinite limit the first that is not finite.
int64_t first_beyond(int64_t n, const float* x, float limit) noexcept;

// TIES (Yadav et al., "TIES-merging", NeurIPS 2023), sign and mean: s = +1 where sum over k of w[k] d[k] >= 0, else -1; of the
// k with sign(w[k] d[k]) = s, y = sum w[k] d[k], divided by sum w[k] (where that is not 0) if `normalize`. y may be one of d.
void agree(int64_t n, int K, const float* const* d, const float* w, bool normalize, float* y) noexcept;

// y[i] = word first + i of the Philox stream (core/rng.h) of (seed, stream); `first` is a multiple of 4.
void random_words(int64_t n, uint64_t seed, uint64_t stream, uint64_t first, uint32_t* y) noexcept;

}  // namespace dws::kernels
