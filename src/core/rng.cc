#include "core/rng.h"

#include <cmath>
#include <numbers>

namespace dws {
namespace {

constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;  // golden ratio, sqrt(3) - 1
constexpr int kRounds = 10;

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads every bit over the word.
uint64_t splitmix64(uint64_t x) noexcept {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

uint32_t low32(uint64_t x) noexcept {
  return static_cast<uint32_t>(x);
}
uint32_t high32(uint64_t x) noexcept {
  return static_cast<uint32_t>(x >> 32);
}

}  // namespace

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) noexcept {
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t p0 = uint64_t{kMultiplier0} * c[0];
    const uint64_t p1 = uint64_t{kMultiplier1} * c[2];
    c = {high32(p1) ^ c[1] ^ k[0], low32(p1), high32(p0) ^ c[3] ^ k[1], low32(p0)};
    k[0] += kWeyl0;
    k[1] += kWeyl1;
  }
  return c;
}

void Rng::next_block() noexcept {
  words_ =
      philox({low32(block_), high32(block_), low32(stream_), high32(stream_)}, {low32(seed_), high32(seed_)});
  ++block_;
  used_ = 0;
}

uint64_t Rng::next_u64() noexcept {
  const uint64_t low = next_u32();
  return low | (uint64_t{next_u32()} << 32);
}

float Rng::uniform_float() noexcept {
  return static_cast<float>(next_u32() >> 8) * 0x1p-24f;
}

double Rng::uniform() noexcept {
  return static_cast<double>(next_u64() >> 11) * 0x1p-53;
}

double Rng::normal() noexcept {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  // 1 - uniform() is in (0, 1]: the logarithm stays finite.
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  const double angle = 2.0 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

uint64_t Rng::below(uint64_t n) noexcept {
  // The first 2^64 mod n values are refused, so that every remainder is left equally often.
  const uint64_t refused = (0 - n) % n;
  uint64_t x = next_u64();
  while (x < refused) x = next_u64();
  return x % n;
}

uint64_t stream_id(const char* purpose, uint64_t a, uint64_t b, uint64_t c) noexcept {
  uint64_t hash = 0xCBF29CE484222325;  // FNV-1a, 64 bits
  for (; *purpose; ++purpose) hash = (hash ^ static_cast<unsigned char>(*purpose)) * 0x100000001B3;
  // In turn, not by one sum: (a, b) and (b, a) are different streams.
  return splitmix64(splitmix64(splitmix64(hash ^ splitmix64(a)) ^ splitmix64(b)) ^ splitmix64(c));
}

}  // namespace dws
