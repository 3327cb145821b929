#include "core/sha1.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/text.h"

namespace dws {
namespace {

class Sha1 {
 public:
  // `size` is a multiple of 64.
  void blocks(const std::byte* data, size_t size) noexcept {
    for (; size > 0; data += 64, size -= 64) block(data);
  }
  std::string digest() const {
    return text("{:08x}{:08x}{:08x}{:08x}{:08x}", state_[0], state_[1], state_[2], state_[3], state_[4]);
  }

 private:
  void block(const std::byte* data) noexcept {
    std::array<uint32_t, 80> w;
    for (size_t t = 0; t < 16; ++t)
      w[t] = std::to_integer<uint32_t>(data[4 * t]) << 24 | std::to_integer<uint32_t>(data[4 * t + 1]) << 16 |
             std::to_integer<uint32_t>(data[4 * t + 2]) << 8 | std::to_integer<uint32_t>(data[4 * t + 3]);
    for (size_t t = 16; t < 80; ++t) w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    auto [a, b, c, d, e] = state_;
    for (size_t t = 0; t < 80; ++t) {
      const uint32_t f = t < 20   ? (b & c) | (~b & d)
                         : t < 40 ? b ^ c ^ d
                         : t < 60 ? (b & c) | (b & d) | (c & d)
                                  : b ^ c ^ d;
      const uint32_t next = std::rotl(a, 5) + f + e + kConstants[t / 20] + w[t];
      e = d;
      d = c;
      c = std::rotl(b, 30);
      b = a;
      a = next;
    }
    const std::array<uint32_t, 5> add = {a, b, c, d, e};
    for (size_t i = 0; i < add.size(); ++i) state_[i] += add[i];
  }

  static constexpr std::array<uint32_t, 4> kConstants = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
  std::array<uint32_t, 5> state_ = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
};

template <class Passed>
std::string hash(Bytes bytes, Passed passed) {
  constexpr size_t kPiece = size_t{4} << 20;
  Sha1 sha;
  const size_t whole = bytes.size() / 64 * 64;
  for (size_t at = 0; at < whole; at += std::min(kPiece, whole - at)) {
    const Bytes piece = bytes.subspan(at, std::min(kPiece, whole - at));
    sha.blocks(piece.data(), piece.size());
    passed(piece);
  }
  // The rest, a one bit, zeros, and the number of bits.
  std::array<std::byte, 128> end{};
  const size_t rest = bytes.size() - whole, padded = rest < 56 ? 64 : 128;
  if (rest > 0) std::memcpy(end.data(), bytes.data() + whole, rest);
  end[rest] = std::byte{0x80};
  const uint64_t bits = uint64_t{bytes.size()} * 8;
  for (size_t i = 0; i < 8; ++i) end[padded - 1 - i] = static_cast<std::byte>(bits >> (8 * i) & 0xff);
  sha.blocks(end.data(), padded);
  return sha.digest();
}

}  // namespace

std::string sha1(Bytes bytes) {
  return hash(bytes, [](Bytes) {});
}
std::string sha1(const MappedFile& file) {
  return hash(file.bytes(), [&](Bytes piece) { file.release(piece); });
}

}  // namespace dws
