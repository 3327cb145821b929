// How two files of numbers differ, tensor by tensor, at the speed of memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/file.h"

namespace dws {

// What is read of a file of tensors; bytes are mapped, little-endian.
struct DiffTensor {
  std::string name, type;        // of the type for a person
  std::optional<Dtype> dtype{};  // empty: its numbers cannot be read, only compared as bytes
  std::vector<int64_t> shape{};
  Bytes bytes{};
  int64_t elements() const noexcept;
};
struct DiffFile {
  std::string path;
  std::vector<DiffTensor> tensors;                    // in the order of the file
  std::function<void(Bytes)> release = [](Bytes) {};  // lets go of pages that were read
  std::shared_ptr<const void> owner;
};
// A safetensors file (zoos too), a sharded checkpoint, or an ONNX file's initializers. Throws Error as their readers do.
DiffFile open_for_diff(const std::string& path, const std::string& external_root = {},
                       bool follow_links = false);

// Sums over pairs of numbers, in double.
struct DiffSums {
  int64_t count = 0, equal = 0;
  double sum_a = 0, sum_b = 0, square_a = 0, square_b = 0, product = 0, square_difference = 0;
  double largest = 0;       // |a - b|; no number where one of them is none and they differ
  int64_t largest_at = -1;  // its index
  void add(const DiffSums& other) noexcept;

  double l2() const noexcept;
  double relative() const noexcept;     // l2 / |a|; 0 / 0 is 0
  double cosine() const noexcept;       // of two zero vectors 1
  double sigma_ratio() const noexcept;  // standard deviation of b by that of a
  double share_equal() const noexcept;
};

enum class DiffKind { compared, missing_in_a, missing_in_b, other_shape, other_type };
struct DiffRow {
  std::string name;
  DiffKind kind = DiffKind::compared;
  const DiffTensor *a = nullptr, *b = nullptr;
  DiffSums sums{};
  bool equal() const noexcept { return kind == DiffKind::compared && sums.equal == sums.count; }
};
// In the order of A, then what only B has. Tensors of different types are compared as numbers where both can be read. A
// number equals another of the same value, and NaN equals NaN. Pages are let go of. The same bits on any number of threads.
std::vector<DiffRow> diff(const DiffFile& a, const DiffFile& b);

}  // namespace dws
