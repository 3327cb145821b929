// Dropout for one instruction set: Philox4x32-10 (see core/rng.h) on 16 counters at a time.
#pragma once

#include "kernels/elementwise_body.h"

namespace dws::kernels::DWS_ISA {

inline constexpr int kBlocks = 16;  // Philox blocks of four words at a time

// words[4 * j + q] = word q of block first + j of (seed, stream).
static void philox_words(uint64_t seed, uint64_t stream, uint64_t first, uint32_t* words) noexcept {
  uint32_t c0[kBlocks], c1[kBlocks], c2[kBlocks], c3[kBlocks];
  for (int j = 0; j < kBlocks; ++j) {
    const uint64_t block = first + static_cast<uint64_t>(j);
    c0[j] = static_cast<uint32_t>(block);
    c1[j] = static_cast<uint32_t>(block >> 32);
    c2[j] = static_cast<uint32_t>(stream);
    c3[j] = static_cast<uint32_t>(stream >> 32);
  }
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
    for (int j = 0; j < kBlocks; ++j) {
      const uint64_t p0 = uint64_t{0xD2511F53u} * c0[j], p1 = uint64_t{0xCD9E8D57u} * c2[j];
      c0[j] = static_cast<uint32_t>(p1 >> 32) ^ c1[j] ^ k0;
      c1[j] = static_cast<uint32_t>(p1);
      c2[j] = static_cast<uint32_t>(p0 >> 32) ^ c3[j] ^ k1;
      c3[j] = static_cast<uint32_t>(p0);
    }
  for (int j = 0; j < kBlocks; ++j) {
    words[4 * j] = c0[j];
    words[4 * j + 1] = c1[j];
    words[4 * j + 2] = c2[j];
    words[4 * j + 3] = c3[j];
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
