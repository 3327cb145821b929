#include "format/onnx_write.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/text.h"
#include "format/failure.h"
#include "format/onnx_added.h"
#include "format/onnx_numbers.h"
#include "format/onnx_rewrite.h"
#include "format/onnx_wire.h"
#include "format/patch.h"

namespace dws {
namespace {

namespace fs = std::filesystem;

using format::inside;
using format::Patches;
using format::put_in_order;
using format::write_patched;

// The patches by what they change.
struct Sorted {
  Patches own;                               // bytes of the model's file
  std::vector<format::MessageEdit> spelled;  // numbers spelled out in it
  std::map<std::string, Patches> external{};
};
Sorted sort(const Onnx& model, const std::vector<Patch>& patches) {
  Sorted sorted;
  std::map<uint64_t, const Patch*> messages;
  for (const Patch& patch : patches) {
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
    const std::vector<std::byte> numbers = format::new_numbers(patch, model.path());
    if (!fresh && format::new_numbers(*at->second, model.path()) != numbers)
      throw Error(ErrorKind::mismatch,
                  text("{}: a tensor would get two sets of numbers", one_line(model.path())));
    if (fresh)
      sorted.spelled.push_back({spelled->begin, spelled->end,
                                format::with_numbers(model.file_bytes(), *spelled, numbers, model.path())});
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

// ModelProto.metadata_props, one message an entry. A message may be followed by more of its fields.
std::string metadata_fields(const Onnx& model,
                            const std::vector<std::pair<std::string, std::string>>& metadata) {
  const auto put = [](char tag, const std::string& bytes, std::string& to) {
    to += tag;
    format::put_varint(bytes.size(), to);
    to += bytes;
  };
  constexpr char kProps = 14 << 3 | 2, kKey = 1 << 3 | 2, kValue = 2 << 3 | 2;
  std::string fields;
  for (const auto& [key, value] : metadata) {
    std::string free = key;
    const auto taken = [&](const auto& entry) { return entry.first == free; };
    for (int i = 2; std::ranges::any_of(model.metadata(), taken); ++i) free = text("{}.{}", key, i);
    std::string entry;
    put(kKey, free, entry);
    put(kValue, value, entry);
    put(kProps, entry, fields);
  }
  return fields;
}

}  // namespace

void write_onnx(const Onnx& model, const std::string& path, const std::vector<Patch>& patches, bool force,
                const std::vector<std::pair<std::string, std::string>>& metadata,
                const std::vector<AddedTensor>& added) {
  Sorted sorted = sort(model, patches);
  for (format::MessageEdit& edit : format::added_initializers(model, added))
    sorted.spelled.push_back(std::move(edit));
  const fs::path folder = folder_of(path);
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
    write_patched(out, file.bytes(), sorted.external[name], name);
    out.commit();
  }
  AtomicFile out(path, force);
  const format::Rewritten rewritten =
      format::rewrite_messages(model.file_bytes(), std::move(sorted.spelled), model.path());
  for (const Bytes piece : rewritten.pieces) {
    if (inside(piece, model.file_bytes()))
      write_patched(out, piece, sorted.own, model.path());
    else
      out.write(piece.data(), piece.size());
  }
  out.write(metadata_fields(model, metadata));
  out.commit();
}

}  // namespace dws
