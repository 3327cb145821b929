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

// The start of a file, up to its data, with more entries; all that stands in it stays as it is.
struct Longer {
  std::string start;
  size_t before = 0;                            // bytes of the start that the file has
  std::vector<std::vector<std::byte>> numbers;  // that stand behind its data
};
Longer with_entries(const Safetensors& file, const std::vector<const AddedTensor*>& added) {
  const Bytes bytes = file.file_bytes();
  uint64_t length = 0;
  for (int i = 8; i-- > 0;) length = length << 8 | static_cast<uint64_t>(bytes[static_cast<size_t>(i)]);
  std::string header(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  header.erase(header.find_last_of('}'));
  uint64_t end = bytes.size() - 8 - length;
  Longer longer{.start = {}, .before = 8 + length, .numbers = {}};
  for (const AddedTensor* tensor : added) {
    const TensorEntry* like = nullptr;
    for (const TensorEntry& entry : file.tensors())
      if (file.bytes(entry).data() == tensor->like.data()) like = &entry;
    if (!like) throw Error(ErrorKind::internal, text("{}: no tensor to be like", one_line(file.path())));
    if (file.find(tensor->name))
      format::fail(ErrorKind::duplicate_name,
                   {.file = file.path(), .what = "two tensors of one name", .tensor = tensor->name});
    longer.numbers.push_back(tensor->numbers());
    if (longer.numbers.back().size() != tensor->like.size())
      throw Error(ErrorKind::mismatch, text("{}: {} bytes for a tensor of {}", one_line(file.path()),
                                            longer.numbers.back().size(), tensor->like.size()));
    Json::Array shape(like->shape.begin(), like->shape.end());
    const Json entry = Json::object({{"dtype", dtype_name(like->dtype)},
                                     {"shape", std::move(shape)},
                                     {"data_offsets", Json::array({end, end + tensor->like.size()})}});
    header += text(",{}:{}", Json(tensor->name).dump(), entry.dump());
    end += tensor->like.size();
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  for (uint64_t i = 0, n = header.size(); i < 8; ++i, n >>= 8) longer.start += static_cast<char>(n & 0xff);
  longer.start += header;
  return longer;
}

Json read_json(const std::string& path) {
  const MappedFile file(path);
  const Bytes bytes = file.bytes();
  return Json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}
// The index with the new tensors in it.
Json longer_index(const std::string& path, const std::map<std::string, std::string>& added, uint64_t bytes) {
  Json index = read_json(path);
  Json map = index.at("weight_map");
  for (const auto& [tensor, file] : added) map.set(tensor, file);
  index.set("weight_map", std::move(map));
  if (const Json* metadata = index.find("metadata"))
    if (const Json* total = metadata->find("total_size")) {
      Json changed = *metadata;
      changed.set("total_size", total->as_u64() + bytes);
      index.set("metadata", std::move(changed));
    }
  return index;
}

}  // namespace

void write_checkpoint(const Checkpoint& checkpoint, const std::string& path,
                      const std::vector<Patch>& patches, bool force, const std::vector<AddedTensor>& added) {
  const auto file_of = [&](Bytes bytes) {
    const auto file = std::ranges::find_if(
        checkpoint.files(), [&](const Safetensors& f) { return format::inside(bytes, f.file_bytes()); });
    if (file == checkpoint.files().end())
      throw Error(ErrorKind::internal,
                  text("{}: numbers that it does not hold", one_line(checkpoint.path())));
    return static_cast<size_t>(file - checkpoint.files().begin());
  };
  std::vector<format::Patches> by_file(checkpoint.files().size());
  for (const Patch& patch : patches) by_file[file_of(patch.old)].push_back(&patch);
  std::vector<std::vector<const AddedTensor*>> added_to(by_file.size());
  std::map<std::string, std::string> shard_of;
  uint64_t more = 0;
  for (const AddedTensor& tensor : added) {
    const size_t file = file_of(tensor.like);
    if (checkpoint.find(tensor.name))
      format::fail(ErrorKind::duplicate_name,
                   {.file = path, .what = "two tensors of one name", .tensor = tensor.name});
    added_to[file].push_back(&tensor);
    if (checkpoint.sharded()) shard_of[tensor.name] = checkpoint.names_[file];
    more += tensor.like.size();
  }
  const auto write = [](Bytes from, format::Patches changed, const std::string& name, const std::string& to,
                        bool over) {
    format::put_in_order(changed, name);
    AtomicFile out(to, over);
    format::write_patched(out, from, changed, name);
    out.commit();
  };
  const auto write_file = [&](size_t f, const std::string& name, const std::string& to, bool over) {
    const Safetensors& file = checkpoint.files()[f];
    if (added_to[f].empty()) return write(file.file_bytes(), by_file[f], name, to, over);
    format::put_in_order(by_file[f], name);
    const Longer longer = with_entries(file, added_to[f]);
    const Bytes all = file.file_bytes();
    AtomicFile out(to, over);
    out.write(longer.start);
    format::write_patched(out, all.subspan(longer.before), by_file[f], name);
    for (const std::vector<std::byte>& numbers : longer.numbers) out.write(numbers.data(), numbers.size());
    out.commit();
  };
  if (!checkpoint.sharded()) return write_file(0, checkpoint.files().front().path(), path, force);
  AtomicFolder folder(path);
  for (size_t f = 0; f < by_file.size(); ++f)
    write_file(f, checkpoint.names_[f], folder.file(checkpoint.names_[f]), false);
  const auto copy = [&](const std::string& from) {
    const MappedFile file(from);
    write(file.bytes(), {}, from, folder.file(fs::path(from).filename().string()), false);
  };
  const std::string config = (fs::path(checkpoint.folder()) / "config.json").string();
  std::error_code none;
  const bool configured = fs::is_regular_file(config, none);  // says what the tensors' shapes do not
  if (added.empty()) {
    copy(checkpoint.index_path_);
    if (configured) copy(config);
  } else {
    const auto put = [&](const std::string& from, const Json& json) {
      write_text(folder.file(fs::path(from).filename().string()), json.dump(2) + "\n", false);
    };
    put(checkpoint.index_path_, longer_index(checkpoint.index_path_, shard_of, more));
    if (configured) put(config, read_json(config).set("tie_word_embeddings", false));
  }
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
