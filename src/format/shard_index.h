// The index of a sharded checkpoint, NAME.safetensors.index.json: which tensor is in which file. There is no
// specification; what is written by the transformers library is read, and nothing that could lead out of its folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/file.h"

namespace dws {

struct ShardIndex {
  std::vector<std::string> shards;                      // names of files beside the index, sorted, each once
  std::vector<std::pair<std::string, size_t>> tensors;  // name and number in `shards`, sorted by name
  std::optional<uint64_t> total_size;                   // bytes of all tensors, as metadata.total_size says

  // Throws Error{bad_json|bad_schema|duplicate_name|path_escape} with `name` (a file) in front: no object; weight_map
  // missing, empty or not from strings to strings; a tensor named twice; a shard's name that is empty, "." or "..", or holds
  // '/', '\\' or a control character; total_size that is no unsigned integer.
  static ShardIndex parse(Bytes bytes, const std::string& name);
};

}  // namespace dws
