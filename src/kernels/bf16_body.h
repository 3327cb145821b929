// Products of numbers rounded to bfloat16, with sums in float32, for one instruction set. Factors are packed into
// tiles, the shape that AMX multiplies; a Unit does that: the processor's, or the emulated one below.
//
// A tile is 16 rows of 64 bytes. Of the left factor a (M, K) it holds 16 rows and 32 columns; of the right one
// (K, N) 16 pairs of rows, interleaved, and 16 columns; of the product 16 rows and columns of float32.
#pragma once

#include "kernels/matmul_body.h"

namespace dws::kernels::DWS_ISA {

inline constexpr int kSide = 16;  // of a tile, in units of 4 bytes
inline constexpr int kTileWords = kSide * kSide;
inline constexpr int64_t kDepth = 4 * 2 * kSide;   // of k, packed at once
inline constexpr int64_t kPackedRows = 8 * kSide;  // of a, packed at once
inline constexpr int kStage = 2 * kSide;           // rows and columns of c computed at once

typedef uint32_t UVec __attribute__((vector_size(4 * DWS_LANES)));
typedef uint16_t Halves __attribute__((vector_size(2 * DWS_LANES)));
typedef uint16_t HalvesU __attribute__((vector_size(2 * DWS_LANES), aligned(2), may_alias));

// bfloat16 in the upper half of each lane: the nearest, of two the even one; a NaN stays one.
DWS_INLINE UVec to_bf16(Vec v) {
  const UVec bits = reinterpret_cast<UVec>(v);
  const UVec rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return v == v ? rounded : bits | 0x400000u;
}
DWS_INLINE void store_bf16(uint16_t* p, Vec v) {
#ifdef __AVX512BF16__
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(p),
                      reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(reinterpret_cast<__m512>(v))));
#else
  *reinterpret_cast<HalvesU*>(p) = __builtin_convertvector(to_bf16(v) >> 16, Halves);
#endif
}
// Pairs: `even` in the lower halves, `odd` in the upper ones.
DWS_INLINE IVec bf16_pairs(Vec even, Vec odd) {
#ifdef __AVX512BF16__
  const __m512i both = reinterpret_cast<__m512i>(
      _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(odd), reinterpret_cast<__m512>(even)));
  const __m512i order = reinterpret_cast<__m512i>(iota() * 0x10001 + 0x100000);
  return reinterpret_cast<IVec>(_mm512_permutexvar_epi16(order, both));
#else
  return reinterpret_cast<IVec>(to_bf16(even) >> 16 | (to_bf16(odd) & 0xffff0000u));
#endif
}

DWS_INLINE int64_t tiles(int64_t n, int64_t side) {
  return (n + side - 1) / side;
}

// a (M, K), rows a_ld apart, into tiles [M / 16][K / 32]; zeros where a ends.
static void pack_rows(int64_t M, int64_t K, const float* a, int64_t a_ld, int32_t* packed) {
  const int64_t across = tiles(K, 2 * kSide);
  for (int64_t m = 0; m < tiles(M, kSide) * kSide; ++m, a += a_ld) {
    uint16_t* to = reinterpret_cast<uint16_t*>(packed + m / kSide * across * kTileWords + m % kSide * kSide);
    for (int64_t tile = 0; tile < across; ++tile, to += 2 * kTileWords)
      for (int64_t j = 0; j < 2 * kSide; j += kLanes) {
        const int64_t k = tile * 2 * kSide + j;
        store_bf16(to + j, m < M && k < K ? load_n(a + k, K - k) : zero());
      }
  }
}

// One tile of pairs of rows of b (K, N), rows ldb apart: rows from 0, columns from 0; zeros where b ends.
DWS_INLINE void pack_pairs(int64_t K, int64_t N, const float* b, int64_t ldb, int32_t* tile) {
  for (int64_t k = 0; k < 2 * kSide; k += 2, tile += kSide, b += 2 * ldb)
    for (int64_t n = 0; n < kSide; n += kLanes) {
      const bool within = n < N;
      const Vec even = within && k < K ? load_n(b + n, N - n) : zero(),
                odd = within && k + 1 < K ? load_n(b + ldb + n, N - n) : zero();
      store_int(tile + n, bf16_pairs(even, odd));
    }
}

// The same tiles as pack_rows() of a (M, K) that lies turned, (K, M) with rows a_ld apart.
static void pack_turned(int64_t M, int64_t K, const float* a, int64_t a_ld, int32_t* packed) {
  alignas(64) int32_t pairs[kTileWords];
  for (int64_t m = 0; m < M; m += kSide)
    for (int64_t k = 0; k < K; k += 2 * kSide, packed += kTileWords) {
      pack_pairs(K - k, M - m, a + k * a_ld + m, a_ld, pairs);
      transpose(kSide, kSide, reinterpret_cast<const float*>(pairs), reinterpret_cast<float*>(packed));
    }
}

// What any processor can do: the same products, exact in float32, summed in float32.
struct EmulatedUnit {
  // c (16 down, 16 across), rows ldc apart, = a b: `down` and `across` are 1 or 2; a [down][depth] and b
  // [depth][2] tiles.
  void product(int down, int across, int64_t depth, const int32_t* a, const int32_t* b, float* c,
               int64_t ldc) {
    constexpr int kParts = kSide / kLanes, kRows = 4;
    for (int i = 0; i < down * kSide; i += kRows)
      for (int n = 0; n < across; ++n) {
        Vec acc[kRows][kParts] = {};
        for (int64_t pair = 0; pair < depth * kSide; ++pair) {
          const int32_t* line = b + (pair / kSide * 2 + n) * kTileWords + pair % kSide * kSide;
          const int32_t* word =
              a + (i / kSide * depth + pair / kSide) * kTileWords + i % kSide * kSide + pair % kSide;
#pragma GCC unroll 4
          for (int r = 0; r < kRows; ++r) {
            const IVec factors = broadcast_int(word[r * kSide]);
#pragma GCC unroll 4
            for (int part = 0; part < kParts; ++part) {
              const IVec both = load_int(line + part * kLanes);
              acc[r][part] = fma(low_half(factors), low_half(both), acc[r][part]);
              acc[r][part] = fma(high_half(factors), high_half(both), acc[r][part]);
            }
          }
        }
        for (int r = 0; r < kRows; ++r)
          for (int part = 0; part < kParts; ++part)
            store(c + (i + r) * ldc + n * kSide + part * kLanes, acc[r][part]);
      }
  }

 private:
  static Vec low_half(IVec pairs) {
    return as_float(pairs << 16);
  }
  static Vec high_half(IVec pairs) {
    return as_float(pairs & static_cast<int32_t>(0xffff0000u));
  }
};

// From the stage to c (rows, cols) at row m of the product: onto what is there, or where the sums start.
DWS_INLINE void unload_stage(const Product& p, int64_t m, int64_t rows, int64_t cols, const float* stage,
                             bool accumulate) {
  const float* ahead = p.next + m * cols;
  for (int64_t i = 0; i < rows; ++i, stage += kStage, ahead += cols) {
    float* c = p.c + (m + i) * p.ldc;
    const float* row = p.row ? p.row + (m + i) / p.period * p.row_ld : nullptr;
    const float* col = row && p.col ? p.col + (m + i) % p.period * p.col_ld : nullptr;
    if (ahead < p.next_end) __builtin_prefetch(ahead, 0, 2);
    each(cols, [&](int64_t n, int64_t lanes) DWS_INLINED {
      Vec value = load(stage + n);
      if (row) value += load_n(row + n, lanes);
      if (col) value += load_n(col + n, lanes);
      put_n(c + n, value, lanes, accumulate);
    });
  }
}

// multiply() of matmul_body.h on rounded factors.
template <class Unit>
static void multiply_bf16(Unit& unit, int64_t M, int64_t N, int64_t K, const Product& whole,
                          bool accumulate) {
  alignas(64) int32_t a[kPackedRows / kSide * (kDepth / (2 * kSide)) * kTileWords];
  alignas(64) int32_t b[kDepth / (2 * kSide) * 2 * kTileWords];
  alignas(64) float stage[kStage * kStage];
  for (int64_t m = 0; m < M; m += kPackedRows) {
    const int64_t rows = M - m < kPackedRows ? M - m : kPackedRows;
    for (int64_t k = 0; k < K; k += kDepth) {
      const int64_t depth = K - k < kDepth ? K - k : kDepth, deep = tiles(depth, 2 * kSide);
      if (whole.turned)
        pack_turned(rows, depth, whole.a + k * whole.a_ld + m, whole.a_ld, a);
      else
        pack_rows(rows, depth, whole.a + m * whole.a_ld + k, whole.a_ld, a);
      for (int64_t n = 0; n < N; n += kStage) {
        const int64_t cols = N - n < kStage ? N - n : kStage;
        const int across = cols > kSide ? 2 : 1;
        for (int64_t i = 0; i < deep; ++i)
          for (int j = 0; j < across; ++j)
            pack_pairs(depth - i * 2 * kSide, cols - j * kSide,
                       whole.b + (k + i * 2 * kSide) * whole.ldb + n + j * kSide, whole.ldb,
                       b + (2 * i + j) * kTileWords);
        Product p = whole;
        p.c += n;
        if (k > 0) p.row = nullptr;
        if (p.row) p.row += n;
        if (p.col) p.col += n;
        const bool add = accumulate || k > 0;
        for (int64_t i = 0; i < rows; i += kStage) {
          const int64_t left = rows - i < kStage ? rows - i : kStage;
          const int down = left > kSide ? 2 : 1;
          const int32_t* packed = a + i / kSide * deep * kTileWords;
          if (left == down * kSide && cols == across * kSide && !p.row &&
              !add) {  // whole tiles, and nothing to add
            unit.product(down, across, deep, packed, b, p.c + (m + i) * p.ldc, p.ldc);
            continue;
          }
          unit.product(down, across, deep, packed, b, stage, kStage);
          unload_stage(p, m + i, left, cols, stage, add);
        }
      }
    }
  }
}

}  // namespace dws::kernels::DWS_ISA
