#include "merge/layout.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include "format/safetensors.h"

namespace dws::merge {
namespace {

uint64_t bytes_of(const OutputTensor& t) {
  uint64_t elements = 1;
  for (const int64_t extent : t.shape) elements *= static_cast<uint64_t>(extent);
  return elements * static_cast<uint64_t>(dtype_bits(t.dtype)) / 8;
}

// Adds a file of the plan's tensors [begin, end), which follow those before.
void add_file(const Plan& plan, size_t begin, size_t end, const std::string& name, const std::string& path,
              const Metadata& metadata, Layout& layout) {
  std::vector<TensorSource> sources;
  for (size_t i = begin; i < end; ++i)
    sources.push_back({plan.tensors[i].name, plan.tensors[i].dtype, plan.tensors[i].shape, nullptr});
  const SafetensorsHeader header = safetensors_header(path, sources, metadata);
  for (size_t i = 0; i + 1 < header.begin.size(); ++i)
    layout.tensors.push_back(
        {layout.files.size(), header.bytes.size() + header.begin[i], header.begin[i + 1] - header.begin[i]});
  layout.files.push_back({name, header.bytes, header.bytes.size() + header.begin.back()});
}

}  // namespace

Layout single_file(const Plan& plan, const std::string& path, const Metadata& metadata) {
  Layout layout;
  add_file(plan, 0, plan.tensors.size(), "", path, metadata, layout);
  return layout;
}

Layout sharded(const Plan& plan, const std::vector<std::string>& names, const std::string& index_name,
               const std::string& path, const Metadata& metadata) {
  Layout layout;
  layout.folder = true;
  uint64_t total = 0;
  std::map<std::string, std::string> map;
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    total += bytes_of(plan.tensors[i]);
    if (!map.emplace(plan.tensors[i].name, names[static_cast<size_t>(plan.file[i])]).second)
      throw Error(ErrorKind::duplicate_name,
                  text("{}: two tensors of the name '{}'", one_line(path), escaped(plan.tensors[i].name)));
  }
  for (size_t f = 0, begin = 0; f < names.size(); ++f) {
    size_t end = begin;
    while (end < plan.tensors.size() && static_cast<size_t>(plan.file[end]) == f) ++end;
    if (end == begin) continue;  // a shard of which nothing is left
    add_file(plan, begin, end, names[f], path, metadata, layout);
    begin = end;
  }
  Json::Object weights;
  for (const auto& [tensor, name] : map) weights.emplace_back(tensor, name);
  layout.extras.emplace_back(index_name, Json::object({{"metadata", Json::object({{"total_size", total}})},
                                                       {"weight_map", std::move(weights)}})
                                                 .dump(2) +
                                             "\n");
  return layout;
}

std::vector<std::string> cut_into_shards(Plan& plan, uint64_t shard_size) {
  plan.file.clear();
  int shard = 0;
  uint64_t filled = 0;
  for (const OutputTensor& tensor : plan.tensors) {
    const uint64_t bytes = bytes_of(tensor);
    if (filled > 0 && (filled >= shard_size || bytes > shard_size - filled)) {
      ++shard;
      filled = 0;
    }
    filled += bytes;
    plan.file.push_back(shard);
  }
  std::vector<std::string> names;
  for (int i = 0; i <= shard; ++i)
    names.push_back(text("model-{:05}-of-{:05}.safetensors", i + 1, shard + 1));
  return names;
}

}  // namespace dws::merge
