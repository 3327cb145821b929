// Which files a merged network is written into, and where in them each tensor lies: known before anything is computed.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "merge/plan.h"

namespace dws::merge {

struct OutputFile {
  std::string name;    // in the output's folder; "" where the output is one file
  std::string header;  // its first bytes
  uint64_t size = 0;   // of all of it
};
struct TensorPlace {
  size_t file = 0;
  uint64_t offset = 0, size = 0;  // in that file
};
struct Layout {
  bool folder = false;  // files and an index, else one file
  std::vector<OutputFile> files;
  std::vector<TensorPlace> tensors;  // as in the plan
  // Small files that go along, by name: the index, and what the caller adds.
  std::vector<std::pair<std::string, std::string>> extras;
};

using Metadata = std::vector<std::pair<std::string, std::string>>;

// One file of all the plan's tensors. Throws as safetensors_header() does; `path` is for messages.
Layout single_file(const Plan& plan, const std::string& path, const Metadata& metadata);
// A folder: `names` of files, as Plan::file counts them, and their index.
Layout sharded(const Plan& plan, const std::vector<std::string>& names, const std::string& index_name,
               const std::string& path, const Metadata& metadata);

// Sets plan.file, and gives the names, for shards of at most `shard_size` bytes each (a larger tensor has one of its own), named as
// the transformers library names them.
std::vector<std::string> cut_into_shards(Plan& plan, uint64_t shard_size);

}  // namespace dws::merge
