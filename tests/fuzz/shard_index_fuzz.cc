// An index that is accepted names files of its own folder and nothing else, and every tensor's file.
#include <algorithm>

#include "format/shard_index.h"
#include "fuzz.h"

using namespace dws;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::accepted([&] {
    const ShardIndex index = ShardIndex::parse(fuzz::bytes_of(data, size), "f");
    fuzz::require(!index.tensors.empty() && !index.shards.empty(), "an index names something");
    fuzz::require(std::ranges::is_sorted(index.shards) &&
                      std::ranges::adjacent_find(index.shards) == index.shards.end(),
                  "each shard once");
    for (const std::string& shard : index.shards)
      fuzz::require(!shard.empty() && shard != "." && shard != ".." &&
                        shard.find_first_of(std::string_view("/\\\0", 3)) == shard.npos,
                    "a shard's name stays in its folder");
    for (const auto& [tensor, shard] : index.tensors)
      fuzz::require(shard < index.shards.size(), "a tensor has a file");
    const auto name = [](const auto& t) -> const std::string& { return t.first; };
    fuzz::require(std::ranges::adjacent_find(index.tensors, {}, name) == index.tensors.end(),
                  "a tensor is named once");
  });
  return 0;
}
