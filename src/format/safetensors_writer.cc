#include <algorithm>
#include <set>

#include "core/json.h"
#include "core/text.h"
#include "core/utf8.h"
#include "format/failure.h"
#include "format/safetensors.h"
#include "format/shape_text.h"

namespace dws {
namespace {

using format::fail;

constexpr size_t kMaxHeader = 100'000'000;

// A name that is not UTF-8 cannot stand in JSON; replacing bytes could make two names one.
std::string quoted(const std::string& path, const std::string& name) {
  if (first_bad_utf8(name) != std::string_view::npos) {
    fail(ErrorKind::bad_utf8, {.file = path, .what = text("'{}' is not UTF-8", escaped(name))});
  }
  return Json(name).dump();
}

void check_names(const std::string& path, const std::vector<TensorSource>& tensors) {
  std::vector<std::string_view> names;
  for (const TensorSource& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == "__metadata__") {
      fail(ErrorKind::bad_schema,
           {.file = path, .what = "a tensor cannot have this name", .tensor = names[i]});
    }
    if (i > 0 && names[i - 1] == names[i]) {
      fail(ErrorKind::duplicate_name, {.file = path, .what = "two tensors of one name", .tensor = names[i]});
    }
  }
}

uint64_t byte_size(const std::string& path, const TensorSource& tensor) {
  const std::optional<uint64_t> bits = format::checked_bits(tensor.shape, tensor.dtype);
  const std::string shape = format::shape_text(tensor.shape);
  if (!bits) {
    fail(ErrorKind::shape_overflow,
         {.file = path,
          .what = text("shape {} of {} does not fit 64 bits", shape, dtype_name(tensor.dtype)),
          .tensor = tensor.name});
  }
  if (*bits % 8 != 0) {
    fail(ErrorKind::size_mismatch,
         {.file = path,
          .what = text("shape {} of {} does not fill whole bytes", shape, dtype_name(tensor.dtype)),
          .tensor = tensor.name});
  }
  return *bits / 8;
}

void append_metadata(const std::string& path,
                     const std::vector<std::pair<std::string, std::string>>& metadata, std::string& header) {
  std::set<std::string_view> keys;
  header += "\"__metadata__\":{";
  for (const auto& [key, value] : metadata) {
    if (!keys.insert(key).second) {
      fail(ErrorKind::duplicate_name,
           {.file = path, .what = text("two metadata entries of one key '{}'", escaped(key))});
    }
    if (keys.size() > 1) header += ',';
    header += quoted(path, key) + ':' + quoted(path, value);
  }
  header += '}';
}

void append_entry(const std::string& path, const TensorSource& tensor, uint64_t begin, uint64_t end,
                  std::string& header) {
  header += text("{}:{{\"dtype\":\"{}\",\"shape\":[", quoted(path, tensor.name), dtype_name(tensor.dtype));
  for (size_t i = 0; i < tensor.shape.size(); ++i) header += text("{}{}", i ? "," : "", tensor.shape[i]);
  header += text("],\"data_offsets\":[{},{}]}}", begin, end);
}

void write_data(AtomicFile& file, const TensorSource& tensor, uint64_t size) {
  uint64_t written = 0;
  if (tensor.fill) {
    tensor.fill([&](const void* data, size_t count) {
      written += count;
      if (written <= size && count) file.write(data, count);
    });
  }
  if (written != size) {
    fail(ErrorKind::size_mismatch, {.file = file.path(),
                                    .what = "wrong number of bytes to write",
                                    .tensor = tensor.name,
                                    .expected = text("{}", size),
                                    .got = text("{}", written)});
  }
}

template <class T>
TensorSource from_memory(std::string name, Dtype dtype, std::vector<int64_t> shape, std::span<const T> data) {
  return {
      std::move(name), dtype, std::move(shape),
      [data](const std::function<void(const void*, size_t)>& sink) { sink(data.data(), data.size_bytes()); }};
}

}  // namespace

TensorSource TensorSource::of(std::string name, std::vector<int64_t> shape, std::span<const float> data) {
  return from_memory(std::move(name), Dtype::f32, std::move(shape), data);
}

TensorSource TensorSource::of(std::string name, std::vector<int64_t> shape, std::span<const double> data) {
  return from_memory(std::move(name), Dtype::f64, std::move(shape), data);
}

TensorSource TensorSource::of(std::string name, std::vector<int64_t> shape, std::span<const int64_t> data) {
  return from_memory(std::move(name), Dtype::i64, std::move(shape), data);
}

TensorSource TensorSource::raw(std::string name, Dtype dtype, std::vector<int64_t> shape, Bytes data) {
  return from_memory(std::move(name), dtype, std::move(shape), data);
}

SafetensorsHeader safetensors_header(const std::string& path, const std::vector<TensorSource>& tensors,
                                     const std::vector<std::pair<std::string, std::string>>& metadata) {
  check_names(path, tensors);
  SafetensorsHeader made;
  std::string header = "{";
  if (!metadata.empty()) append_metadata(path, metadata, header);
  uint64_t at = 0;
  for (const TensorSource& tensor : tensors) {
    const uint64_t size = byte_size(path, tensor);
    if (header.size() > 1) header += ',';
    uint64_t end = 0;
    if (__builtin_add_overflow(at, size, &end)) {
      fail(ErrorKind::shape_overflow,
           {.file = path, .what = "the file does not fit 64 bits", .tensor = tensor.name});
    }
    append_entry(path, tensor, at, end, header);
    made.begin.push_back(at);
    at = end;
  }
  made.begin.push_back(at);
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  if (header.size() > kMaxHeader) {
    fail(ErrorKind::too_large, {.file = path,
                                .what = "header too long to write",
                                .expected = text("at most {} bytes", kMaxHeader),
                                .got = text("{}", header.size())});
  }
  for (size_t i = 0; i < 8; ++i) made.bytes += static_cast<char>(uint64_t{header.size()} >> (8 * i) & 0xff);
  made.bytes += header;
  return made;
}

void write_safetensors(const std::string& path, std::vector<TensorSource> tensors,
                       const std::vector<std::pair<std::string, std::string>>& metadata, bool force) {
  // Wide types first keeps every tensor aligned to its own size behind a header of a multiple of 8.
  std::sort(tensors.begin(), tensors.end(), [](const TensorSource& a, const TensorSource& b) {
    return a.dtype != b.dtype ? a.dtype > b.dtype : a.name < b.name;
  });
  const SafetensorsHeader header = safetensors_header(path, tensors, metadata);
  AtomicFile file(path, force);
  file.write(header.bytes);
  for (size_t i = 0; i < tensors.size(); ++i)
    write_data(file, tensors[i], header.begin[i + 1] - header.begin[i]);
  file.commit();
}

}  // namespace dws
