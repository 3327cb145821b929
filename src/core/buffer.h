// An aligned, owning array of trivially copyable elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace dws {

inline constexpr size_t kAlignment = 64;  // one cache line, one 512-bit vector

// Buffer<T>(n): n zeroed elements at a 64-byte boundary.
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Buffer() = default;
  explicit Buffer(size_t count)
      : size_(count),
        data_(count ? static_cast<T*>(::operator new (bytes(count), std::align_val_t{kAlignment}))
                    : nullptr) {
    if (count) std::memset(static_cast<void*>(data_), 0, count * sizeof(T));
  }
  Buffer(const Buffer& other) : Buffer(other.size_) {
    if (size_) std::memcpy(static_cast<void*>(data_), other.data_, size_ * sizeof(T));
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() {
    if (data_) ::operator delete (static_cast<void*>(data_), std::align_val_t{kAlignment});
  }

  void swap(Buffer& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(data_, other.data_);
  }
  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  T& operator[](size_t i) noexcept { return data_[i]; }
  const T& operator[](size_t i) const noexcept { return data_[i]; }
  T* begin() noexcept { return data_; }
  T* end() noexcept { return data_ + size_; }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size_; }
  std::span<T> span() noexcept { return {data_, size_}; }
  std::span<const T> span() const noexcept { return {data_, size_}; }

 private:
  static size_t bytes(size_t count) {
    if (count > SIZE_MAX / sizeof(T)) throw std::bad_array_new_length();
    return count * sizeof(T);
  }

  size_t size_ = 0;
  T* data_ = nullptr;
};

}  // namespace dws
