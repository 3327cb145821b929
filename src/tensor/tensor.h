// Owning tensor and non-owning view, contiguous and row-major.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/shape.h"

namespace dws {

// Pointer and shape; T may be const. Does not own.
template <class T>
struct View {
  T* data = nullptr;
  Shape shape;

  int64_t size() const noexcept { return shape.size(); }
  std::span<T> span() const noexcept { return {data, static_cast<size_t>(size())}; }
  operator View<const T>() const noexcept { return {data, shape}; }
};

template <class T>
class Tensor {
 public:
  Tensor() : shape_{0} {}
  explicit Tensor(Shape shape) : shape_(shape), buffer_(static_cast<size_t>(shape.size())) {}

  const Shape& shape() const noexcept { return shape_; }
  int64_t size() const noexcept { return static_cast<int64_t>(buffer_.size()); }
  T* data() noexcept { return buffer_.data(); }
  const T* data() const noexcept { return buffer_.data(); }
  View<T> view() noexcept { return {data(), shape_}; }
  View<const T> view() const noexcept { return {data(), shape_}; }
  std::span<T> span() noexcept { return buffer_.span(); }
  std::span<const T> span() const noexcept { return buffer_.span(); }
  T& operator[](int64_t i) noexcept { return buffer_[static_cast<size_t>(i)]; }
  const T& operator[](int64_t i) const noexcept { return buffer_[static_cast<size_t>(i)]; }

 private:
  Shape shape_;
  Buffer<T> buffer_;
};

}  // namespace dws
