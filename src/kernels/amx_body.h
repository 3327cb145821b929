// The Unit of bf16_body.h that multiplies on AMX's tiles. A file of its own, so that a test can run it on registers it
// made itself, where the processor has none.
#pragma once

#include "kernels/bf16_body.h"

namespace dws::kernels::DWS_ISA {

// As EmulatedUnit of bf16_body.h. The eight tile registers: 0 to 3 the product's, 4 and 5 of a, 6 and 7 of b. They are configured
// for one kernel call and given back, so that a switch of threads has nothing to save in between.
class AmxUnit {
 public:
  AmxUnit() {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t bytes[16] = {};
      uint8_t rows[16] = {};
    } config;
    for (int tile = 0; tile < 8; ++tile) config.bytes[tile] = 4 * kSide, config.rows[tile] = kSide;
    is_read(&config);
    _tile_loadconfig(&config);
  }
  AmxUnit(const AmxUnit&) = delete;
  AmxUnit& operator=(const AmxUnit&) = delete;
  ~AmxUnit() { _tile_release(); }

  void product(int down, int across, int64_t depth, const int32_t* a, const int32_t* b, float* c,
               int64_t ldc) {
    constexpr int kLine = 4 * kSide;  // bytes
    const int64_t line = 4 * ldc;
    const int32_t* second = a + depth * kTileWords;
    is_read(a);
    is_read(b);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t k = 0; k < depth; ++k, a += kTileWords, second += kTileWords, b += 2 * kTileWords) {
      _tile_loadd(4, a, kLine);
      _tile_loadd(6, b, kLine);
      _tile_dpbf16ps(0, 4, 6);
      if (across == 2) {
        _tile_loadd(7, b + kTileWords, kLine);
        _tile_dpbf16ps(1, 4, 7);
      }
      if (down == 1) continue;
      _tile_loadd(5, second, kLine);
      _tile_dpbf16ps(2, 5, 6);
      if (across == 2) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, line);
    if (across == 2) _tile_stored(1, c + kSide, line);
    if (down == 1) return;
    _tile_stored(2, c + kSide * ldc, line);
    if (across == 2) _tile_stored(3, c + kSide * ldc + kSide, line);
  }

 private:
  // GCC 12's tile instructions do not say what memory they read: it must be written before.
  static void is_read(const void* p) { __asm__ volatile("" : : "r"(p) : "memory"); }
};

}  // namespace dws::kernels::DWS_ISA
