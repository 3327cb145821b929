#include "format/onnx_write.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/text.h"
#include "format/failure.h"

namespace dws {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPiece = size_t{1} << 24;

bool inside(Bytes part, Bytes whole) noexcept {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

// Copies a file with some of its bytes replaced, in pieces.
void copy_patched(Bytes from, std::vector<const OnnxPatch*> patches, const std::string& path, bool force) {
  std::ranges::sort(patches, {}, [](const OnnxPatch* p) { return p->old.data(); });
  AtomicFile out(path, force);
  const auto copy = [&](const std::byte* begin, const std::byte* end) {
    for (; begin < end; begin += std::min<size_t>(kPiece, static_cast<size_t>(end - begin)))
      out.write(begin, std::min<size_t>(kPiece, static_cast<size_t>(end - begin)));
  };
  const std::byte* at = from.data();
  for (const OnnxPatch* patch : patches) {
    copy(at, patch->old.data());
    out.write(patch->numbers.data(), patch->numbers.size());
    at = patch->old.data() + patch->old.size();
  }
  copy(at, from.data() + from.size());
  out.commit();
}

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

void write_onnx(const Onnx& model, const std::string& path, const std::vector<OnnxPatch>& patches,
                bool force) {
  std::vector<const OnnxPatch*> own;
  std::map<std::string, std::vector<const OnnxPatch*>> external;
  for (const OnnxPatch& patch : patches) {
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
    copy_patched(file.bytes(), external[name], to.string(), force);
  }
  copy_patched(model.file_bytes(), own, path, force);
}

}  // namespace dws
