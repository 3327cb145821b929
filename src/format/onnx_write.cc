#include "format/onnx_write.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/text.h"
#include "format/failure.h"

namespace dws {
namespace {

namespace fs = std::filesystem;
using format::inside;
using format::write_patched;

// Where external data of this name goes; no part of the way may be a link.
fs::path external_path(const fs::path& folder, const std::string& name) {
  fs::path at = folder;
  for (const std::string& part : split(name, '/')) {
    at /= part;
    std::error_code none;
    if (fs::is_symlink(fs::symlink_status(at, none)))
      format::fail(ErrorKind::path_escape,
                   {.file = at.string(), .what = "external data would be written through a link"});
  }
  std::error_code error;
  fs::create_directories(at.parent_path(), error);
  if (error) throw_errno(at.parent_path().string(), "cannot make the folder");
  return at;
}

}  // namespace

void write_onnx(const Onnx& model, const std::string& path, const std::vector<Patch>& patches,
                bool force) {
  std::vector<const Patch*> own;
  std::map<std::string, std::vector<const Patch*>> external;
  for (const Patch& patch : patches) {
    if (patch.numbers.size() != patch.old.size())
      throw Error(ErrorKind::mismatch, text("{}: {} bytes for a tensor of {}", one_line(model.path()),
                                            patch.numbers.size(), patch.old.size()));
    if (patch.old.empty()) continue;
    if (inside(patch.old, model.file_bytes())) {
      own.push_back(&patch);
      continue;
    }
    const auto at = std::ranges::find_if(
        model.external_files(), [&](const auto& file) { return inside(patch.old, file.second.bytes()); });
    if (at == model.external_files().end())
      throw Error(ErrorKind::mismatch,
                  text("{}: a tensor's numbers are spelled out one by one and cannot be replaced",
                       one_line(model.path())));
    external[at->first].push_back(&patch);
  }
  const fs::path folder = fs::path(path).has_parent_path() ? fs::path(path).parent_path() : fs::path(".");
  require_writable(path, force);
  for (const auto& [name, file] : model.external_files()) {
    const fs::path to = external_path(folder, name);
    std::error_code none;
    if (fs::equivalent(to, file.path(), none)) {
      if (external.contains(name))
        throw Error(ErrorKind::mismatch,
                    text("{}: changed external data would take the place of the model's own '{}'",
                         one_line(path), escaped(name)),
                    "write into another folder");
      continue;  // shared by both
    }
    write_patched(file.bytes(), external[name], to.string(), force);
  }
  write_patched(model.file_bytes(), own, path, force);
}

}  // namespace dws
