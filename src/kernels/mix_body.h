// Bodies of mix.h for one instruction set.
#pragma once

#include "kernels/bf16_body.h"
#include "kernels/dropout_body.h"

namespace dws::kernels::DWS_ISA {

// 16-bit numbers of files: no alignment at all.
typedef uint16_t HalvesAny __attribute__((vector_size(2 * DWS_LANES), aligned(1), may_alias));

DWS_INLINE UVec load_halves(const std::byte* p, int64_t n) {
  Halves h{};
  if (n >= kLanes)
    h = *reinterpret_cast<const HalvesAny*>(p);
  else
    __builtin_memcpy(&h, p, static_cast<size_t>(2 * n));
  return __builtin_convertvector(h, UVec);
}
DWS_INLINE void store_halves(std::byte* p, UVec v, int64_t n) {
  const Halves h = __builtin_convertvector(v, Halves);
  if (n >= kLanes)
    *reinterpret_cast<HalvesAny*>(p) = h;
  else
    __builtin_memcpy(p, &h, static_cast<size_t>(2 * n));
}

static void widen_bf16(int64_t n, const std::byte* x, float* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    store_n(y + i, reinterpret_cast<Vec>(load_halves(x + 2 * i, lanes) << 16), lanes);
  });
}

static void narrow_bf16(int64_t n, const float* x, std::byte* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes)
              DWS_INLINED { store_halves(y + 2 * i, to_bf16(load_n(x + i, lanes)) >> 16, lanes); });
}

// The exponent is put right by a product, which makes subnormal numbers normal too.
static void widen_f16(int64_t n, const std::byte* x, float* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    const UVec h = load_halves(x + 2 * i, lanes);
    const UVec magnitude = (h & 0x7fffu) << 13;
    const UVec finite = reinterpret_cast<UVec>(reinterpret_cast<Vec>(magnitude) * 0x1p112f);
    const UVec bits = (h & 0x7c00u) == 0x7c00u ? magnitude | 0x7f800000u : finite;
    store_n(y + i, reinterpret_cast<Vec>(bits | (h & 0x8000u) << 16), lanes);
  });
}

static void narrow_f16(int64_t n, const float* x, std::byte* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    const UVec bits = reinterpret_cast<UVec>(load_n(x + i, lanes)), magnitude = bits & 0x7fffffffu;
    const UVec small = reinterpret_cast<UVec>(reinterpret_cast<Vec>(magnitude) + 0.5f) - 0x3f000000u;
    const UVec normal = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    UVec h = magnitude < 0x38800000u ? small : normal;
    h = magnitude >= 0x477ff000u ? 0x7c00u - UVec{} : h;
    h = magnitude > 0x7f800000u ? 0x7e00u | ((magnitude >> 13) & 0x3ffu) : h;
    store_halves(y + 2 * i, h | ((bits >> 16) & 0x8000u), lanes);
  });
}

static void weighted_sum(int64_t n, int K, const float* const* x, const float* w, float* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    Vec sum = w[0] * load_n(x[0] + i, lanes);
    for (int k = 1; k < K; ++k) sum = fma(broadcast(w[k]), load_n(x[k] + i, lanes), sum);
    store_n(y + i, sum, lanes);
  });
}

static void subtract(int64_t n, const float* a, const float* b, float* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes)
              DWS_INLINED { store_n(y + i, load_n(a + i, lanes) - load_n(b + i, lanes), lanes); });
}

template <class Term>
DWS_INLINE double sum_terms(int64_t n, Term term) {
  double total = 0;
  for (int64_t i = 0; i < n; i += 1024) {
    const int64_t count = n - i < 1024 ? n - i : 1024;
    Vec block[4] = {};
    int64_t j = 0;
    for (; j + 4 * kLanes <= count; j += 4 * kLanes)
      for (int q = 0; q < 4; ++q) block[q] = term(i + j + q * kLanes, int64_t{kLanes}, block[q]);
    for (; j < count; j += kLanes) block[0] = term(i + j, count - j, block[0]);
    total += static_cast<double>(sum((block[0] + block[1]) + (block[2] + block[3])));
  }
  return total;
}

static double dot(int64_t n, const float* a, const float* b) noexcept {
  return sum_terms(n, [&](int64_t i, int64_t lanes, Vec sum)
                          DWS_INLINED { return fma(load_n(a + i, lanes), load_n(b + i, lanes), sum); });
}

static double sum_abs(int64_t n, const float* a) noexcept {
  return sum_terms(n, [&](int64_t i, int64_t lanes, Vec sum)
                          DWS_INLINED { return sum + as_float(as_int(load_n(a + i, lanes)) & 0x7fffffff); });
}

static int64_t first_beyond(int64_t n, const float* x, float limit) noexcept {
  constexpr int64_t kPiece = 4096;
  int32_t bits;
  __builtin_memcpy(&bits, &limit, sizeof bits);
  for (int64_t i = 0; i < n; i += kPiece) {
    const int64_t count = n - i < kPiece ? n - i : kPiece;
    IVec found{};
    each(count, [&](int64_t j, int64_t lanes)
                    DWS_INLINED { found |= (as_int(load_n(x + i + j, lanes)) & 0x7fffffff) >= 0x7f800000; });
    for (int lane = 0; lane < kLanes; ++lane)
      if (found[lane] != 0)
        for (int64_t j = i;; ++j)
          if (!(__builtin_fabsf(x[j]) < limit)) return j;
  }
  return -1;
}

static void agree(int64_t n, int K, const float* const* d, const float* w, bool normalize,
                  float* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    Vec all = w[0] * load_n(d[0] + i, lanes);
    for (int k = 1; k < K; ++k) all += w[k] * load_n(d[k] + i, lanes);
    const Vec side = all >= 0.0f ? broadcast(1.0f) : broadcast(-1.0f);
    Vec sum{}, weight{};
    for (int k = 0; k < K; ++k) {
      const Vec part = w[k] * load_n(d[k] + i, lanes);
      const IVec same = part * side > 0.0f;
      sum += select(same, part, zero());
      weight += select(same, broadcast(w[k]), zero());
    }
    if (normalize) sum = select(weight != 0.0f, sum / weight, sum);
    store_n(y + i, sum, lanes);
  });
}

static void random_words(int64_t n, uint64_t seed, uint64_t stream, uint64_t first, uint32_t* y) noexcept {
  uint32_t words[4 * kBlocks];
  for (int64_t i = 0; i < n; i += 4 * kBlocks) {
    const int64_t count = n - i < 4 * kBlocks ? n - i : 4 * kBlocks;
    uint32_t* to = count == 4 * kBlocks ? y + i : words;
    philox_words(seed, stream, first / 4 + static_cast<uint64_t>(i) / 4, to);
    if (to == words) __builtin_memcpy(y + i, words, static_cast<size_t>(count) * sizeof(uint32_t));
  }
}

}  // namespace dws::kernels::DWS_ISA
