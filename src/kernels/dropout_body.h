// Dropout for one instruction set: Philox4x32-10 (see core/rng.h) on a vector of counters at a time.
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "kernels/elementwise_body.h"

namespace dws::kernels::DWS_ISA {

inline constexpr int kBlocks = kLanes;  // Philox blocks of four words at a time

typedef uint32_t UVec __attribute__((vector_size(4 * DWS_LANES)));
typedef uint64_t WideVec __attribute__((vector_size(4 * DWS_LANES)));
typedef uint32_t UVecU __attribute__((vector_size(4 * DWS_LANES), aligned(4), may_alias));

// 64-bit products of the low halves of 64-bit lanes.
DWS_INLINE WideVec multiply_low_halves(WideVec a, WideVec b) {
#if DWS_LANES == 16
  return reinterpret_cast<WideVec>(
      _mm512_maskz_mul_epu32(0xFF, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif DWS_LANES == 8
  return reinterpret_cast<WideVec>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  return reinterpret_cast<WideVec>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
#endif
}

// High and low words of a * m in every lane: even lanes and odd lanes apart.
DWS_INLINE void multiply_words(UVec a, uint32_t m, UVec& high, UVec& low) {
  const WideVec factor = uint64_t{m} - WideVec{};
  const WideVec even = multiply_low_halves(reinterpret_cast<WideVec>(a), factor);
  const WideVec odd = multiply_low_halves(reinterpret_cast<WideVec>(a) >> 32, factor);
  high = reinterpret_cast<UVec>((even >> 32) | (odd & 0xFFFFFFFF00000000u));
  low = reinterpret_cast<UVec>((even & 0xFFFFFFFFu) | (odd << 32));
}

// words[4 * j + q] = word q of block first + j of (seed, stream).
static void philox_words(uint64_t seed, uint64_t stream, uint64_t first, uint32_t* words) noexcept {
  UVec c0{}, c1{}, c2 = static_cast<uint32_t>(stream) - UVec{},
                   c3 = static_cast<uint32_t>(stream >> 32) - UVec{};
  for (int j = 0; j < kBlocks; ++j) {
    const uint64_t block = first + static_cast<uint64_t>(j);
    c0[j] = static_cast<uint32_t>(block);
    c1[j] = static_cast<uint32_t>(block >> 32);
  }
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    UVec high0, low0, high1, low1;
    multiply_words(c0, 0xD2511F53u, high0, low0);
    multiply_words(c2, 0xCD9E8D57u, high1, low1);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
  }
  uint32_t rows[4][kBlocks];
  *reinterpret_cast<UVecU*>(rows[0]) = c0;
  *reinterpret_cast<UVecU*>(rows[1]) = c1;
  *reinterpret_cast<UVecU*>(rows[2]) = c2;
  *reinterpret_cast<UVecU*>(rows[3]) = c3;
  for (int j = 0; j < kBlocks; ++j) {
    typedef uint32_t Quad __attribute__((vector_size(16), aligned(4), may_alias));
    *reinterpret_cast<Quad*>(words + 4 * j) = Quad{rows[0][j], rows[1][j], rows[2][j], rows[3][j]};
  }
}

static void dropout(int64_t n, double p, uint64_t seed, uint64_t stream, const float* a, float* y,
                    bool accumulate) noexcept {
  // A word is kept when it is >= p 2^32, rounded up; all or none at the ends.
  if (!(p > 0)) return scale(n, 1.0f, a, y, accumulate);
  if (p >= 1) return scale(n, 0.0f, a, y, accumulate);
  const float factor = static_cast<float>(1 / (1 - p));
  const double edge = p * 0x1p32;
  uint64_t threshold = static_cast<uint64_t>(edge);
  if (static_cast<double>(threshold) < edge) ++threshold;
  if (threshold >> 32) return scale(n, 0.0f, a, y, accumulate);
  uint32_t words[4 * kBlocks];
  float mask[4 * kBlocks];
  for (int64_t i = 0; i < n; i += 4 * kBlocks) {
    philox_words(seed, stream, static_cast<uint64_t>(i) / 4, words);
    for (int j = 0; j < 4 * kBlocks; ++j)
      mask[j] = words[j] >= static_cast<uint32_t>(threshold) ? factor : 0.0f;
    const int64_t count = n - i < 4 * kBlocks ? n - i : 4 * kBlocks;
    each(count, [&](int64_t j, int64_t lanes) DWS_INLINED {
      const Vec keep = load(mask + j);
      const Vec value = select(keep > 0.0f, load_n(a + i + j, lanes) * keep, zero());
      put_n(y + i + j, value, lanes, accumulate);
    });
  }
}

}  // namespace dws::kernels::DWS_ISA
