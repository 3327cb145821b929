#include "format/safetensors.h"

#include <algorithm>

#include "core/text.h"
#include "format/convert.h"
#include "format/failure.h"
#include "format/shape_text.h"

namespace dws {
namespace {

template <class T>
void read_as(const Safetensors& file, const TensorEntry& entry, std::span<T> out, bool known,
             const char* target) {
  if (!known) {
    format::fail(ErrorKind::unknown_dtype,
                 {.file = file.path(),
                  .what = text("{} cannot be read as {}", dtype_name(entry.dtype), target),
                  .tensor = entry.name});
  }
  if (out.size() != static_cast<size_t>(entry.elements())) {
    format::fail(ErrorKind::internal, {.file = file.path(),
                                       .what = "wrong length of the array to read into",
                                       .tensor = entry.name,
                                       .expected = text("{}", entry.elements()),
                                       .got = text("{}", out.size())});
  }
  if (!format::convert(entry.dtype, file.bytes(entry).data(), out.data(), out.size())) {
    format::fail(ErrorKind::bad_value,
                 {.file = file.path(), .what = "a value does not fit int64", .tensor = entry.name});
  }
}

}  // namespace

int64_t TensorEntry::elements() const noexcept {
  int64_t product = 1;
  for (const int64_t extent : shape) product *= extent;
  return product;
}

std::string TensorEntry::shape_str() const {
  return format::shape_text(shape);
}

const TensorEntry* Safetensors::find(std::string_view name) const noexcept {
  const auto at =
      std::lower_bound(by_name_.begin(), by_name_.end(), name,
                       [&](size_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  return at != by_name_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
}

const TensorEntry& Safetensors::at(std::string_view name) const {
  const TensorEntry* entry = find(name);
  if (!entry) {
    format::fail(ErrorKind::missing_tensor, {.file = path_, .what = "tensor is missing", .tensor = name});
  }
  return *entry;
}

Bytes Safetensors::bytes(const TensorEntry& entry) const noexcept {
  return data_.subspan(entry.begin, entry.end - entry.begin);
}

const std::string* Safetensors::meta(std::string_view key) const noexcept {
  for (const auto& [name, value] : metadata_) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string Safetensors::remark() const {
  if (warnings_.size() < 2) return warnings_.empty() ? std::string() : warnings_.front();
  return text("{}, and {} more", warnings_.front(), warnings_.size() - 1);
}

void Safetensors::read(const TensorEntry& entry, std::span<float> out) const {
  read_as(*this, entry, out, format::is_float_dtype(entry.dtype), "float");
}

void Safetensors::read(const TensorEntry& entry, std::span<double> out) const {
  read_as(*this, entry, out, format::is_double_dtype(entry.dtype), "double");
}

void Safetensors::read(const TensorEntry& entry, std::span<int64_t> out) const {
  read_as(*this, entry, out, format::is_integer_dtype(entry.dtype), "integers");
}

}  // namespace dws
