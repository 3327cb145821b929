// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011). The n-th number of a stream is a function of (seed, stream, n) alone, so results
// do not depend on threads. normal() takes its log, sine and cosine from the C library; all else is integer
// and exact arithmetic.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace dws {

// One Philox4x32-10 block.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) noexcept;

class Rng {
 public:
  // Streams of one seed are independent; name them by what they are for (see stream_id).
  explicit Rng(uint64_t seed, uint64_t stream = 0) noexcept : seed_(seed), stream_(stream) {}

  uint32_t next_u32() noexcept {
    if (used_ == 4) next_block();
    return words_[static_cast<size_t>(used_++)];
  }
  uint64_t next_u64() noexcept;
  // Uniform in [0, 1) with 24 (float) or 53 (double) random bits.
  float uniform_float() noexcept;
  double uniform() noexcept;
  double uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }
  // Standard normal: Box-Muller, both values used.
  double normal() noexcept;
  // Uniform in [0, n), n > 0, without bias (rejection).
  uint64_t below(uint64_t n) noexcept;
  // Fisher-Yates, from the end.
  template <class T>
  void shuffle(std::span<T> items) noexcept {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  void next_block() noexcept;
  uint64_t seed_;
  uint64_t stream_;
  uint64_t block_ = 0;  // counter: (block_, stream_)
  std::array<uint32_t, 4> words_{};
  int used_ = 4;
  double spare_ = 0;
  bool has_spare_ = false;
};

// A stream number for a purpose and up to three indices, e.g. stream_id("fit.init", image, view).
uint64_t stream_id(const char* purpose, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) noexcept;

}  // namespace dws
