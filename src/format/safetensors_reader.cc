// The header of a safetensors file, checked whole: after parse() every entry lies inside the data section,
// entries tile it without hole or overlap, and each has exactly the bytes its shape and type ask for.
#include <algorithm>
#include <limits>

#include "core/json.h"
#include "core/text.h"
#include "format/failure.h"
#include "format/safetensors.h"
#include "format/shape_text.h"

namespace dws {
namespace {

using format::fail;

constexpr uint64_t kMaxHeader = 100'000'000;  // decimal, as the reference reader has it
constexpr size_t kMaxWarnings = 100;

// One header being read: the entries found, and where in the file to point when one is wrong.
class HeaderParser {
 public:
  HeaderParser(const std::string& file, std::string_view header, const SafetensorsLimits& limits)
      : file_(file), header_(header), limits_(limits) {}

  void run() {
    const Json root = parse_json();
    if (!root.is_object()) fail(ErrorKind::bad_schema, {file_, "the header is not a JSON object", 8});
    const Json::Object& fields = root.as_object();
    if (fields.size() > limits_.tensors) {
      fail(ErrorKind::resource_limit, {.file = file_,
                                       .what = "too many tensors",
                                       .expected = text("at most {}", limits_.tensors),
                                       .got = text("{}", fields.size())});
    }
    tensors.reserve(fields.size());
    for (const auto& [name, value] : fields) {
      if (name == "__metadata__") {
        read_metadata(value);
      } else {
        read_entry(name, value);
      }
    }
  }

  std::vector<TensorEntry> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<std::string> warnings;

 private:
  Json parse_json() const {
    try {
      return Json::parse(header_, text("{}: header", file_), limits_.nesting);
    } catch (const Error& error) {
      // Core knows one kind for all bad JSON; a name twice in a header deserves its own.
      if (error.kind() == ErrorKind::bad_json &&
          std::string_view(error.what()).find(": duplicate key '") != std::string_view::npos) {
        throw Error(ErrorKind::duplicate_name, error.what(), error.advice());
      }
      throw;
    }
  }

  // Byte of the tensor's name in the file, where the header spells it as we would. Only called on the way to
  // an error, so that good files do not pay for it.
  std::optional<uint64_t> where(std::string_view name) const {
    const size_t at = header_.find(Json(name).dump());
    if (at == std::string_view::npos) return {};
    return 8 + at;
  }

  [[noreturn]] void fail_entry(ErrorKind kind, std::string_view name, std::string what,
                               std::string expected = {}, std::string got = {}) const {
    fail(kind, {.file = file_,
                .what = std::move(what),
                .byte = where(name),
                .tensor = name,
                .expected = std::move(expected),
                .got = std::move(got)});
  }

  void read_metadata(const Json& value) {
    if (!value.is_object()) {
      fail(ErrorKind::bad_schema, {file_, "__metadata__ is not an object", where("__metadata__")});
    }
    for (const auto& [key, item] : value.as_object()) {
      if (!item.is_string()) {
        fail(ErrorKind::bad_schema,
             {file_, text("__metadata__ '{}' is not a string", escaped(key)), where("__metadata__")});
      }
      metadata.emplace_back(key, item.as_string());
    }
  }

  void read_entry(const std::string& name, const Json& value) {
    if (name.size() > limits_.name_bytes) {
      fail_entry(ErrorKind::resource_limit, name, "tensor name too long",
                 text("at most {} bytes", limits_.name_bytes), text("{}", name.size()));
    }
    if (!value.is_object()) fail_entry(ErrorKind::bad_schema, name, "the entry is not an object");
    const Json *dtype = nullptr, *shape = nullptr, *offsets = nullptr;
    for (const auto& [key, item] : value.as_object()) {
      if (key == "dtype") {
        dtype = &item;
      } else if (key == "shape") {
        shape = &item;
      } else if (key == "data_offsets") {
        offsets = &item;
      } else if (warnings.size() < kMaxWarnings) {
        warnings.push_back(text("{}: unknown field '{}' (tensor '{}')", file_, escaped(key), escaped(name)));
      }
    }
    if (!dtype) fail_entry(ErrorKind::bad_schema, name, "missing field 'dtype'");
    if (!shape) fail_entry(ErrorKind::bad_schema, name, "missing field 'shape'");
    if (!offsets) fail_entry(ErrorKind::bad_schema, name, "missing field 'data_offsets'");
    TensorEntry entry;
    entry.name = name;
    read_dtype(*dtype, entry);
    read_shape(*shape, entry);
    read_offsets(*offsets, entry);
    tensors.push_back(std::move(entry));
  }

  void read_dtype(const Json& value, TensorEntry& entry) const {
    if (!value.is_string()) fail_entry(ErrorKind::bad_schema, entry.name, "dtype is not a string");
    const std::optional<Dtype> dtype = parse_dtype(value.as_string());
    if (!dtype) {
      fail_entry(ErrorKind::unknown_dtype, entry.name,
                 text("unknown dtype '{}'", escaped(value.as_string())));
    }
    entry.dtype = *dtype;
  }

  // A count as the format writes it: no sign, point or exponent.
  uint64_t count(const Json& value, const std::string& name, const char* what) const {
    try {
      if (value.is_integer()) return value.as_u64();
    } catch (const Error&) {
      // Negative: the same complaint.
    }
    fail_entry(ErrorKind::bad_schema, name, text("{} is not a whole number of at least 0", what));
  }

  void read_shape(const Json& value, TensorEntry& entry) const {
    if (!value.is_array()) fail_entry(ErrorKind::bad_schema, entry.name, "shape is not an array");
    const Json::Array& items = value.as_array();
    if (items.size() > limits_.rank) {
      fail_entry(ErrorKind::resource_limit, entry.name, "rank too high", text("at most {}", limits_.rank),
                 text("{}", items.size()));
    }
    for (const Json& item : items) {
      const uint64_t extent = count(item, entry.name, "a dimension");
      if (extent > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        fail_entry(ErrorKind::shape_overflow, entry.name, "dimension too large", "less than 2^63",
                   text("{}", extent));
      }
      entry.shape.push_back(static_cast<int64_t>(extent));
    }
  }

  void read_offsets(const Json& value, TensorEntry& entry) const {
    if (!value.is_array()) fail_entry(ErrorKind::bad_schema, entry.name, "data_offsets is not an array");
    const Json::Array& items = value.as_array();
    if (items.size() != 2) {
      fail_entry(ErrorKind::bad_schema, entry.name, "wrong number of data_offsets", "2",
                 text("{}", items.size()));
    }
    entry.begin = count(items[0], entry.name, "an offset");
    entry.end = count(items[1], entry.name, "an offset");
    if (entry.end < entry.begin) {
      fail_entry(ErrorKind::offset_range, entry.name, "data ends before it begins",
                 text("an end of at least {}", entry.begin), text("{}", entry.end));
    }
    const std::optional<uint64_t> bits = format::checked_bits(entry.shape, entry.dtype);
    if (!bits) {
      fail_entry(ErrorKind::shape_overflow, entry.name,
                 text("shape {} of {} does not fit 64 bits", entry.shape_str(), dtype_name(entry.dtype)));
    }
    if (*bits % 8 != 0) {
      fail_entry(ErrorKind::size_mismatch, entry.name,
                 text("shape {} of {} does not fill whole bytes", entry.shape_str(), dtype_name(entry.dtype)),
                 "a multiple of 8 bits", text("{}", *bits));
    }
    if (entry.end - entry.begin != *bits / 8) {
      fail_entry(ErrorKind::size_mismatch, entry.name,
                 text("data_offsets do not fit shape {} of {}", entry.shape_str(), dtype_name(entry.dtype)),
                 text("{} bytes", *bits / 8), text("{}", entry.end - entry.begin));
    }
  }

  const std::string& file_;
  std::string_view header_;
  const SafetensorsLimits& limits_;
};

// Entries, in order of offsets, must tile [0, size). `start`: where the data section begins in the file.
void check_tiling(const std::vector<TensorEntry>& tensors, const std::string& file, uint64_t start,
                  uint64_t size) {
  uint64_t at = 0;
  for (const TensorEntry& entry : tensors) {
    if (entry.begin != at) {
      const bool overlap = entry.begin < at;
      fail(overlap ? ErrorKind::offset_overlap : ErrorKind::offset_gap,
           {.file = file,
            .what = overlap ? "data overlaps the tensor before" : "hole before the data",
            .byte = start + std::min(entry.begin, size),
            .tensor = entry.name,
            .expected = text("data_offsets to begin at {}", at),
            .got = text("{}", entry.begin)});
    }
    if (entry.end > size) {
      fail(ErrorKind::truncated, {.file = file,
                                  .what = "the file ends inside the data",
                                  .byte = start + size,
                                  .tensor = entry.name,
                                  .expected = text("at least {} bytes of data", entry.end),
                                  .got = text("{}", size)});
    }
    at = entry.end;
  }
  if (at != size) {
    fail(ErrorKind::trailing_data, {.file = file,
                                    .what = "bytes after the last tensor",
                                    .byte = start + at,
                                    .expected = text("{} bytes of data", at),
                                    .got = text("{}", size)});
  }
}

}  // namespace

Safetensors Safetensors::open(const std::string& path) {
  return open(MappedFile(path));
}

Safetensors Safetensors::open(MappedFile file) {
  Safetensors result = parse(file.bytes(), file.path());
  result.file_ = std::move(file);  // a mapping moves without moving its bytes
  return result;
}

Safetensors Safetensors::parse(Bytes bytes, std::string name, const SafetensorsLimits& limits) {
  if (bytes.size() < 8) {
    fail(ErrorKind::truncated, {.file = name,
                                .what = "no room for the length of the header",
                                .byte = 0,
                                .expected = "at least 8 bytes",
                                .got = text("{}", bytes.size())});
  }
  const uint64_t length = ByteReader(bytes, name).u64_le();
  if (length > kMaxHeader) {
    fail(ErrorKind::too_large, {.file = name,
                                .what = "header too long",
                                .byte = 0,
                                .expected = text("at most {} bytes", kMaxHeader),
                                .got = text("{}", length),
                                .advice = "is this a safetensors file?"});
  }
  if (length > bytes.size() - 8) {
    fail(ErrorKind::truncated, {.file = name,
                                .what = "the file ends inside the header",
                                .byte = bytes.size(),
                                .expected = text("at least {} bytes", length + 8),
                                .got = text("{}", bytes.size())});
  }
  Safetensors result;
  HeaderParser header(name, {reinterpret_cast<const char*>(bytes.data()) + 8, length}, limits);
  header.run();
  result.data_ = bytes.subspan(8 + length);
  result.tensors_ = std::move(header.tensors);
  result.metadata_ = std::move(header.metadata);
  result.warnings_ = std::move(header.warnings);
  // Empty tensors share their offset with the next one: the end decides, then the order of the header.
  std::stable_sort(result.tensors_.begin(), result.tensors_.end(),
                   [](const TensorEntry& a, const TensorEntry& b) {
                     return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
                   });
  check_tiling(result.tensors_, name, 8 + length, result.data_.size());
  result.by_name_.resize(result.tensors_.size());
  for (size_t i = 0; i < result.by_name_.size(); ++i) result.by_name_[i] = i;
  std::sort(result.by_name_.begin(), result.by_name_.end(),
            [&](size_t a, size_t b) { return result.tensors_[a].name < result.tensors_[b].name; });
  result.path_ = std::move(name);
  return result;
}

}  // namespace dws
