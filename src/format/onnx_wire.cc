#include "format/onnx_wire.h"

#include "core/text.h"
#include "format/failure.h"

namespace dws::format {

void WireReader::broken(uint64_t byte, const std::string& what) const {
  fail(ErrorKind::bad_protobuf, {.file = name_,
                                 .what = "not an ONNX file: " + what,
                                 .byte = byte,
                                 .advice = "an ONNX file is a protobuf message of type onnx.ModelProto"});
}

uint64_t WireReader::varint() {
  const uint64_t start = at_;
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (at_ == end_) broken(start, "a number is cut off");
    const auto byte = static_cast<uint64_t>(file_[at_++]);
    if (shift == 63 && byte > 1) break;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  broken(start, "a number of more than 64 bits");
}

bool WireReader::next(WireField& field) {
  if (done()) return false;
  field.start = at_;
  const uint64_t tag = varint();
  field.number = tag >> 3;
  if (field.number == 0 || field.number > 0x1fffffff) broken(field.start, "a field number out of range");
  field.wire = static_cast<Wire>(tag & 7);
  field.content = at_;
  uint64_t size = 0;
  switch (field.wire) {
    case Wire::varint:
      varint();
      break;
    case Wire::fixed64:
    case Wire::fixed32:
      size = field.wire == Wire::fixed64 ? 8 : 4;
      if (size > end_ - at_) broken(field.start, "a number is cut off");
      break;
    case Wire::bytes:
      size = varint();
      if (size > end_ - at_)
        broken(field.content, text("a length of {} where {} bytes are left", size, end_ - at_));
      field.content = at_;
      break;
    default:
      broken(field.start, "a group or an unknown wire type");
  }
  at_ += size;
  field.end = at_;
  return true;
}

void put_varint(uint64_t value, std::string& to) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<char>(value | 0x80));
  to.push_back(static_cast<char>(value));
}

}  // namespace dws::format
