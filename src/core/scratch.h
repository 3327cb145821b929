// Room on disk for numbers that are too many for memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace dws {

// `size` bytes of zeros in a nameless file in the folder of `beside`, mapped for reading and writing, aligned to a
// page. The system writes them out when it needs the memory; nothing is left when the process ends, however it
// ends. The room is taken at once, so that a full disk is an error here and no signal later. Throws Error{io}.
class ScratchFile {
 public:
  ScratchFile(const std::string& beside, size_t size);
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile();

  std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  std::span<float> floats() const noexcept {
    return {reinterpret_cast<float*>(data_), size_ / sizeof(float)};
  }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace dws
