// One TensorProto: which of its fields holds the numbers, and whether they are as many as its shape says.
#include <cstring>
#include <limits>
#include <string_view>

#include "core/text.h"
#include "format/onnx_numbers.h"
#include "format/onnx_parts.h"
#include "format/shape_text.h"

namespace dws::format {
namespace {

enum class Field { raw, floats, int32s, strings, int64s, doubles, uint64s, external };
const char* name_of(Field field) {
  constexpr const char* kNames[] = {"raw_data",   "float_data",  "int32_data",  "string_data",
                                    "int64_data", "double_data", "uint64_data", "external_data"};
  return kNames[static_cast<int>(field)];
}

Field typed_field(OnnxType type) {
  switch (type) {
    case OnnxType::f32:
    case OnnxType::c64:
      return Field::floats;
    case OnnxType::f64:
    case OnnxType::c128:
      return Field::doubles;
    case OnnxType::i64:
      return Field::int64s;
    case OnnxType::u32:
    case OnnxType::u64:
      return Field::uint64s;
    case OnnxType::string:
      return Field::strings;
    default:
      return Field::int32s;
  }
}

class TensorReader {
 public:
  TensorReader(OnnxSource& source, const onnx::TensorProto& proto, const std::string& where)
      : source_(source), proto_(proto), where_(proto.name().empty() ? where : proto.name()) {}

  OnnxTensor read() {
    tensor_.name = proto_.name();
    read_type();
    read_shape();
    std::vector<Field> fields = fields_present();
    if (fields.size() > 1)
      refuse(ErrorKind::bad_schema,
             text("its numbers are in {} and in {}", name_of(fields[0]), name_of(fields[1])));
    if (proto_.has_segment()) refuse(ErrorKind::bad_schema, "a tensor in segments, which no exporter writes");
    if (fields.empty()) {
      if (tensor_.elements() > 0)
        refuse(ErrorKind::truncated, "it has no numbers", text("{}", tensor_.elements()), "0");
      return std::move(tensor_);
    }
    if (fields[0] == Field::external) {
      if (tensor_.type == OnnxType::string) refuse(ErrorKind::bad_schema, "strings cannot be external data");
      tensor_.external = true;
      tensor_.bytes = read_external_data(source_, proto_, where_, size());
    } else if (fields[0] == Field::raw) {
      read_raw();
    } else {
      read_typed(fields[0]);
    }
    return std::move(tensor_);
  }

 private:
  [[noreturn]] void refuse(ErrorKind kind, const std::string& what, const std::string& expected = {},
                           const std::string& got = {}, std::optional<uint64_t> byte = {}) const {
    fail(kind, {.file = source_.file,
                .what = what,
                .byte = byte,
                .tensor = where_,
                .expected = expected,
                .got = got});
  }

  void read_type() {
    const int32_t type = proto_.data_type();
    if (type < 1 || type > kLastOnnxType)
      refuse(ErrorKind::unknown_dtype, "unknown data type", text("1 to {}", kLastOnnxType), text("{}", type));
    tensor_.type = static_cast<OnnxType>(type);
  }

  void read_shape() {
    if (static_cast<size_t>(proto_.dims_size()) > source_.limits.rank)
      refuse(ErrorKind::resource_limit, "too many dimensions", text("at most {}", source_.limits.rank),
             text("{}", proto_.dims_size()));
    tensor_.dims.assign(proto_.dims().begin(), proto_.dims().end());
    // With a dimension of 0 the others may be anything, but their product is asked for all the same.
    int64_t bits = std::max(1, onnx_type_bits(tensor_.type));
    for (const int64_t extent : tensor_.dims) {
      if (extent < 0) refuse(ErrorKind::bad_value, "a negative dimension", "", shape_text(tensor_.dims));
      if (__builtin_mul_overflow(bits, std::max<int64_t>(extent, 1), &bits))
        refuse(ErrorKind::shape_overflow, "its size does not fit", "", shape_text(tensor_.dims));
    }
  }

  // The skeleton has put the numbers of a tensor with one field of them aside, whichever it is.
  const TensorPayload& payload() const {
    uint64_t index = 0;
    if (proto_.raw_data().size() != sizeof index) refuse(ErrorKind::internal, "a payload without its index");
    for (size_t i = sizeof index; i-- > 0;) index = index << 8 | static_cast<uint8_t>(proto_.raw_data()[i]);
    return source_.payloads.at(index);
  }
  static Field field_of(const TensorPayload& payload) {
    switch (payload.field) {
      case 4:
        return Field::floats;
      case 5:
        return Field::int32s;
      case 7:
        return Field::int64s;
      case 10:
        return Field::doubles;
      case 11:
        return Field::uint64s;
      default:
        return Field::raw;
    }
  }

  std::vector<Field> fields_present() const {
    std::vector<Field> fields;
    const auto add = [&](bool present, Field field) {
      if (present) fields.push_back(field);
    };
    add(proto_.float_data_size() > 0, Field::floats);
    add(proto_.int32_data_size() > 0, Field::int32s);
    add(proto_.string_data_size() > 0, Field::strings);
    add(proto_.int64_data_size() > 0, Field::int64s);
    add(proto_.double_data_size() > 0, Field::doubles);
    add(proto_.uint64_data_size() > 0, Field::uint64s);
    if (proto_.has_raw_data())
      fields.insert(fields.begin(), fields.empty() ? field_of(payload()) : Field::raw);
    add(proto_.data_location() == onnx::TensorProto::EXTERNAL, Field::external);
    return fields;
  }

  // In bytes, of all elements.
  uint64_t size() const {
    return (static_cast<uint64_t>(tensor_.elements()) * static_cast<uint64_t>(onnx_type_bits(tensor_.type)) +
            7) /
           8;
  }

  void read_raw() {
    const TensorPayload& raw = payload();
    if (tensor_.type == OnnxType::string)
      refuse(ErrorKind::bad_schema, "strings cannot be raw data", "", "", raw.begin);
    const uint64_t got = raw.end - raw.begin;
    if (got != size())
      refuse(ErrorKind::size_mismatch,
             text("raw_data does not fit {} of shape {}", onnx_type_name(tensor_.type), tensor_.shape_str()),
             text("{} bytes", size()), text("{}", got), raw.begin);
    tensor_.bytes = source_.bytes.subspan(raw.begin, got);
  }

  void require_count(Field field, uint64_t got, uint64_t expected, std::optional<uint64_t> byte = {}) const {
    if (got != expected)
      refuse(ErrorKind::size_mismatch,
             text("{} does not fit {} of shape {}", name_of(field), onnx_type_name(tensor_.type),
                  tensor_.shape_str()),
             text("{} numbers", expected), text("{}", got), byte);
  }

  // How a typed field holds the numbers of a type: an item each, of so many bytes, within these bounds.
  struct Items {
    int bytes = 0;
    bool is_signed = false;
    int64_t low = 0, high = 0;  // of int32_data
  };
  Items items() const {
    switch (tensor_.type) {
      case OnnxType::f32:
      case OnnxType::c64:
      case OnnxType::u32:
        return {.bytes = 4};
      case OnnxType::f64:
      case OnnxType::c128:
      case OnnxType::i64:
      case OnnxType::u64:
        return {.bytes = 8};
      default:
        break;
    }
    // Everything of at most 32 bits that is no float32: integers as they are, other types as their bits; below 8 bits an
    // item holds those of one byte.
    const int width = std::max(8, onnx_type_bits(tensor_.type));
    const bool is_signed =
        tensor_.type == OnnxType::i8 || tensor_.type == OnnxType::i16 || tensor_.type == OnnxType::i32;
    return {
        .bytes = width / 8,
        .is_signed = is_signed,
        .low = is_signed ? -(int64_t{1} << (width - 1)) : 0,
        .high = tensor_.type == OnnxType::boolean ? 1 : (int64_t{1} << (width - (is_signed ? 1 : 0))) - 1};
  }

  void read_typed(Field field) {
    if (field != typed_field(tensor_.type))
      refuse(ErrorKind::bad_schema,
             text("numbers of type {} in {}", onnx_type_name(tensor_.type), name_of(field)),
             name_of(typed_field(tensor_.type)), name_of(field),
             field == Field::strings ? std::nullopt : std::optional(payload().begin));
    if (field == Field::strings)
      return require_count(field, static_cast<uint64_t>(proto_.string_data_size()),
                           static_cast<uint64_t>(tensor_.elements()));
    const TensorPayload& from = payload();
    const Items item = items();
    const uint64_t count = size() / static_cast<uint64_t>(item.bytes);
    uint64_t got = 0;  // before there is memory for them: a shape is nine bytes
    each_number(source_.bytes, from, source_.file, [&](uint64_t) { ++got; });
    require_count(field, got, count, from.begin);
    if (from.in_one_piece && (field == Field::floats || field == Field::doubles)) {
      tensor_.bytes = source_.bytes.subspan(from.begin, from.end - from.begin);
      return;
    }
    OnnxSpelled& own = source_.spelled.emplace_back(OnnxSpelled{.numbers = {},
                                                                .begin = from.tensor_begin,
                                                                .end = from.tensor_end,
                                                                .field = from.field,
                                                                .item = item.bytes,
                                                                .is_signed = item.is_signed});
    own.numbers.resize(size());
    uint64_t i = 0;
    each_number(source_.bytes, from, source_.file, [&](uint64_t number) {
      if (!fits(field, item, number)) out_of_range(field, i, number, from.begin);
      std::memcpy(own.numbers.data() + i * static_cast<uint64_t>(item.bytes), &number,
                  static_cast<size_t>(item.bytes));
      ++i;
    });
    tensor_.bytes = own.numbers;
  }
  bool fits(Field field, const Items& item, uint64_t number) const {
    if (field == Field::uint64s) return item.bytes == 8 || number <= std::numeric_limits<uint32_t>::max();
    if (field != Field::int32s) return true;
    // A negative number cut to 32 bits is read as protobuf reads it.
    const int64_t value = number <= std::numeric_limits<uint32_t>::max() && item.is_signed
                              ? static_cast<int32_t>(static_cast<uint32_t>(number))
                              : static_cast<int64_t>(number);
    return value >= item.low && value <= item.high;
  }
  [[noreturn]] void out_of_range(Field field, uint64_t i, uint64_t number, uint64_t byte) const {
    refuse(ErrorKind::bad_value, text("{}[{}] is no {}", name_of(field), i, onnx_type_name(tensor_.type)), "",
           field == Field::uint64s ? text("{}", number) : text("{}", static_cast<int64_t>(number)), byte);
  }

  OnnxSource& source_;
  const onnx::TensorProto& proto_;
  std::string where_;
  OnnxTensor tensor_;
};

}  // namespace

OnnxTensor read_onnx_tensor(OnnxSource& source, const onnx::TensorProto& proto, const std::string& where) {
  return TensorReader(source, proto, where).read();
}

}  // namespace dws::format
