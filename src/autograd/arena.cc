#include "autograd/arena.h"

#include <algorithm>
#include <bit>

namespace dws {
namespace {

constexpr size_t kFirstChunk = size_t{1} << 20, kLargestChunk = size_t{1} << 26;

// Multiples of 64 bytes up to 512, then eight sizes a power of two: a block given back also serves requests
// up to an eighth smaller, and every block starts on a cache line.
size_t size_class(size_t bytes) noexcept {
  const size_t step = std::max(kAlignment, std::bit_floor(std::max<size_t>(bytes, 2) - 1) / 8);
  return std::max(step, (bytes + step - 1) / step * step);
}

}  // namespace

void* Arena::take_bytes(size_t bytes) {
  bytes = size_class(bytes);
  if (auto it = free_.find(bytes); it != free_.end() && !it->second.empty()) {
    void* memory = it->second.back();
    it->second.pop_back();
    return memory;
  }
  for (; chunk_ < chunks_.size() && chunks_[chunk_].size() - used_ < bytes; ++chunk_) used_ = 0;
  if (chunk_ == chunks_.size()) {
    used_ = 0;
    chunks_.emplace_back(std::max(bytes, std::clamp(capacity(), kFirstChunk, kLargestChunk)));
  }
  void* memory = chunks_[chunk_].data() + used_;
  used_ += bytes;
  return memory;
}

void Arena::give_back(void* memory, size_t bytes) {
  free_[size_class(bytes)].push_back(memory);
}

void Arena::reset() noexcept {
  for (size_t i = destructors_.size(); i-- > 0;) destructors_[i].run(destructors_[i].object);
  destructors_.clear();
  for (auto& [size, blocks] : free_) blocks.clear();
  chunk_ = used_ = 0;
}

size_t Arena::capacity() const noexcept {
  size_t bytes = 0;
  for (const auto& chunk : chunks_) bytes += chunk.size();
  return bytes;
}

}  // namespace dws
