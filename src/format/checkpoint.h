// A network's tensors by name: in one safetensors file, or in many with an index. Everything is mapped, nothing is read but
// headers until somebody asks for a tensor.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/patch.h"
#include "format/safetensors.h"

namespace dws {

struct CheckpointTensor {
  const TensorEntry* entry;
  size_t file;  // number in Checkpoint::files()
};

class Checkpoint {
 public:
  // `path`: NAME.safetensors; an index NAME.safetensors.index.json with its shards beside it; or a folder that holds one
  // index, or else one safetensors file. Throws Error as Safetensors and ShardIndex do, and for shards that do not fit their
  // index: Error{missing_tensor} for a tensor that is not in its shard, Error{bad_schema} for one in a shard and not in the
  // index, Error{duplicate_name} for one in two shards or two names of one file, Error{io|not_regular_file|path_escape} for a
  // shard that is missing, no file, or a link.
  // `follow_links`: shards may be links, and have several names (MappedFile::open_inside).
  static Checkpoint open(const std::string& path, bool follow_links = false);

  const std::string& path() const noexcept { return path_; }
  bool sharded() const noexcept { return !index_path_.empty(); }
  const std::string& index_path() const noexcept { return index_path_; }  // "" where it is one file
  const std::vector<Safetensors>& files() const noexcept { return files_; }
  // All of them, file by file, in the order of their bytes.
  const std::vector<CheckpointTensor>& tensors() const noexcept { return tensors_; }
  const CheckpointTensor* find(std::string_view name) const noexcept;
  Bytes bytes(const CheckpointTensor& tensor) const noexcept {
    return files_[tensor.file].bytes(*tensor.entry);
  }
  // Of the first file; shards carry the same.
  const std::vector<std::pair<std::string, std::string>>& metadata() const noexcept {
    return files_.front().metadata();
  }
  // The folder that the checkpoint's file or shards lie in.
  std::string folder() const;
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  friend void write_checkpoint(const Checkpoint&, const std::string&, const std::vector<Patch>&, bool,
                               const std::vector<AddedTensor>&);
  void open_shards(bool follow_links);

  std::string path_, index_path_;
  std::vector<Safetensors> files_;
  std::vector<std::string> names_;  // of files_, in their folder
  std::vector<CheckpointTensor> tensors_;
  std::vector<size_t> by_name_;
  std::vector<std::string> warnings_;
};

// Whether `path` names a checkpoint by its shape: an index, or a folder that holds one.
bool is_sharded(const std::string& path);

// The checkpoint with some numbers replaced; everything else is written byte for byte as it was, into a file where it was
// one, into a new folder (with the index, and config.json if there is one) where it was sharded. Throws Error{exists},
// Error{mismatch} for numbers of another size.
// `added` stand last in the file, or in the shard of the tensor that they are like; then the index names them, and a config.json
// says that head and embedding are not tied. Throws Error{duplicate_name} where there is one of the name already.
void write_checkpoint(const Checkpoint& checkpoint, const std::string& path,
                      const std::vector<Patch>& patches, bool force,
                      const std::vector<AddedTensor>& added = {});

// Tensors as shards of at most `shard_size` bytes each (a tensor that is larger has one of its own), named as the
// transformers library names them: `folder`/model-00001-of-00003.safetensors and model.safetensors.index.json. The folder
// is new or empty, and appears whole or not at all. Tensors keep their order. Throws Error{exists}.
void write_sharded(const std::string& folder, std::vector<TensorSource> tensors,
                   const std::vector<std::pair<std::string, std::string>>& metadata, uint64_t shard_size);

}  // namespace dws
