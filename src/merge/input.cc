#include "merge/input.h"

#include <algorithm>
#include <span>

#include "core/error.h"
#include "core/hash.h"
#include "core/text.h"
#include "format/patch.h"

namespace dws::merge {

Input Input::open(const std::string& path, const InputOptions& options) {
  Input input;
  input.path_ = path;
  if (path.ends_with(".onnx")) {
    input.onnx_ = std::make_shared<const Onnx>(Onnx::open(path, options.external));
    for (const OnnxTensor& t : input.onnx_->graph().initializers)
      if (const std::optional<Dtype> dtype = onnx_dtype(t.type))
        input.tensors_.push_back({t.name, *dtype, t.dims, t.bytes});
    // In the order of their bytes, which is that of reading; those that are spelled out after all others.
    const Bytes file = input.onnx_->file_bytes();
    std::ranges::stable_sort(input.tensors_, {}, [&](const InputTensor& t) {
      return std::pair(!format::inside(t.bytes, file), t.bytes.data());
    });
  } else {
    input.checkpoint_ = std::make_shared<const Checkpoint>(Checkpoint::open(path, options.follow_links));
    for (const CheckpointTensor& t : input.checkpoint_->tensors())
      input.tensors_.push_back({t.entry->name, t.entry->dtype, t.entry->shape, input.checkpoint_->bytes(t)});
  }
  for (size_t i = 0; i < input.tensors_.size(); ++i) input.by_name_.push_back(i);
  std::ranges::sort(input.by_name_, {},
                    [&](size_t i) -> const std::string& { return input.tensors_[i].name; });
  if (input.tensors_.empty())
    throw Error(ErrorKind::empty, text("{}: holds no tensors to merge", one_line(path)));
  return input;
}

const InputTensor* Input::find(std::string_view name) const noexcept {
  const auto at = std::ranges::lower_bound(by_name_, name, {},
                                           [&](size_t i) -> std::string_view { return tensors_[i].name; });
  return at != by_name_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
}

void Input::release(Bytes part) const noexcept {
  if (onnx_) return onnx_->release(part);
  for (const Safetensors& file : checkpoint_->files())
    if (format::inside(part, file.file_bytes())) return file.release(part);
}

void Input::prefetch(Bytes part) const noexcept {
  if (onnx_) return onnx_->prefetch(part);
  for (const Safetensors& file : checkpoint_->files())
    if (format::inside(part, file.file_bytes())) return file.prefetch(part);
}

const std::vector<std::pair<std::string, std::string>>& Input::metadata() const noexcept {
  return onnx_ ? onnx_->metadata() : checkpoint_->metadata();
}

std::vector<std::string> Input::warnings() const {
  return onnx_ ? onnx_->warnings() : checkpoint_->warnings();
}

std::vector<Bytes> Input::files() const {
  std::vector<Bytes> parts;
  if (onnx_) {
    parts.push_back(onnx_->file_bytes());
    for (const auto& [name, file] : onnx_->external_files()) parts.push_back(file.bytes());
  } else {
    for (const Safetensors& file : checkpoint_->files()) parts.push_back(file.file_bytes());
  }
  return parts;
}

uint64_t Input::file_bytes() const {
  uint64_t total = 0;
  for (const Bytes part : files()) total += part.size();
  return total;
}

std::string Input::fingerprint() const {
  constexpr size_t kWhole = size_t{64} << 20, kHead = size_t{1} << 20, kPiece = size_t{64} << 10;
  constexpr size_t kPlaces = 64;
  const std::vector<Bytes> parts = files();
  const uint64_t total = file_bytes();
  std::string all;
  for (const Bytes part : parts) {
    if (total <= kWhole) {
      all += hash_bytes(part);
      continue;
    }
    all += text("{}:", part.size()) + hash_bytes(part.first(std::min(kHead, part.size())));
    for (size_t i = 0; i < kPlaces && part.size() > kPiece; ++i)
      all += hash_bytes(part.subspan((part.size() - kPiece) / kPlaces * i, kPiece));
  }
  for (const Bytes part : parts) {
    if (onnx_)
      onnx_->release(part);
    else
      release(part);
  }
  if (total <= kWhole) return parts.size() == 1 ? all : hash_bytes(std::as_bytes(std::span(all)));
  return "sampled:" + hash_bytes(std::as_bytes(std::span(all)));
}

bool same_bytes(const Input& a, const InputTensor& x, const Input& b, const InputTensor& y) {
  constexpr size_t kPiece = size_t{8} << 20;
  if (x.bytes.size() != y.bytes.size()) return false;
  for (size_t at = 0; at < x.bytes.size(); at += kPiece) {
    const Bytes one = x.bytes.subspan(at, std::min(kPiece, x.bytes.size() - at));
    const Bytes other = y.bytes.subspan(at, one.size());
    const bool same = std::ranges::equal(one, other);
    a.release(one);
    b.release(other);
    if (!same) return false;
  }
  return true;
}

}  // namespace dws::merge
