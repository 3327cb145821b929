// AmxUnit on tile registers in memory, which do what the manual says of the instructions (Intel Architecture Instruction
// Set Extensions Programming Reference, chapter 3), so that its use of them is proved where no processor has them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "harness.h"

namespace {

struct TileRegisters {
  bool configured = false;
  uint16_t bytes[16] = {};
  uint8_t rows[16] = {};
  uint8_t data[8][16][64] = {};

  void load_config(const void* memory) {
    uint8_t config[64];
    std::memcpy(config, memory, sizeof config);
    EXPECT_EQ(config[0], 1) << "palette";
    for (int i = 1; i < 16; ++i) EXPECT_EQ(config[i], 0) << "reserved byte " << i;
    std::memcpy(bytes, config + 16, sizeof bytes);
    std::memcpy(rows, config + 48, sizeof rows);
    for (int t = 0; t < 16; ++t) {
      EXPECT_LE(bytes[t], t < 8 ? 64 : 0);
      EXPECT_LE(rows[t], t < 8 ? 16 : 0);
    }
    EXPECT_FALSE(configured) << "configured twice";
    configured = true;
    std::memset(data, 0, sizeof data);
  }
  void release() { configured = false; }
  void zero(int t) {
    EXPECT_TRUE(configured);
    std::memset(data[t], 0, sizeof data[t]);
  }
  void load(int t, const void* memory, int64_t stride) {
    EXPECT_TRUE(configured);
    zero(t);
    for (int r = 0; r < rows[t]; ++r)
      std::memcpy(data[t][r], static_cast<const uint8_t*>(memory) + r * stride, bytes[t]);
  }
  void store(int t, void* memory, int64_t stride) {
    EXPECT_TRUE(configured);
    for (int r = 0; r < rows[t]; ++r)
      std::memcpy(static_cast<uint8_t*>(memory) + r * stride, data[t][r], bytes[t]);
  }
  static float number(const uint8_t* half) {
    const uint8_t word[4] = {0, 0, half[0], half[1]};
    float value = 0;
    std::memcpy(&value, word, 4);
    return value;
  }
  void multiply(int c, int a, int b) {
    EXPECT_TRUE(configured);
    EXPECT_EQ(bytes[a], rows[b] * 4);
    EXPECT_EQ(bytes[c], bytes[b]);
    EXPECT_EQ(rows[c], rows[a]);
    for (int m = 0; m < rows[c]; ++m)
      for (int k = 0; k < bytes[a] / 4; ++k)
        for (int n = 0; n < bytes[c] / 4; ++n) {
          float sum = 0;
          std::memcpy(&sum, data[c][m] + 4 * n, 4);
          for (int half = 0; half < 4; half += 2)
            sum += number(data[a][m] + 4 * k + half) * number(data[b][k] + 4 * n + half);
          std::memcpy(data[c][m] + 4 * n, &sum, 4);
        }
  }
};
TileRegisters registers;

}  // namespace

// What <immintrin.h> declares where the compiler may use AMX.
#define _tile_loadconfig(p) registers.load_config(p)
#define _tile_release() registers.release()
#define _tile_zero(t) registers.zero(t)
#define _tile_loadd(t, p, stride) registers.load(t, p, stride)
#define _tile_stored(t, p, stride) registers.store(t, p, stride)
#define _tile_dpbf16ps(c, a, b) registers.multiply(c, a, b)

#define DWS_ISA amx_test
#define DWS_LANES 4
#pragma GCC diagnostic ignored "-Wunused-function"
#include "kernels/amx_body.h"

namespace dws::kernels {
namespace {

TEST(Amx, MultipliesOnTiles) {
  for (int64_t M : {8, 16, 17, 32, 50, 130})
    for (int64_t N : {8, 16, 31, 32, 33, 48})
      for (int64_t K : {16, 32, 50, 130, 300})
        for (bool turned : {false, true})
          for (bool accumulate : {false, true}) {
            // Of few bits: products and sums are exact.
            const auto draw = [](int64_t n, uint64_t seed) {
              std::vector<float> values;
              for (double v : random_values(n, seed)) values.push_back(static_cast<float>(std::round(v * 8)));
              return values;
            };
            const std::vector<float> a = draw(M * K, 1), b = draw(K * N, 2), before = draw(M * N, 3);
            std::vector<float> c = before;
            {
              amx_test::AmxUnit unit;
              amx_test::multiply_bf16(
                  unit, M, N, K,
                  amx_test::product_of(a.data(), turned ? 1 : K, turned ? M : 1, b.data(), N, c.data(), N),
                  accumulate);
            }
            EXPECT_FALSE(registers.configured) << "left configured";
            for (int64_t m = 0; m < M; ++m)
              for (int64_t n = 0; n < N; ++n) {
                const auto at = static_cast<size_t>(m * N + n);
                float want = accumulate ? before[at] : 0;
                for (int64_t k = 0; k < K; ++k)
                  want += a[static_cast<size_t>(turned ? k * M + m : m * K + k)] *
                          b[static_cast<size_t>(k * N + n)];
                ASSERT_EQ(c[at], want)
                    << M << " " << N << " " << K << " " << turned << accumulate << " at " << m << " " << n;
              }
          }
}

}  // namespace
}  // namespace dws::kernels
