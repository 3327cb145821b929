#include <algorithm>
#include <filesystem>
#include <map>

#include "core/atomic_folder.h"
#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include "format/checkpoint.h"
#include "format/failure.h"
#include "format/shape_text.h"

namespace dws {
namespace {

namespace fs = std::filesystem;

uint64_t bytes_of(const TensorSource& tensor, const std::string& path) {
  const std::optional<uint64_t> bits = format::checked_bits(tensor.shape, tensor.dtype);
  if (!bits)
    format::fail(ErrorKind::shape_overflow,
                 {.file = path, .what = "a shape that does not fit 64 bits", .tensor = tensor.name});
  return (*bits + 7) / 8;
}

}  // namespace

void write_checkpoint(const Checkpoint& checkpoint, const std::string& path,
                      const std::vector<Patch>& patches, bool force) {
  std::vector<format::Patches> by_file(checkpoint.files().size());
  for (const Patch& patch : patches) {
    const auto file = std::ranges::find_if(
        checkpoint.files(), [&](const Safetensors& f) { return format::inside(patch.old, f.file_bytes()); });
    if (file == checkpoint.files().end())
      throw Error(ErrorKind::internal,
                  text("{}: numbers that it does not hold", one_line(checkpoint.path())));
    by_file[static_cast<size_t>(file - checkpoint.files().begin())].push_back(&patch);
  }
  const auto write = [](Bytes from, format::Patches changed, const std::string& name, const std::string& to,
                        bool over) {
    format::put_in_order(changed, name);
    AtomicFile out(to, over);
    format::write_patched(out, from, changed, name);
    out.commit();
  };
  if (!checkpoint.sharded()) {
    const Safetensors& file = checkpoint.files().front();
    return write(file.file_bytes(), by_file.front(), file.path(), path, force);
  }
  AtomicFolder folder(path);
  for (size_t f = 0; f < by_file.size(); ++f)
    write(checkpoint.files()[f].file_bytes(), by_file[f], checkpoint.names_[f],
          folder.file(checkpoint.names_[f]), false);
  const auto copy = [&](const std::string& from) {
    const MappedFile file(from);
    write(file.bytes(), {}, from, folder.file(fs::path(from).filename().string()), false);
  };
  copy(checkpoint.index_path_);
  const std::string config = (fs::path(checkpoint.folder()) / "config.json").string();
  if (std::error_code none; fs::is_regular_file(config, none))
    copy(config);  // says what the tensors' shapes do not
  folder.commit();
}

void write_sharded(const std::string& path, std::vector<TensorSource> tensors,
                   const std::vector<std::pair<std::string, std::string>>& metadata, uint64_t shard_size) {
  std::vector<std::vector<TensorSource>> shards(1);
  uint64_t total = 0, filled = 0;
  for (TensorSource& tensor : tensors) {
    const uint64_t bytes = bytes_of(tensor, path);
    if (!shards.back().empty() && (filled >= shard_size || bytes > shard_size - filled)) {
      shards.emplace_back();
      filled = 0;
    }
    filled += bytes;
    total += bytes;
    shards.back().push_back(std::move(tensor));
  }
  AtomicFolder folder(path);
  std::map<std::string, std::string> names;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = text("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    for (const TensorSource& tensor : shards[i])
      if (!names.emplace(tensor.name, name).second)
        format::fail(ErrorKind::duplicate_name,
                     {.file = path, .what = "two tensors of one name", .tensor = tensor.name});
    write_safetensors(folder.file(name), std::move(shards[i]), metadata, false);
  }
  Json::Object map;
  for (const auto& [tensor, name] : names) map.emplace_back(tensor, name);
  write_text(
      folder.file("model.safetensors.index.json"),
      Json::object({{"metadata", Json::object({{"total_size", total}})}, {"weight_map", std::move(map)}})
              .dump(2) +
          "\n",
      false);
  folder.commit();
}

}  // namespace dws
