#include "format/onnx_skeleton.h"

#include <array>
#include <limits>

#include "core/text.h"
#include "format/failure.h"

namespace dws::format {
namespace {

constexpr int kDeepest = 100;

// What a message is, as far as the way to tensors goes. Field numbers: onnx.proto of ONNX 1.12, unchanged since.
enum class Kind { other, model, training, function, graph, node, attribute, sparse, tensor };

Kind child_of(Kind kind, uint64_t field) {
  switch (kind) {
    case Kind::model:
      return field == 7    ? Kind::graph
             : field == 20 ? Kind::training
             : field == 25 ? Kind::function
                           : Kind::other;
    case Kind::training:
      return field == 1 || field == 2 ? Kind::graph : Kind::other;
    case Kind::function:
      return field == 7 ? Kind::node : field == 11 ? Kind::attribute : Kind::other;
    case Kind::graph:
      return field == 1 ? Kind::node : field == 5 ? Kind::tensor : field == 15 ? Kind::sparse : Kind::other;
    case Kind::node:
      return field == 5 ? Kind::attribute : Kind::other;
    case Kind::attribute:
      return field == 5 || field == 10    ? Kind::tensor
             : field == 6 || field == 11  ? Kind::graph
             : field == 22 || field == 23 ? Kind::sparse
                                          : Kind::other;
    case Kind::sparse:
      return field == 1 || field == 2 ? Kind::tensor : Kind::other;
    case Kind::tensor:
    case Kind::other:
      break;
  }
  return Kind::other;
}
// Of TensorProto.
constexpr uint64_t kFloatData = 4, kRawData = 9, kDoubleData = 10;

class Copier {
 public:
  Copier(Bytes file, const std::string& name, OnnxSkeleton& out) : file_(file), name_(name), out_(out) {}

  // Bytes [at_, end) are a message of this kind.
  void copy(Kind kind, uint64_t end, std::string& to, int depth) {
    if (depth > kDeepest)
      fail(ErrorKind::resource_limit, {.file = name_,
                                       .what = "messages lie too deep",
                                       .byte = at_,
                                       .expected = text("at most {}", kDeepest)});
    const uint64_t packed = kind == Kind::tensor ? only_packed_field(end) : 0;
    while (at_ < end) {
      const uint64_t start = at_, tag = varint(end), field = tag >> 3;
      if (field == 0 || field > 0x1fffffff) broken(start, "a field number out of range");
      switch (tag & 7) {
        case 0:
          varint(end);
          break;
        case 1:
          skip(8, end);
          break;
        case 5:
          skip(4, end);
          break;
        case 2: {
          const uint64_t head = at_, size = varint(end);
          if (size > end - at_) broken(head, text("a length of {} where {} bytes are left", size, end - at_));
          const Kind child = child_of(kind, field);
          if (kind == Kind::tensor && (field == kRawData || field == packed)) {
            put_varint(kRawData << 3 | 2, to);
            put_payload(size, static_cast<int>(field), to);
            continue;
          }
          if (child != Kind::other) {
            std::string inside;
            copy(child, at_ + size, inside, depth + 1);
            put_varint(tag, to);
            put_varint(inside.size(), to);
            to += inside;
            continue;
          }
          at_ += size;
          break;
        }
        default:
          broken(start, "a group or an unknown wire type");
      }
      to.append(reinterpret_cast<const char*>(file_.data()) + start, at_ - start);
    }
  }

 private:
  [[noreturn]] void broken(uint64_t byte, const std::string& what) const {
    fail(ErrorKind::bad_protobuf, {.file = name_,
                                   .what = "not an ONNX file: " + what,
                                   .byte = byte,
                                   .advice = "an ONNX file is a protobuf message of type onnx.ModelProto"});
  }
  void skip(uint64_t count, uint64_t end) {
    if (count > end - at_) broken(at_, "a number is cut off");
    at_ += count;
  }
  uint64_t varint(uint64_t end) {
    const uint64_t start = at_;
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at_ == end) broken(start, "a number is cut off");
      const auto byte = static_cast<uint64_t>(file_[at_++]);
      if (shift == 63 && byte > 1) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    broken(start, "a number of more than 64 bits");
  }
  static void put_varint(uint64_t value, std::string& to) {
    for (; value >= 0x80; value >>= 7) to.push_back(static_cast<char>(value | 0x80));
    to.push_back(static_cast<char>(value));
  }
  // float_data or double_data, when the tensor that ends at `end` has numbers there, packed, once, and nowhere else; else 0.
  uint64_t only_packed_field(uint64_t end) {
    const uint64_t start = at_;
    uint64_t found = 0;
    int with_numbers = 0;
    while (at_ < end) {
      const uint64_t tag = varint(end), field = tag >> 3, type = tag & 7;
      // dims, data_type, name, segments and the like are no numbers.
      if ((field >= 4 && field <= 7) || (field >= 9 && field <= 11)) {
        ++with_numbers;
        if (type == 2 && (field == kFloatData || field == kDoubleData)) found = field;
      }
      if (type == 0)
        varint(end);
      else if (type == 1)
        skip(8, end);
      else if (type == 5)
        skip(4, end);
      else if (type == 2)
        skip(varint(end), end);
      else
        break;  // copy() says what is wrong
    }
    at_ = start;
    return with_numbers == 1 ? found : 0;
  }
  void put_payload(uint64_t size, int field, std::string& to) {
    put_varint(8, to);
    for (uint64_t index = out_.payloads.size(), i = 0; i < 8; ++i, index >>= 8)
      to.push_back(static_cast<char>(index & 0xff));
    out_.payloads.push_back({at_, at_ + size, field});
    at_ += size;
  }

  Bytes file_;
  const std::string& name_;
  OnnxSkeleton& out_;
  uint64_t at_ = 0;
};

}  // namespace

OnnxSkeleton onnx_skeleton(Bytes file, const std::string& name) {
  if (file.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max()))
    fail(ErrorKind::too_large, {.file = name,
                                .what = "too large for an ONNX file",
                                .expected = "at most 2147483647 bytes",
                                .got = text("{}", file.size()),
                                .advice = "models beyond 2 GiB keep their tensors in external data"});
  OnnxSkeleton out;
  Copier(file, name, out).copy(Kind::model, file.size(), out.message, 1);
  return out;
}

}  // namespace dws::format
