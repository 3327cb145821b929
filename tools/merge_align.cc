#include "merge_align.h"

#include <algorithm>
#include <filesystem>
#include <span>
#include <utility>

#include "align_network.h"
#include "core/disk_space.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/text.h"
#include "merge/companions.h"
#include "output.h"

namespace dws::tools {

namespace fs = std::filesystem;

bool same_file(const std::string& a, const std::string& b) {
  std::error_code none;
  return a == b || fs::equivalent(a, b, none);
}

AlignedCopies::AlignedCopies(MergeSource reference, uint64_t seed, std::string max_memory)
    : reference_(std::move(reference)), seed_(seed), max_memory_(std::move(max_memory)) {}

void AlignedCopies::make(std::vector<MergeSource>& sources) {
  // Names of the same file count once.
  std::vector<std::vector<MergeSource*>> distinct;
  for (MergeSource& source : sources) {
    if (same_file(reference_.given.path, source.given.path)) continue;
    const auto same = std::ranges::find_if(
        distinct, [&](const auto& group) { return same_file(group.front()->given.path, source.given.path); });
    if (same == distinct.end())
      distinct.push_back({&source});
    else
      same->push_back(&source);
  }
  uint64_t bytes = 0;
  for (const auto& group : distinct) bytes += merge::Input::open(group.front()->given.input()).file_bytes();
  require_space(
      folder_of(folder_.path()), bytes,
      text("--align: copies of {} {}", distinct.size(), distinct.size() == 1 ? "network" : "networks"),
      "TMPDIR=FOLDER in front of the command has them in another folder");
  // Matching takes long: who does not fit is found before.
  const auto read = [&](const MergeSource& source, const MergeSource& other) {
    return read_network_silently(source.given.path,
                                 options_for(source.given.path, other.given.path, source.given.options));
  };
  for (const auto& group : distinct) {
    const MergeSource& source = *group.front();
    require_same_architecture(read(reference_, source), read(source, reference_));
  }
  Progress progress("align", "networks", static_cast<int64_t>(distinct.size()));
  for (const auto& group : distinct) {
    check_interrupt();
    const NetworkFile made = copy(group.front()->given);
    hashes_[made.path] = hash_input(made.path);
    for (MergeSource* source : group) source->read = made;
    progress.add(1);
  }
}

NetworkFile AlignedCopies::copy(const NetworkFile& from) {
  fs::path name = fs::path(from.path).filename();
  if (name.empty() || name == "." || name == "..") name = "network";
  const fs::path folder = folder_.file(text("{}", hashes_.size() + 1));
  fs::create_directory(folder);
  NetworkFile made{(folder / name).string(), from.options};
  made.options.external_root.clear();  // a copy's external data lies beside it
  const auto align = [&](const std::string& to) {
    align_file(reference_.given.path, from.path, to, from.options, seed_, max_memory_);
  };
  if (is_onnx(from.path)) {
    align(made.path);
    return made;
  }
  const Checkpoint old = Checkpoint::open(from.path, from.options.follow_symlinks);
  made.options.follow_symlinks = false;
  std::error_code none;
  if (old.sharded()) {
    if (!fs::is_directory(from.path, none)) made.path = (folder / "shards").string();  // `from` is an index
    align(made.path);
  } else if (fs::is_directory(from.path, none)) {
    fs::create_directory(made.path);
    align((fs::path(made.path) / fs::path(old.files().front().path()).filename()).string());
  } else {
    align(made.path);
    // It says what the tensors' shapes do not.
    const std::string config = (fs::path(old.folder()) / "config.json").string();
    if (fs::is_regular_file(config, none))
      write_text((folder / "config.json").string(), read_text(config), false);
    return made;
  }
  for (const auto& [file, content] : merge::companions(old))
    write_text((fs::path(made.path) / file).string(), content, true);
  return made;
}

Json AlignedCopies::recipe() const {
  return Json::object({{"method", "weights"}, {"seed", seed_}, {"reference", reference_.name}});
}

Json AlignedCopies::recipe(const std::vector<MergeSource>& sources) const {
  std::string all;
  for (const MergeSource& source : sources)
    if (const auto at = hashes_.find(source.read.path); at != hashes_.end()) all += at->second;
  Json json = recipe();
  json.set("hash", hash_bytes(std::as_bytes(std::span(all))));
  return json;
}

}  // namespace dws::tools
