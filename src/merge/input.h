// One network to merge: its tensors by name, mapped, in the order of their file.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "format/checkpoint.h"
#include "format/onnx.h"

namespace dws::merge {

struct InputTensor {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<int64_t> shape;
  Bytes bytes;
};

struct InputOptions {
  ExternalData external;      // of an ONNX file
  bool follow_links = false;  // of shards
};

// A network's file, and how it is read.
struct InputFile {
  std::string path;
  InputOptions options;
};

class Input {
 public:
  // `path` is NAME.onnx, or what Checkpoint::open() reads. Of an ONNX file the initializers of the graph itself, of a type that
  // safetensors has: constants of nodes and of inner graphs are not for merging. Throws Error as those do.
  static Input open(const std::string& path, const InputOptions& options = {});
  static Input open(const InputFile& file) { return open(file.path, file.options); }

  const std::string& path() const noexcept { return path_; }
  const std::vector<InputTensor>& tensors() const noexcept { return tensors_; }
  const InputTensor* find(std::string_view name) const noexcept;
  // MappedFile::release() and prefetch() of a part of a tensor's bytes.
  void release(Bytes part) const noexcept;
  void prefetch(Bytes part) const noexcept;

  // One of the two is there.
  const std::shared_ptr<const Onnx>& onnx() const noexcept { return onnx_; }
  const std::shared_ptr<const Checkpoint>& checkpoint() const noexcept { return checkpoint_; }
  const std::vector<std::pair<std::string, std::string>>& metadata() const noexcept;
  std::vector<std::string> warnings() const;
  uint64_t file_bytes() const;  // of all its files together
  // What stands for the contents in recipes: of files of at most 64 MiB together their hash (core/hash.h), of larger ones
  // "sampled:" and the hash of their sizes, the first MiB of each (headers, names, shapes) and 64 KiB at 64 places, so that a
  // network that does not fit memory is not read twice.
  std::string fingerprint() const;

 private:
  std::vector<Bytes> files() const;

  std::string path_;
  std::shared_ptr<const Onnx> onnx_;
  std::shared_ptr<const Checkpoint> checkpoint_;
  std::vector<InputTensor> tensors_;
  std::vector<size_t> by_name_;
};

// Whether tensor x of a and tensor y of b have the same bytes; releases what it read.
bool same_bytes(const Input& a, const InputTensor& x, const Input& b, const InputTensor& y);

}  // namespace dws::merge
