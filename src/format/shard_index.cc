#include "format/shard_index.h"

#include <algorithm>
#include <map>

#include "core/json.h"
#include "core/text.h"
#include "format/failure.h"

namespace dws {
namespace {

using format::fail;

// Real shards' names never have a folder in them: a bare name cannot lead anywhere else.
void check_shard_name(const std::string& shard, const std::string& tensor, const std::string& file) {
  const auto refuse = [&](const char* what) {
    fail(ErrorKind::path_escape, {.file = file,
                                  .what = text("shard name '{}' {}", escaped(shard), what),
                                  .tensor = tensor,
                                  .expected = "the name of a file beside the index"});
  };
  if (shard.empty()) refuse("is empty");
  if (shard == "." || shard == "..") refuse("is a folder");
  if (shard.find_first_of("/\\") != std::string::npos) refuse("names a folder");
  if (std::ranges::any_of(shard, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    refuse("holds a control character");
}

const Json& field(const Json& json, const char* key, const std::string& file) {
  const Json* found = json.find(key);
  if (!found) fail(ErrorKind::bad_schema, {.file = file, .what = text("no field '{}' in the index", key)});
  return *found;
}

}  // namespace

ShardIndex ShardIndex::parse(Bytes bytes, const std::string& name) {
  constexpr int kNesting = 8;  // the index needs 2; metadata may hold more of the writer's own
  const Json json = Json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name, kNesting);
  if (!json.is_object())
    fail(ErrorKind::bad_schema,
         {.file = name, .what = "the index of a sharded checkpoint is no JSON object"});
  const Json& map = field(json, "weight_map", name);
  if (!map.is_object() || map.as_object().empty())
    fail(ErrorKind::bad_schema,
         {.file = name, .what = "weight_map", .expected = "an object of tensors and their files"});
  ShardIndex index;
  std::map<std::string, size_t> numbers;
  for (const auto& [tensor, shard] : map.as_object()) {
    if (!shard.is_string())
      fail(ErrorKind::bad_schema,
           {.file = name, .what = "weight_map", .tensor = tensor, .expected = "the name of a file"});
    check_shard_name(shard.as_string(), tensor, name);
    numbers.emplace(shard.as_string(), 0);
  }
  for (auto& [shard, number] : numbers) {
    number = index.shards.size();
    index.shards.push_back(shard);
  }
  for (const auto& [tensor, shard] : map.as_object())
    index.tensors.emplace_back(tensor, numbers.at(shard.as_string()));
  std::ranges::sort(index.tensors);
  if (const Json* metadata = json.find("metadata")) {
    if (!metadata->is_object())
      fail(ErrorKind::bad_schema, {.file = name, .what = "metadata of the index is no object"});
    if (const Json* total = metadata->find("total_size")) {
      if (!total->is_integer() || total->dump().starts_with('-'))
        fail(ErrorKind::bad_schema, {.file = name,
                                     .what = "metadata.total_size of the index",
                                     .expected = "a number of bytes",
                                     .got = escaped(total->dump())});
      index.total_size = total->as_u64("total_size");
    }
  }
  return index;
}

}  // namespace dws
