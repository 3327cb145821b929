#include "merge/model_path.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"

namespace dws::merge {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string hub_cache() {
  if (const std::string at = variable("HF_HUB_CACHE"); !at.empty()) return at;
  if (const std::string home = variable("HF_HOME"); !home.empty()) return home + "/hub";
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) return cache + "/huggingface/hub";
  if (const std::string home = variable("HOME"); !home.empty()) return home + "/.cache/huggingface/hub";
  return "";
}

bool exists(const std::string& path) {
  std::error_code none;
  return fs::exists(path, none);
}

// "org/name" or "name": what the hub calls a network.
bool is_hub_name(const std::string& name) {
  const std::vector<std::string> parts = split(name, '/');
  if (parts.size() > 2) return false;
  return std::ranges::all_of(parts, [](const std::string& part) {
    return !part.empty() && part.front() != '.' &&
           part.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
               part.npos;
  });
}

std::string last_part(const std::string& name) {
  return name.substr(name.rfind('/') + 1);
}

// The snapshot of `name` in a cache: of the branch or commit `revision`, "main" if none is given, or else the only one.
std::optional<std::string> in_cache(const std::string& cache, const std::string& name,
                                    const std::string& revision) {
  std::string folder = cache + "/models--" + join(split(name, '/'), "--");
  const std::string wanted = revision.empty() ? "main" : revision;
  const std::string snapshots = folder + "/snapshots/";
  const bool plain = wanted.find_first_of("/\\") == wanted.npos && wanted.front() != '.';
  if (plain && exists(snapshots + wanted)) return snapshots + wanted;
  if (plain && exists(folder + "/refs/" + wanted)) {
    std::string commit = read_text(folder + "/refs/" + wanted);
    while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r' || commit.back() == ' '))
      commit.pop_back();
    if (!commit.empty() && commit.find_first_of("/\\.") == commit.npos && exists(snapshots + commit))
      return snapshots + commit;
  }
  if (!revision.empty()) return std::nullopt;
  std::vector<std::string> all;
  std::error_code none;
  for (fs::directory_iterator at(snapshots, none), end; !none && at != end; at.increment(none))
    all.push_back(at->path().string());
  if (all.size() == 1) return all.front();
  return std::nullopt;
}

// A folder that has weights, but none that are read.
void refuse_pickles(const std::string& folder, const std::string& where) {
  bool pickled = false, safe = false;
  std::error_code none;
  for (fs::directory_iterator at(folder, none), end; !none && at != end; at.increment(none)) {
    const std::string ending = at->path().extension().string(), name = at->path().filename().string();
    safe |= ending == ".safetensors" || name.ends_with(".safetensors.index.json");
    pickled |= ending == ".bin" || ending == ".pt" || ending == ".pth" || ending == ".ckpt";
  }
  if (pickled && !safe)
    throw Error(ErrorKind::unsupported,
                text("{}: {}: pickled weights are not read: they can run code", where, one_line(folder)),
                "write them as safetensors first: save_pretrained() of the transformers library does");
}

}  // namespace

ModelFinder::ModelFinder(std::vector<std::string> roots) : ModelFinder(std::move(roots), hub_cache()) {}
ModelFinder::ModelFinder(std::vector<std::string> roots, std::string cache)
    : roots_(std::move(roots)), cache_(std::move(cache)) {}

ModelPath ModelFinder::find(const ModelName& model, const std::string& file) const {
  const std::string where = text("{}: line {}", file, model.line);
  const auto found = [&](ModelPath at) {
    std::error_code none;
    if (fs::is_directory(at.path, none)) refuse_pickles(at.path, where);
    for (const char* ending : {".bin", ".pt", ".pth", ".ckpt"})
      if (at.path.ends_with(ending))
        throw Error(ErrorKind::unsupported,
                    text("{}: {}: pickled weights are not read: they can run code", where, one_line(at.path)),
                    "write them as safetensors first: save_pretrained() of the transformers library does");
    return at;
  };
  std::string name = model.path, revision = model.revision;
  if (exists(name)) {
    if (!revision.empty())
      throw Error(ErrorKind::unsupported, text("{}: {}: a path has no revisions", where, one_line(name)),
                  "leave 'revision' out");
    return found({name, false});
  }
  if (const size_t plus = name.find('+'); plus != name.npos)
    throw Error(ErrorKind::unsupported,
                text("{}: {}: adapters (NETWORK+ADAPTER) are not supported", where, one_line(name)),
                "merge the adapter into its network first, and name that");
  if (const size_t at = name.find('@'); at != name.npos && revision.empty()) {
    revision = name.substr(at + 1);
    name = name.substr(0, at);
  }
  if (revision.empty() && is_hub_name(name))
    for (const std::string& root : roots_)
      for (const std::string& below : {name, last_part(name)})
        if (exists(root + "/" + below)) return found({root + "/" + below, true});
  if (!cache_.empty() && is_hub_name(name))
    if (const auto snapshot = in_cache(cache_, name, revision)) return found({*snapshot, true});
  if (is_hub_name(name) && name.find('/') != name.npos)
    throw Error(ErrorKind::io, text("{}: {}: no such file or folder", where, one_line(model.path)),
                text("download it first (hf download {}), or say with --model-root where it lies", name));
  throw Error(ErrorKind::io, text("{}: {}: no such file or folder", where, one_line(model.path)),
              "paths count from the current folder; --model-root says where else networks lie");
}

}  // namespace dws::merge
