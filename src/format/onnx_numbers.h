// Numbers that a TensorProto spells out in its typed fields, one by one: read from the file and written anew.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "format/onnx.h"
#include "format/onnx_skeleton.h"
#include "format/onnx_wire.h"

namespace dws::format {

// Calls visit(number) for each number of the payload in order: varints as they are, floats and doubles as their bits. Throws
// Error{bad_protobuf} where a list ends within a number.
template <class Visit>
void each_number(Bytes file, const TensorPayload& payload, const std::string& name, Visit&& visit) {
  const uint64_t fixed = payload.field == 4 ? 4 : payload.field == 10 ? 8 : 0;
  const auto read = [&](uint64_t begin, uint64_t end) {
    WireReader numbers(file, begin, end, name);
    if (fixed == 0) {
      while (!numbers.done()) visit(numbers.varint());
      return;
    }
    if ((end - begin) % fixed != 0) numbers.broken(begin, "a list of numbers ends within one");
    for (uint64_t at = begin; at < end; at += fixed) {
      uint64_t bits = 0;
      std::memcpy(&bits, file.data() + at, fixed);
      visit(bits);
    }
  };
  if (payload.in_one_piece) return read(payload.begin, payload.end);
  WireReader tensor(file, payload.tensor_begin, payload.tensor_end, name);
  for (WireField field; tensor.next(field);)
    if (field.number == static_cast<uint64_t>(payload.field)) read(field.content, field.end);
}

// The TensorProto with other numbers, as many as it has: each field with numbers keeps its place, its form and its count, and
// everything else is copied. `numbers` holds items of the size and sign that `old` says.
std::string with_numbers(Bytes file, const OnnxSpelled& old, Bytes numbers, const std::string& name);

}  // namespace dws::format
