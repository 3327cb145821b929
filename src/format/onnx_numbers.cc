#include "format/onnx_numbers.h"

namespace dws::format {
namespace {

class Encoder {
 public:
  Encoder(const OnnxSpelled& old, Bytes numbers) : old_(old), rest_(numbers) {}

  void one(std::string& to) {
    uint64_t bits = 0;
    const auto item = static_cast<size_t>(old_.item);
    std::memcpy(&bits, rest_.data(), item);
    rest_ = rest_.subspan(item);
    if (old_.field == 4 || old_.field == 10) {
      to.append(reinterpret_cast<const char*>(&bits), item);
      return;
    }
    const int unused = 64 - 8 * old_.item;
    if (old_.is_signed)  // negative ones are ten bytes, whatever their type
      bits = static_cast<uint64_t>(static_cast<int64_t>(bits << unused) >> unused);
    put_varint(bits, to);
  }

 private:
  const OnnxSpelled& old_;
  Bytes rest_;
};

}  // namespace

std::string with_numbers(Bytes file, const OnnxSpelled& old, Bytes numbers, const std::string& name) {
  std::string made, list;
  Encoder encoder(old, numbers);
  WireReader tensor(file, old.begin, old.end, name);
  for (WireField field; tensor.next(field);) {
    if (field.number != static_cast<uint64_t>(old.field)) {
      made.append(reinterpret_cast<const char*>(file.data()) + field.start, field.end - field.start);
      continue;
    }
    put_varint(field.number << 3 | static_cast<uint64_t>(field.wire), made);
    if (field.wire != Wire::bytes) {
      encoder.one(made);
      continue;
    }
    list.clear();
    each_number(file, {.field = old.field, .begin = field.content, .end = field.end}, name,
                [&](uint64_t) { encoder.one(list); });
    put_varint(list.size(), made);
    made += list;
  }
  return made;
}

}  // namespace dws::format
