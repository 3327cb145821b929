// One TensorProto: which of its fields holds the numbers, and whether they are as many as its shape says.
#include <cstring>
#include <limits>
#include <string_view>

#include "core/text.h"
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

  std::vector<Field> fields_present() const {
    std::vector<Field> fields;
    const auto add = [&](bool present, Field field) {
      if (present) fields.push_back(field);
    };
    add(proto_.data_location() == onnx::TensorProto::EXTERNAL, Field::external);
    add(proto_.has_raw_data(), Field::raw);
    add(proto_.float_data_size() > 0, Field::floats);
    add(proto_.int32_data_size() > 0, Field::int32s);
    add(proto_.string_data_size() > 0, Field::strings);
    add(proto_.int64_data_size() > 0, Field::int64s);
    add(proto_.double_data_size() > 0, Field::doubles);
    add(proto_.uint64_data_size() > 0, Field::uint64s);
    return fields;
  }

  // In bytes, of all elements.
  uint64_t size() const {
    return (static_cast<uint64_t>(tensor_.elements()) * static_cast<uint64_t>(onnx_type_bits(tensor_.type)) +
            7) /
           8;
  }

  void read_raw() {
    uint64_t index = 0;  // the skeleton's
    if (proto_.raw_data().size() != sizeof index) refuse(ErrorKind::internal, "a payload without its index");
    for (size_t i = sizeof index; i-- > 0;) index = index << 8 | static_cast<uint8_t>(proto_.raw_data()[i]);
    const RawPayload& payload = source_.payloads.at(index);
    const Field field = payload.field == 9 ? Field::raw : payload.field == 4 ? Field::floats : Field::doubles;
    if (field != Field::raw) require_field(field);
    if (tensor_.type == OnnxType::string)
      refuse(ErrorKind::bad_schema, "strings cannot be raw data", "", "", payload.begin);
    const uint64_t got = payload.end - payload.begin, item = field == Field::floats ? 4 : 8;
    if (field != Field::raw) {
      if (got % item != 0)
        refuse(ErrorKind::bad_protobuf, text("{} ends within a number", name_of(field)), "", "",
               payload.begin);
      require_count(field, static_cast<int64_t>(got / item), static_cast<int64_t>(size() / item));
    } else if (got != size()) {
      refuse(ErrorKind::size_mismatch,
             text("raw_data does not fit {} of shape {}", onnx_type_name(tensor_.type), tensor_.shape_str()),
             text("{} bytes", size()), text("{}", got), payload.begin);
    }
    tensor_.bytes = source_.bytes.subspan(payload.begin, payload.end - payload.begin);
  }

  void require_count(Field field, int64_t got, int64_t expected) const {
    if (got != expected)
      refuse(ErrorKind::size_mismatch,
             text("{} does not fit {} of shape {}", name_of(field), onnx_type_name(tensor_.type),
                  tensor_.shape_str()),
             text("{}", expected), text("{}", got));
  }

  // n numbers of `bytes` bytes each from get(i).
  template <class Get>
  void own(int64_t n, size_t bytes, Get get) {
    std::vector<std::byte>& to = source_.owned.emplace_back(static_cast<size_t>(n) * bytes);
    for (int64_t i = 0; i < n; ++i) {
      const auto value = get(static_cast<int>(i));
      std::memcpy(to.data() + static_cast<size_t>(i) * bytes, &value, bytes);
    }
    tensor_.bytes = to;
  }

  void require_field(Field field) const {
    if (field != typed_field(tensor_.type))
      refuse(ErrorKind::bad_schema,
             text("numbers of type {} in {}", onnx_type_name(tensor_.type), name_of(field)),
             name_of(typed_field(tensor_.type)));
  }
  void read_typed(Field field) {
    const int64_t elements = tensor_.elements();
    require_field(field);
    switch (field) {
      case Field::floats: {
        const int64_t n = elements * (tensor_.type == OnnxType::c64 ? 2 : 1);
        require_count(field, proto_.float_data_size(), n);
        return own(n, 4, [&](int i) { return proto_.float_data(i); });
      }
      case Field::doubles: {
        const int64_t n = elements * (tensor_.type == OnnxType::c128 ? 2 : 1);
        require_count(field, proto_.double_data_size(), n);
        return own(n, 8, [&](int i) { return proto_.double_data(i); });
      }
      case Field::int64s:
        require_count(field, proto_.int64_data_size(), elements);
        return own(elements, 8, [&](int i) { return proto_.int64_data(i); });
      case Field::uint64s:
        require_count(field, proto_.uint64_data_size(), elements);
        for (int i = 0; tensor_.type == OnnxType::u32 && i < proto_.uint64_data_size(); ++i)
          if (proto_.uint64_data(i) > std::numeric_limits<uint32_t>::max())
            out_of_range(field, i, proto_.uint64_data(i));
        return own(elements, tensor_.type == OnnxType::u32 ? 4 : 8,
                   [&](int i) { return proto_.uint64_data(i); });
      case Field::strings:
        return require_count(field, proto_.string_data_size(), elements);
      default:
        return read_int32s();
    }
  }

  template <class T>
  [[noreturn]] void out_of_range(Field field, int i, T value) const {
    refuse(ErrorKind::bad_value, text("{}[{}] is no {}", name_of(field), i, onnx_type_name(tensor_.type)), "",
           text("{}", value));
  }

  // Everything of at most 32 bits that is no float32: integers as they are, other types as their bits; below 8 bits an
  // entry holds those of one byte.
  void read_int32s() {
    const int bits = onnx_type_bits(tensor_.type);
    const int64_t n = bits < 8 ? static_cast<int64_t>(size()) : tensor_.elements();
    require_count(Field::int32s, proto_.int32_data_size(), n);
    const bool is_signed =
        tensor_.type == OnnxType::i8 || tensor_.type == OnnxType::i16 || tensor_.type == OnnxType::i32;
    const int width = std::max(bits, 8);
    const int64_t low = is_signed ? -(int64_t{1} << (width - 1)) : 0,
                  high = tensor_.type == OnnxType::boolean
                             ? 1
                             : (int64_t{1} << (width - (is_signed ? 1 : 0))) - 1;
    for (int i = 0; i < proto_.int32_data_size(); ++i)
      if (proto_.int32_data(i) < low || proto_.int32_data(i) > high)
        out_of_range(Field::int32s, i, proto_.int32_data(i));
    own(n, static_cast<size_t>(width) / 8, [&](int i) { return proto_.int32_data(i); });
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
