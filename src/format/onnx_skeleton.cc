#include "format/onnx_skeleton.h"

#include <limits>

#include "core/text.h"
#include "format/failure.h"
#include "format/onnx_wire.h"

namespace dws::format {
namespace {

constexpr int kDeepest = 100;
constexpr uint64_t kMemoryFloor = uint64_t{64} << 20, kMemoryFactor = 16;

// What a message is. `value` and what follows it hold no tensors: they are looked at for their size alone.
enum class Kind {
  other,  // a string, or nothing that is known
  model,
  training,
  function,
  graph,
  node,
  attribute,
  sparse,
  tensor,
  value,
  type,
  tensor_type,
  wrapped_type,
  map_type,
  shape,
  annotation,
  leaf
};
constexpr bool holds_tensors(Kind kind) {
  return kind > Kind::other && kind <= Kind::tensor;
}

struct Child {
  Kind parent;
  uint64_t field;
  Kind kind;
  bool once = false;
};
// Field numbers: onnx.proto of ONNX 1.12, unchanged since.
constexpr Child kChildren[] = {
    {Kind::model, 7, Kind::graph, true},
    {Kind::model, 8, Kind::leaf},
    {Kind::model, 14, Kind::leaf},
    {Kind::model, 20, Kind::training},
    {Kind::model, 25, Kind::function},
    {Kind::training, 1, Kind::graph, true},
    {Kind::training, 2, Kind::graph, true},
    {Kind::training, 3, Kind::leaf},
    {Kind::training, 4, Kind::leaf},
    {Kind::function, 7, Kind::node},
    {Kind::function, 9, Kind::leaf},
    {Kind::function, 11, Kind::attribute},
    {Kind::graph, 1, Kind::node},
    {Kind::graph, 5, Kind::tensor},
    {Kind::graph, 11, Kind::value},
    {Kind::graph, 12, Kind::value},
    {Kind::graph, 13, Kind::value},
    {Kind::graph, 14, Kind::annotation},
    {Kind::graph, 15, Kind::sparse},
    {Kind::node, 5, Kind::attribute},
    {Kind::attribute, 5, Kind::tensor, true},
    {Kind::attribute, 6, Kind::graph, true},
    {Kind::attribute, 10, Kind::tensor},
    {Kind::attribute, 11, Kind::graph},
    {Kind::attribute, 14, Kind::type},
    {Kind::attribute, 15, Kind::type},
    {Kind::attribute, 22, Kind::sparse, true},
    {Kind::attribute, 23, Kind::sparse},
    {Kind::sparse, 1, Kind::tensor, true},
    {Kind::sparse, 2, Kind::tensor, true},
    {Kind::tensor, 3, Kind::leaf},
    {Kind::tensor, 13, Kind::leaf},
    {Kind::value, 2, Kind::type},
    {Kind::type, 1, Kind::tensor_type},
    {Kind::type, 4, Kind::wrapped_type},
    {Kind::type, 5, Kind::map_type},
    {Kind::type, 7, Kind::leaf},
    {Kind::type, 8, Kind::tensor_type},
    {Kind::type, 9, Kind::wrapped_type},
    {Kind::tensor_type, 2, Kind::shape},
    {Kind::wrapped_type, 1, Kind::type},
    {Kind::map_type, 2, Kind::type},
    {Kind::shape, 1, Kind::leaf},
    {Kind::annotation, 2, Kind::leaf},
};
Child child_of(Kind kind, const WireField& field) {
  if (field.wire == Wire::bytes)
    for (const Child& child : kChildren)
      if (child.parent == kind && child.field == field.number) return child;
  return {kind, field.number, Kind::other};
}

// Bytes of memory that one message takes, its fields apart: protobuf's object, the reader's struct of it, the network's, and
// the lists they stand in. Measured by tests/unit/network/onnx_memory_test.cc.
uint64_t cost_of(Kind kind) {
  switch (kind) {
    case Kind::attribute:
      return 1'200;
    case Kind::node:
    case Kind::graph:
    case Kind::function:
    case Kind::tensor:
    case Kind::sparse:
      return 1'000;
    case Kind::value:
      return 500;
    default:
      return 260;
  }
}
constexpr uint64_t kCostOfNumber = 48, kCostOfString = 160;

// Which numbers of TensorProto a field holds; 0: none.
constexpr uint64_t kRawData = 9, kStringData = 6;
uint64_t numbers_in(const WireField& field) {
  const bool bytes = field.wire == Wire::bytes;
  switch (field.number) {
    case 4:
      return bytes || field.wire == Wire::fixed32 ? 4 : 0;
    case 10:
      return bytes || field.wire == Wire::fixed64 ? 10 : 0;
    case 5:
    case 7:
    case 11:
      return bytes || field.wire == Wire::varint ? field.number : 0;
    case kRawData:
    case kStringData:
      return bytes ? field.number : 0;
    default:
      return 0;
  }
}

class Copier {
 public:
  Copier(Bytes file, const std::string& name, OnnxSkeleton& out)
      : file_(file), name_(name), out_(out), most_(kMemoryFloor + kMemoryFactor * file.size()) {}

  // Bytes [begin, end) are a message of this kind.
  void copy(Kind kind, uint64_t begin, uint64_t end, int depth) {
    enter(kind, begin, depth);
    if (kind == Kind::tensor) return copy_tensor(begin, end, depth);
    WireReader reader(file_, begin, end, name_);
    uint32_t seen = 0;
    for (WireField field; reader.next(field);) {
      const Child child = child_of(kind, field);
      if (child.once && (seen >> field.number & 1))
        reader.broken(field.start, text("field {} of a message stands twice", field.number));
      if (child.once) seen |= uint32_t{1} << field.number;
      if (!holds_tensors(child.kind)) {
        weigh(kind, child.kind, field, depth);
        keep(field);
        continue;
      }
      put_varint(field.number << 3 | 2, out_.message);
      // The length takes five bytes whatever it is, so that it can be filled in afterwards.
      const size_t length_at = out_.message.size();
      out_.message.append(5, '\0');
      copy(child.kind, field.content, field.end, depth + 1);
      uint64_t length = out_.message.size() - length_at - 5;
      for (size_t i = 0; i < 5; ++i, length >>= 7)
        out_.message[length_at + i] = static_cast<char>((length & 0x7f) | (i < 4 ? 0x80 : 0));
    }
  }

 private:
  void enter(Kind kind, uint64_t byte, int depth) {
    if (depth > kDeepest)
      fail(ErrorKind::resource_limit, {.file = name_,
                                       .what = "messages lie too deep",
                                       .byte = byte,
                                       .expected = text("at most {}", kDeepest)});
    spend(cost_of(kind), byte);
  }
  void spend(uint64_t memory, uint64_t byte) {
    need_ += memory;
    if (need_ > most_)
      fail(ErrorKind::resource_limit,
           {.file = name_,
            .what = "its messages would take too much memory",
            .byte = byte,
            .expected = text("at most {} bytes of memory for {} of the file", most_, file_.size()),
            .got = "more"});
  }
  void keep(const WireField& field) {
    out_.message.append(reinterpret_cast<const char*>(file_.data()) + field.start, field.end - field.start);
  }
  // What a field that is copied as it is takes.
  void weigh(Kind parent, Kind kind, const WireField& field, int depth) {
    if (kind != Kind::other) return weigh_message(kind, field, depth + 1);
    const uint64_t size = field.end - field.content;
    if (field.wire != Wire::bytes) return spend(kCostOfNumber, field.start);
    // Attributes' lists of numbers may be packed, a byte a number.
    const bool numbers = parent == Kind::attribute && (field.number == 7 || field.number == 8);
    spend(kCostOfString + (numbers ? kCostOfNumber : 2) * size, field.start);
  }
  void weigh_message(Kind kind, const WireField& message, int depth) {
    enter(kind, message.start, depth);
    WireReader reader(file_, message.content, message.end, name_);
    for (WireField field; reader.next(field);) weigh(kind, child_of(kind, field).kind, field, depth);
  }

  void copy_tensor(uint64_t begin, uint64_t end, int depth) {
    TensorPayload payload{.tensor_begin = begin, .tensor_end = end};
    uint32_t present = 0;  // fields with numbers, a bit each
    int pieces = 0;
    WireReader first(file_, begin, end, name_);
    for (WireField field; first.next(field);) {
      const uint64_t numbers = numbers_in(field);
      if (numbers == 0) continue;
      if (numbers == kRawData && (present >> kRawData & 1))
        first.broken(field.start, "raw_data stands twice");
      present |= uint32_t{1} << numbers;
      ++pieces;
      payload.field = static_cast<int>(numbers);
      payload.in_one_piece = pieces == 1 && field.wire == Wire::bytes;
      payload.begin = field.content;
      payload.end = field.end;
    }
    const bool one = (present & (present - 1)) == 0;
    WireReader reader(file_, begin, end, name_);
    uint32_t written = 0;
    for (WireField field; reader.next(field);) {
      const uint64_t numbers = numbers_in(field);
      if (numbers == 0 || (one && numbers == kStringData)) {
        weigh(Kind::tensor, child_of(Kind::tensor, field).kind, field, depth);
        keep(field);
        continue;
      }
      if (written >> numbers & 1) continue;
      written |= uint32_t{1} << numbers;
      if (one)
        put_payload(payload);
      else
        put_sign_of(numbers);
    }
  }
  void put_payload(const TensorPayload& payload) {
    put_varint(kRawData << 3 | 2, out_.message);
    put_varint(8, out_.message);
    for (uint64_t index = out_.payloads.size(), i = 0; i < 8; ++i, index >>= 8)
      out_.message.push_back(static_cast<char>(index & 0xff));
    out_.payloads.push_back(payload);
  }
  void put_sign_of(uint64_t numbers) {
    const size_t size = numbers == 4 ? 4 : numbers == 10 ? 8 : 1;
    put_varint(numbers << 3 | 2, out_.message);
    put_varint(size, out_.message);
    out_.message.append(size, '\0');
  }

  Bytes file_;
  const std::string& name_;
  OnnxSkeleton& out_;
  uint64_t most_, need_ = 0;
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
  Copier(file, name, out).copy(Kind::model, 0, file.size(), 1);
  if (out.message.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max()))
    fail(ErrorKind::too_large, {.file = name, .what = "too large for an ONNX file"});
  return out;
}

}  // namespace dws::format
