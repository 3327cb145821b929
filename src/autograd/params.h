// The trainable numbers of a model: one flat array, a named shape for each piece of it. Optimiser, gradient
// sums, clipping, averages and checkpoints work on the flat array.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace dws {

struct ParamInfo {
  std::string name;  // "layers.0.matrix.0.weight"
  Shape shape;
  int64_t offset = 0;  // into the flat arrays
  bool decay = true;   // weight decay applies (weights yes; biases, norms, scales no)
};

// T is float or double. Pieces are added first, then freeze() allocates the values (zero).
template <class T>
class ParamSet {
 public:
  // Index of the new piece. Throws Error{internal} after freeze(), Error{duplicate_name}.
  int add(std::string name, Shape shape, bool decay);
  // State that is not trained but belongs to the model (running means of BatchNorm); saved with it.
  int add_buffer(std::string name, Shape shape, T initial);
  void freeze();

  int count() const noexcept { return static_cast<int>(params_.size()); }
  const ParamInfo& info(int index) const { return params_.at(static_cast<size_t>(index)); }
  int find(std::string_view name) const noexcept;  // -1 when absent
  int64_t size() const noexcept { return size_; }  // numbers in all
  View<T> values() noexcept { return {values_.data(), Shape{size_}}; }
  View<const T> values() const noexcept { return {values_.data(), Shape{size_}}; }
  View<T> value(int index);
  View<const T> value(int index) const;

  // Buffers are flat as well, in the order added.
  int buffer_count() const noexcept { return static_cast<int>(buffers_.size()); }
  const ParamInfo& buffer_info(int index) const { return buffers_.at(static_cast<size_t>(index)); }
  int64_t buffer_size() const noexcept { return buffer_size_; }
  View<T> buffer_values() noexcept { return {buffer_values_.data(), Shape{buffer_size_}}; }
  View<const T> buffer_values() const noexcept { return {buffer_values_.data(), Shape{buffer_size_}}; }
  View<T> buffer(int index);
  View<const T> buffer(int index) const;

 private:
  std::vector<ParamInfo> params_;
  Buffer<T> values_;
  int64_t size_ = 0;
  bool frozen_ = false;
  std::vector<ParamInfo> buffers_;
  std::vector<T> buffer_initial_;
  Buffer<T> buffer_values_;
  int64_t buffer_size_ = 0;
};

extern template class ParamSet<float>;
extern template class ParamSet<double>;

}  // namespace dws
