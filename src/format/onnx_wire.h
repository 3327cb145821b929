// Protobuf's wire format (protobuf.dev/programming-guides/encoding), as far as ONNX files are read and written without
// protobuf.
#pragma once

#include <cstdint>
#include <string>

#include "core/file.h"

namespace dws::format {

enum class Wire { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

// One field of a message: the file's bytes [start, end), tag and length included; [content, end) is what it holds.
struct WireField {
  uint64_t number = 0;
  Wire wire = Wire::varint;
  uint64_t start = 0, content = 0, end = 0;
};

// Walks the fields of the message in bytes [begin, end) of a file. Throws Error{bad_protobuf} with file and byte where a field
// does not fit, is a group (which ONNX has none of) or of an unknown wire type.
class WireReader {
 public:
  WireReader(Bytes file, uint64_t begin, uint64_t end, const std::string& name)
      : file_(file), at_(begin), end_(end), name_(name) {}
  bool next(WireField& field);  // false at the end
  uint64_t varint();
  bool done() const noexcept { return at_ == end_; }
  [[noreturn]] void broken(uint64_t byte, const std::string& what) const;

 private:
  Bytes file_;
  uint64_t at_, end_;
  const std::string& name_;
};

void put_varint(uint64_t value, std::string& to);

}  // namespace dws::format
