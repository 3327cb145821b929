#include "train/checkpoint.h"

#include <span>

#include "core/error.h"
#include "core/hash.h"
#include "core/text.h"
#include "format/safetensors.h"

namespace dws::train {

namespace {

std::string state_hash(const std::vector<StateArray>& arrays) {
  std::string hashes;
  for (const StateArray& a : arrays) hashes += a.name + "=" + hash_bytes(std::as_bytes(a.data)) + "\n";
  return hash_bytes(std::as_bytes(std::span(hashes.data(), hashes.size())));
}

// "lr: 0.001 there, 0.002 here" for the first leaf that differs, "" when none does.
std::string difference(const Json& there, const Json& here, const std::string& where) {
  if (there.is_object() && here.is_object()) {
    for (const auto& [key, value] : here.as_object()) {
      const Json* other = there.find(key);
      const std::string name = where.empty() ? key : where + "." + key;
      if (!other) return text("'{}' is missing there, {} here", name, value.dump());
      if (std::string line = difference(*other, value, name); !line.empty()) return line;
    }
    for (const auto& [key, value] : there.as_object())
      if (!here.find(key))
        return text("'{}' is {} there, missing here", where.empty() ? key : where + "." + key, value.dump());
    return "";
  }
  const std::string a = there.dump(), b = here.dump();
  return a == b ? "" : text("'{}' is {} there, {} here", where, escaped(a), escaped(b));
}

}  // namespace

void save_checkpoint(const std::string& path, const std::vector<StateArray>& arrays, const Json& settings,
                     const Json& state) {
  Json meta = Json::object();
  meta.set("schema", "dws.checkpoint/1");
  meta.set("settings", settings);
  meta.set("state", state);
  meta.set("hash", state_hash(arrays));
  std::vector<TensorSource> tensors;
  for (const StateArray& a : arrays)
    tensors.push_back(
        TensorSource::of(a.name, {static_cast<int64_t>(a.data.size())}, std::span<const float>(a.data)));
  write_safetensors(path, std::move(tensors), {{"dws.checkpoint", meta.dump()}}, true);
}

Json load_checkpoint(const std::string& path, const std::vector<StateArray>& arrays, const Json& settings) {
  const Safetensors file = Safetensors::open(path);
  const std::string* text_meta = file.meta("dws.checkpoint");
  if (!text_meta)
    throw Error(ErrorKind::bad_schema,
                text("{}: not a training checkpoint (no metadata 'dws.checkpoint')", path));
  const Json meta = Json::parse(*text_meta, path);
  if (meta.at("schema").as_string("schema") != "dws.checkpoint/1")
    throw Error(ErrorKind::bad_schema, text("{}: a checkpoint of schema '{}': expected 'dws.checkpoint/1'",
                                            path, escaped(meta.at("schema").as_string("schema"))));
  // Through text, so that numbers compare as they are stored (1 and 1.0 alike).
  const Json here = Json::parse(settings.dump(), path);
  if (const std::string line = difference(meta.at("settings"), here, ""); !line.empty())
    throw Error(ErrorKind::mismatch, text("{}: the checkpoint belongs to another run: {}", path, line),
                "resume with the options the run was started with, or start over with --force");
  for (const StateArray& a : arrays) {
    const TensorEntry& entry = file.at(a.name);
    if (entry.elements() != static_cast<int64_t>(a.data.size()))
      throw Error(ErrorKind::size_mismatch, text("{}: tensor '{}' has {} numbers: expected {}", path, a.name,
                                                 entry.elements(), a.data.size()));
    file.read(entry, a.data);
  }
  if (meta.at("hash").as_string("hash") != state_hash(arrays))
    throw Error(ErrorKind::bad_value,
                text("{}: damaged: the numbers do not have the hash they were saved with", path),
                "start over with --force");
  return meta.at("state");
}

}  // namespace dws::train
