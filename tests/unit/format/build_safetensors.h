// Files as text and bytes, for tests that need wrong ones.
#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "core/text.h"
#include "format/safetensors.h"
#include "testing.h"

namespace dws::testing {

// 8-byte little-endian length, header as given, `data` zero bytes.
inline std::string safetensors_text(std::string_view header, size_t data = 0) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(uint64_t{header.size()} >> (8 * i));
  out += header;
  out.append(data, '\0');
  return out;
}

inline Bytes as_bytes(std::string_view s) {
  return {reinterpret_cast<const std::byte*>(s.data()), s.size()};
}

// One entry of a header: "name":{...}.
inline std::string entry(std::string_view name, std::string_view dtype, std::string_view shape,
                         uint64_t begin, uint64_t end) {
  return text(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", name, dtype, shape, begin, end);
}

inline std::string object(const std::vector<std::string>& entries) {
  return text("{{{}}}", join(entries, ","));
}

// Fails unless the bytes are refused with `kind` and a line that begins with the file's name.
inline void refuse(ErrorKind kind, std::string_view bytes, const std::string& substring = {}) {
  expect_error(
      kind, [&] { Safetensors::parse(as_bytes(bytes), "f.safetensors"); }, substring);
  expect_error(
      kind, [&] { Safetensors::parse(as_bytes(bytes), "f.safetensors"); }, "f.safetensors: ");
}

inline void refuse_header(ErrorKind kind, std::string_view header, size_t data = 0,
                          const std::string& substring = {}) {
  refuse(kind, safetensors_text(header, data), substring);
}

// The file must outlive the result.
inline Safetensors accept(const std::string& file) {
  return Safetensors::parse(as_bytes(file), "f.safetensors");
}

}  // namespace dws::testing
