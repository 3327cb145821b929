// The products in bfloat16 by the instructions made for them, beside AVX-512; flags stand in src/CMakeLists.txt.
#if defined(__x86_64__)
#define DWS_ISA avx512_bf16
#define DWS_LANES 16
#include "kernels/amx_body.h"
#include "kernels/bf16_kernels_body.h"
#include "kernels/table_fields.h"

namespace dws::kernels {
namespace avx512_bf16 {

// As EmulatedUnit, with AVX512-BF16: an instruction multiplies pairs of 16 columns.
struct VectorUnit {
  void product(int down, int across, int64_t depth, const int32_t* a, const int32_t* b, float* c,
               int64_t ldc) {
    if (across == 2)
      columns<2>(down, depth, a, b, c, ldc);
    else
      columns<1>(down, depth, a, b, c, ldc);
  }

 private:
  template <int Across>
  static void columns(int down, int64_t depth, const int32_t* a, const int32_t* b, float* c, int64_t ldc) {
    constexpr int kRows = 8;
    for (int i = 0; i < down * kSide; i += kRows) {
      __m512 acc[kRows][Across] = {};
      const int32_t* word = a + i / kSide * depth * kTileWords + i % kSide * kSide;
      const int32_t* line = b;
      for (int64_t tile = 0; tile < depth; ++tile, word += kTileWords - kSide, line += kTileWords)
        for (int pair = 0; pair < kSide; ++pair, ++word, line += kSide) {
#pragma GCC unroll 8
          for (int r = 0; r < kRows; ++r) {
            const auto factors = reinterpret_cast<__m512bh>(_mm512_set1_epi32(word[r * kSide]));
#pragma GCC unroll 2
            for (int n = 0; n < Across; ++n)
              acc[r][n] = _mm512_dpbf16_ps(
                  acc[r][n], factors, reinterpret_cast<__m512bh>(_mm512_loadu_si512(line + n * kTileWords)));
          }
        }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
        for (int n = 0; n < Across; ++n) _mm512_storeu_ps(c + (i + r) * ldc + n * kSide, acc[r][n]);
    }
  }
};

}  // namespace avx512_bf16

const Bf16Kernels& avx512_bf16_kernels() noexcept {
  return avx512_bf16::kBf16Kernels<avx512_bf16::VectorUnit>;
}
const Bf16Kernels& amx_kernels() noexcept {
  return avx512_bf16::kBf16Kernels<avx512_bf16::AmxUnit>;
}

}  // namespace dws::kernels
#endif
