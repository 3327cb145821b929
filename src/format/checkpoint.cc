#include "format/checkpoint.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/error.h"
#include "core/text.h"
#include "format/failure.h"
#include "format/shard_index.h"

namespace dws {
namespace {

namespace fs = std::filesystem;
using format::fail;

constexpr std::string_view kIndexEnding = ".safetensors.index.json";
constexpr std::string_view kEnding = ".safetensors";

bool is_folder(const std::string& path) {
  std::error_code none;
  return fs::is_directory(path, none);
}

// Names of a folder's files with this ending, sorted.
std::vector<std::string> with_ending(const std::string& folder, std::string_view ending) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::string name = at->path().filename().string();
    if (name.size() > ending.size() && name.ends_with(ending)) names.push_back(std::move(name));
  }
  if (error) throw Error(ErrorKind::io, text("{}: cannot list: {}", one_line(folder), error.message()));
  std::ranges::sort(names);
  return names;
}

// The one file of a folder that stands for the checkpoint.
std::string chosen(const std::string& folder) {
  for (const std::string_view ending : {kIndexEnding, kEnding}) {
    const std::vector<std::string> names = with_ending(folder, ending);
    if (names.size() == 1) return (fs::path(folder) / names.front()).string();
    if (names.size() > 1)
      throw Error(
          ErrorKind::usage,
          text("{}: holds {} files *{}: which one?", one_line(folder), names.size(), ending),
          text("name one of them, {} for one", one_line((fs::path(folder) / names.front()).string())));
  }
  throw Error(ErrorKind::empty,
              text("{}: a folder without *{} and without *{}", one_line(folder), kIndexEnding, kEnding));
}

}  // namespace

bool is_sharded(const std::string& path) {
  if (path.ends_with(kIndexEnding)) return true;
  return is_folder(path) && !with_ending(path, kIndexEnding).empty();
}

std::string Checkpoint::folder() const {
  return folder_of(sharded() ? index_path_ : files_.front().path());
}

Checkpoint Checkpoint::open(const std::string& path, bool follow_links) {
  Checkpoint checkpoint;
  checkpoint.path_ = path;
  const std::string file = is_folder(path) ? chosen(path) : path;
  if (file.ends_with(kIndexEnding)) {
    checkpoint.index_path_ = file;
    checkpoint.open_shards(follow_links);
  } else {
    checkpoint.files_.push_back(Safetensors::open(file));
    checkpoint.names_.push_back(fs::path(file).filename().string());
  }
  for (size_t f = 0; f < checkpoint.files_.size(); ++f) {
    const Safetensors& part = checkpoint.files_[f];
    if (!part.remark().empty()) checkpoint.warnings_.push_back(part.remark());
    for (const TensorEntry& entry : part.tensors()) checkpoint.tensors_.push_back({&entry, f});
  }
  const auto& tensors = checkpoint.tensors_;
  for (size_t i = 0; i < tensors.size(); ++i) checkpoint.by_name_.push_back(i);
  std::ranges::sort(checkpoint.by_name_, {},
                    [&](size_t i) -> const std::string& { return tensors[i].entry->name; });
  return checkpoint;
}

void Checkpoint::open_shards(bool follow_links) {
  const MappedFile index_file(index_path_);
  const ShardIndex index = ShardIndex::parse(index_file.bytes(), index_path_);
  std::set<std::pair<dev_t, ino_t>> seen;
  for (const std::string& shard : index.shards) {
    MappedFile file = MappedFile::open_inside(folder(), shard, follow_links);
    struct stat status {};  // where names' case does not count, two may be one file
    if (::stat(file.path().c_str(), &status) == 0 && !seen.emplace(status.st_dev, status.st_ino).second)
      fail(ErrorKind::duplicate_name,
           {.file = index_path_, .what = text("shard '{}' has another name too", escaped(shard))});
    files_.push_back(Safetensors::open(std::move(file)));
    names_.push_back(shard);
  }
  uint64_t bytes = 0;
  std::vector<std::pair<std::string_view, size_t>> found;
  for (size_t f = 0; f < files_.size(); ++f)
    for (const TensorEntry& entry : files_[f].tensors()) {
      found.emplace_back(entry.name, f);
      bytes += entry.end - entry.begin;
    }
  std::ranges::sort(found);
  for (size_t i = 0; i < found.size(); ++i) {
    const auto& [name, file] = found[i];
    if (i > 0 && found[i - 1].first == name)
      fail(ErrorKind::duplicate_name,
           {.file = index_path_,
            .what = text("in two shards, '{}' and '{}'", escaped(names_[found[i - 1].second]),
                         escaped(names_[file])),
            .tensor = name});
  }
  // Sorted both: what is in a shard and was passed over is not in the index.
  size_t i = 0;
  const auto refuse_unnamed = [&] {
    fail(ErrorKind::bad_schema, {.file = index_path_,
                                 .what = text("shard '{}' holds a tensor that weight_map does not name",
                                              escaped(names_[found[i].second])),
                                 .tensor = found[i].first});
  };
  for (const auto& [name, file] : index.tensors) {
    if (i < found.size() && found[i].first < name) refuse_unnamed();
    if (i == found.size() || found[i].first != name || found[i].second != file)
      fail(ErrorKind::missing_tensor, {.file = index_path_,
                                       .what = text("not in its shard '{}'", escaped(names_[file])),
                                       .tensor = name});
    ++i;
  }
  if (i < found.size()) refuse_unnamed();
  if (index.total_size && *index.total_size != bytes)
    warnings_.push_back(text("{}: metadata.total_size says {} bytes, the shards hold {}",
                             one_line(index_path_), *index.total_size, bytes));
}

const CheckpointTensor* Checkpoint::find(std::string_view name) const noexcept {
  const auto at = std::ranges::lower_bound(
      by_name_, name, {}, [&](size_t i) -> std::string_view { return tensors_[i].entry->name; });
  return at != by_name_.end() && tensors_[*at].entry->name == name ? &tensors_[*at] : nullptr;
}

}  // namespace dws
