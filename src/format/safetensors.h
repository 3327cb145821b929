// safetensors: own reader and writer, zero-copy, every rule of the format checked (README of
// github.com/huggingface/safetensors and the behaviour of its reference reader 0.8).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/dtype.h"
#include "core/error.h"
#include "core/file.h"
#include "tensor/tensor.h"

namespace dws {

struct TensorEntry {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<int64_t> shape;   // any rank up to 64
  uint64_t begin = 0, end = 0;  // bytes, relative to the data section
  int64_t elements() const noexcept;
  std::string shape_str() const;
};

// What the reader accepts at most. The header's own limit, 100,000,000 bytes, belongs to the format.
struct SafetensorsLimits {
  size_t tensors = 10'000'000;
  size_t rank = 64;
  size_t name_bytes = 65'536;
  int nesting = 4;  // of the header's JSON: root, entry, array, and one to spare inside unknown fields
};

// A parsed file. Entries are in the order of their offsets. The bytes are those of the mapping: not aligned.
class Safetensors {
 public:
  // Maps and checks the whole header. Throws Error with file, byte offset where known, tensor, expected and
  // actual.
  static Safetensors open(const std::string& path);
  static Safetensors open(MappedFile file);  // the same of one that is mapped already
  // The same on bytes in memory that outlive the object (tests, fuzzing); `name` stands for the file in
  // messages.
  static Safetensors parse(Bytes bytes, std::string name, const SafetensorsLimits& limits = {});

  const std::string& path() const noexcept { return path_; }
  const std::vector<TensorEntry>& tensors() const noexcept { return tensors_; }
  const TensorEntry* find(std::string_view name) const noexcept;
  const TensorEntry& at(std::string_view name) const;  // throws Error{missing_tensor}
  Bytes bytes(const TensorEntry& entry) const noexcept;
  Bytes file_bytes() const noexcept { return file_.bytes(); }  // header and all; empty for parse()
  // MappedFile::release() and prefetch() of a part of what bytes() gave.
  void release(Bytes part) const noexcept { file_.release(part); }
  void prefetch(Bytes part) const noexcept { file_.prefetch(part); }
  const std::vector<std::pair<std::string, std::string>>& metadata() const noexcept { return metadata_; }
  const std::string* meta(std::string_view key) const noexcept;
  // Unknown fields met in tensor entries, for a warning; the first hundred of them.
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }
  std::string remark() const;  // the first of them and how many more there are, one line; "" for none

  // Copies with conversion: F32, F64, F16, BF16 to float; F32, F64 to double; I64, I32, U8... to int64.
  // Throws Error{unknown_dtype} for others, Error{bad_value} for a U64 beyond int64; `out` must have
  // entry.elements() elements.
  void read(const TensorEntry& entry, std::span<float> out) const;
  void read(const TensorEntry& entry, std::span<double> out) const;
  void read(const TensorEntry& entry, std::span<int64_t> out) const;

 private:
  std::string path_;
  MappedFile file_;
  Bytes data_;
  std::vector<TensorEntry> tensors_;
  std::vector<size_t> by_name_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::vector<std::string> warnings_;
};

// One tensor to be written. `fill` streams its bytes: it is called once, in file order, and must give exactly
// the size of shape and dtype through the sink.
struct TensorSource {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<int64_t> shape;
  std::function<void(const std::function<void(const void*, size_t)>& sink)> fill;

  // From memory that outlives the write.
  static TensorSource of(std::string name, std::vector<int64_t> shape, std::span<const float> data);
  static TensorSource of(std::string name, std::vector<int64_t> shape, std::span<const double> data);
  static TensorSource of(std::string name, std::vector<int64_t> shape, std::span<const int64_t> data);
  // Bytes of any type, little-endian as in the file.
  static TensorSource raw(std::string name, Dtype dtype, std::vector<int64_t> shape, Bytes data);
};

// The start of a file that holds these tensors in this order, up to its data, and where in the data each begins (and, last, the
// data's size): for who writes the data itself. `fill` is not called. Throws as write_safetensors() does.
struct SafetensorsHeader {
  std::string bytes;
  std::vector<uint64_t> begin;
};
SafetensorsHeader safetensors_header(const std::string& path, const std::vector<TensorSource>& tensors,
                                     const std::vector<std::pair<std::string, std::string>>& metadata);

// Whole or not at all; throws Error{duplicate_name} for two tensors or metadata keys of one name,
// Error{size_mismatch} when `fill` gives another number of bytes than shape and dtype ask for. Order: dtype
// descending, then name; header padded with spaces to a multiple of 8.
void write_safetensors(const std::string& path, std::vector<TensorSource> tensors,
                       const std::vector<std::pair<std::string, std::string>>& metadata, bool force);

}  // namespace dws
