#include "format/onnx_write.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/text.h"
#include "format/failure.h"
#include "format/onnx_numbers.h"
#include "format/onnx_rewrite.h"

namespace dws {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPiece = size_t{1} << 24;

bool inside(Bytes part, Bytes whole) noexcept {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

using Patches = std::vector<const OnnxPatch*>;

// In order. Tensors may share their numbers (tied weights in external data): then they get the same new ones.
void put_in_order(Patches& patches, const std::string& file) {
  std::ranges::sort(patches, {}, [](const OnnxPatch* p) { return p->old.data(); });
  Patches kept;
  for (const OnnxPatch* patch : patches) {
    const OnnxPatch* last = kept.empty() ? nullptr : kept.back();
    if (last && patch->old.data() < last->old.data() + last->old.size()) {
      const bool same = patch->old.data() == last->old.data() && patch->numbers == last->numbers;
      if (!same)
        throw Error(ErrorKind::mismatch,
                    text("{}: two tensors share numbers, and would get different ones", one_line(file)));
      continue;
    }
    kept.push_back(patch);
  }
  patches = std::move(kept);
}

// Bytes of a file with some of them replaced, in pieces.
void write_patched(AtomicFile& out, Bytes from, const Patches& patches) {
  const auto copy = [&](const std::byte* begin, const std::byte* end) {
    for (; begin < end; begin += std::min<size_t>(kPiece, static_cast<size_t>(end - begin)))
      out.write(begin, std::min<size_t>(kPiece, static_cast<size_t>(end - begin)));
  };
  const std::byte* at = from.data();
  for (const OnnxPatch* patch : patches) {
    if (!inside(patch->old, from)) continue;
    copy(at, patch->old.data());
    out.write(patch->numbers.data(), patch->numbers.size());
    at = patch->old.data() + patch->old.size();
  }
  copy(at, from.data() + from.size());
}

// The patches by what they change.
struct Sorted {
  Patches own;                               // bytes of the model's file
  std::vector<format::MessageEdit> spelled;  // numbers spelled out in it
  std::map<std::string, Patches> external{};
};
Sorted sort(const Onnx& model, const std::vector<OnnxPatch>& patches) {
  Sorted sorted;
  std::map<uint64_t, const OnnxPatch*> messages;
  for (const OnnxPatch& patch : patches) {
    if (patch.numbers.size() != patch.old.size())
      throw Error(ErrorKind::mismatch, text("{}: {} bytes for a tensor of {}", one_line(model.path()),
                                            patch.numbers.size(), patch.old.size()));
    if (patch.old.empty()) continue;
    if (inside(patch.old, model.file_bytes())) {
      sorted.own.push_back(&patch);
      continue;
    }
    const auto external = std::ranges::find_if(
        model.external_files(), [&](const auto& file) { return inside(patch.old, file.second.bytes()); });
    if (external != model.external_files().end()) {
      sorted.external[external->first].push_back(&patch);
      continue;
    }
    const auto spelled = std::ranges::find_if(model.spelled(), [&](const OnnxSpelled& s) {
      return s.numbers.data() == patch.old.data() && s.numbers.size() == patch.old.size();
    });
    if (spelled == model.spelled().end())
      throw Error(ErrorKind::mismatch, text("{}: numbers that are a node's attributes cannot be replaced",
                                            one_line(model.path())));
    const auto [at, fresh] = messages.emplace(spelled->begin, &patch);
    if (!fresh && at->second->numbers != patch.numbers)
      throw Error(ErrorKind::mismatch,
                  text("{}: a tensor would get two sets of numbers", one_line(model.path())));
    if (fresh)
      sorted.spelled.push_back(
          {spelled->begin, spelled->end,
           format::with_numbers(model.file_bytes(), *spelled, patch.numbers, model.path())});
  }
  put_in_order(sorted.own, model.path());
  for (auto& [name, of_file] : sorted.external) put_in_order(of_file, name);
  return sorted;
}

// No part of the way to external data that is written may be a link; its folders are made.
void prepare_way(const fs::path& folder, const std::string& name) {
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
}

}  // namespace

void write_onnx(const Onnx& model, const std::string& path, const std::vector<OnnxPatch>& patches,
                bool force) {
  Sorted sorted = sort(model, patches);
  const fs::path folder = fs::path(path).has_parent_path() ? fs::path(path).parent_path() : fs::path(".");
  require_writable(path, force);
  for (const auto& [name, file] : model.external_files()) {
    const fs::path to = folder / name;
    if (to.lexically_normal() == (folder / fs::path(path).filename()).lexically_normal())
      throw Error(ErrorKind::mismatch, text("{}: the model's external data has this name", one_line(path)),
                  "choose another");
    std::error_code none;
    if (fs::equivalent(to, file.path(), none)) {
      if (sorted.external.contains(name))
        throw Error(ErrorKind::mismatch,
                    text("{}: changed external data would take the place of the model's own '{}'",
                         one_line(path), escaped(name)),
                    "write into another folder");
      continue;  // shared by both
    }
    prepare_way(folder, name);
    AtomicFile out(to.string(), force);
    write_patched(out, file.bytes(), sorted.external[name]);
    out.commit();
  }
  AtomicFile out(path, force);
  const format::Rewritten rewritten =
      format::rewrite_messages(model.file_bytes(), std::move(sorted.spelled), model.path());
  for (const Bytes piece : rewritten.pieces) {
    if (inside(piece, model.file_bytes()))
      write_patched(out, piece, sorted.own);
    else
      out.write(piece.data(), piece.size());
  }
  out.commit();
}

}  // namespace dws
