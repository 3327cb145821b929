// What the ONNX reader refuses of tensors. The list is in onnx_refused.h.
#include "onnx_refused.h"

namespace dws {
namespace {

using testing::accept;
using testing::add_floats;
using testing::Model;
using testing::refuse;
using testing::w;
using Tensor = onnx::TensorProto;

TEST(OnnxRefused, TypesAndShapes) {
  // tensor: type 0 or unknown
  for (const int type : {0, -1, 27, 99})
    refuse(
        ErrorKind::unknown_dtype, [=](Model& m) { w(m).set_data_type(type); },
        "unknown data type (tensor 'W'): expected 1 to 26, got " + std::to_string(type));
  refuse(
      ErrorKind::unknown_dtype, [](Model& m) { w(m).clear_data_type(); }, "got 0");
  // tensor: negative dimension, size overflow, rank
  refuse(
      ErrorKind::bad_value, [](Model& m) { w(m).set_dims(0, -2); },
      "a negative dimension (tensor 'W'): got (-2, 3)");
  refuse(
      ErrorKind::shape_overflow,
      [](Model& m) { w(m).set_dims(0, int64_t{1} << 33), w(m).set_dims(1, int64_t{1} << 33); },
      "its size does not fit (tensor 'W'): got (8589934592, 8589934592)");
  refuse(  // also where a dimension of 0 makes the product 0
      ErrorKind::shape_overflow,
      [](Model& m) {
        w(m).set_dims(0, int64_t{1} << 62), w(m).set_dims(1, 4), w(m).add_dims(0), w(m).clear_raw_data();
      },
      "does not fit");
  refuse(  // also of packed numbers of 2 bits, whose bytes would fit
      ErrorKind::shape_overflow,
      [](Model& m) { w(m).set_data_type(25), w(m).set_dims(0, int64_t{1} << 62), w(m).set_dims(1, 1); },
      "does not fit");
  refuse(
      ErrorKind::resource_limit,
      [](Model& m) {
        for (int i = 0; i < 63; ++i) w(m).add_dims(1);
      },
      "too many dimensions (tensor 'W'): expected at most 64, got 65");
}

// W becomes one of this type and size, and has no numbers.
Tensor& bare(Model& m, int type, int64_t size) {
  w(m).clear_raw_data(), w(m).clear_dims(), w(m).set_data_type(type), w(m).add_dims(size);
  return w(m);
}
// One number of the field, by its number in TensorProto.
void add_one(Tensor& t, int field) {
  if (field == 4) t.add_float_data(1);
  if (field == 5) t.add_int32_data(1);
  if (field == 6) t.add_string_data("1");
  if (field == 7) t.add_int64_data(1);
  if (field == 9) t.set_raw_data("1");
  if (field == 10) t.add_double_data(1);
  if (field == 11) t.add_uint64_data(1);
}
int typed_field(int type) {
  switch (static_cast<OnnxType>(type)) {
    case OnnxType::f32:
    case OnnxType::c64:
      return 4;
    case OnnxType::f64:
    case OnnxType::c128:
      return 10;
    case OnnxType::i64:
      return 7;
    case OnnxType::u32:
    case OnnxType::u64:
      return 11;
    case OnnxType::string:
      return 6;
    default:
      return 5;
  }
}
int64_t count_of(int type) {  // numbers of the typed field in 8 elements
  const int bits = onnx_type_bits(static_cast<OnnxType>(type));
  return bits == 0 ? 8 : bits < 8 ? bits : type == 14 || type == 15 ? 16 : 8;
}

TEST(OnnxRefused, FieldsOfNumbers) {
  constexpr int kFields[] = {4, 5, 6, 7, 10, 11};
  int tried = 0;
  for (int type = 1; type <= kLastOnnxType; ++type) {
    const int right = typed_field(type);
    std::string file;
    const auto full = [&](Tensor& t, int64_t count) {
      for (int64_t i = 0; i < count; ++i) add_one(t, right);
    };
    EXPECT_NO_THROW(accept([&](Model& m) { full(bare(m, type, 8), count_of(type)); }, file)) << type;
    // tensor: numbers in the wrong typed field
    for (const int field : kFields) {
      if (field == right) continue;
      refuse(
          ErrorKind::bad_schema, [&](Model& m) { add_one(bare(m, type, 1), field); },
          std::string("numbers of type ") + onnx_type_name(static_cast<OnnxType>(type)) + " in ");
      ++tried;
      // tensor: two fields with numbers
      refuse(
          ErrorKind::bad_schema,
          [&](Model& m) {
            Tensor& t = bare(m, type, 8);
            full(t, count_of(type)), add_one(t, field);
          },
          "its numbers are in ");
    }
    refuse(
        ErrorKind::bad_schema,
        [&](Model& m) {
          Tensor& t = bare(m, type, 8);
          full(t, count_of(type)), add_one(t, 9);
        },
        "its numbers are in raw_data and in ");
    // tensor: typed count
    for (const int64_t wrong : {count_of(type) - 1, count_of(type) + 1})
      refuse(
          ErrorKind::size_mismatch, [&](Model& m) { full(bare(m, type, 8), wrong); }, "of shape (8,)");
    // tensor: numbers in an empty one
    refuse(
        ErrorKind::size_mismatch, [&](Model& m) { add_one(bare(m, type, 0), right); }, "got 1");
    // tensor: raw_data too short or long, strings in it
    if (type == Tensor::STRING) {
      refuse(
          ErrorKind::bad_schema, [&](Model& m) { bare(m, type, 1).set_raw_data("1"); },
          "strings cannot be raw data at byte");
      continue;
    }
    const size_t bytes = static_cast<size_t>(onnx_type_bits(static_cast<OnnxType>(type)));  // of 8 elements
    EXPECT_NO_THROW(accept([&](Model& m) { bare(m, type, 8).set_raw_data(std::string(bytes, '\0')); }, file));
    for (const size_t wrong : {bytes - 1, bytes + 1})
      refuse(
          ErrorKind::size_mismatch,
          [&](Model& m) { bare(m, type, 8).set_raw_data(std::string(wrong, '\0')); },
          "expected " + std::to_string(bytes) + " bytes, got " + std::to_string(wrong));
    refuse(
        ErrorKind::size_mismatch, [&](Model& m) { bare(m, type, 0).set_raw_data("1"); },
        "expected 0 bytes, got 1");
    refuse(
        ErrorKind::truncated, [&](Model& m) { bare(m, type, 8); },
        "it has no numbers (tensor 'W'): expected 8, got 0");
  }
  EXPECT_EQ(tried, 26 * 5);
  refuse(
      ErrorKind::size_mismatch, [](Model& m) { w(m).clear_raw_data(), w(m).add_float_data(1); },
      "float_data does not fit FLOAT of shape (2, 3) at byte");
}

TEST(OnnxRefused, NumbersOnTheWire) {
  const auto wire = [](const std::string& bytes) {
    return [=](Model& m) {
      Tensor& t = bare(m, Tensor::FLOAT, 1);
      std::string made = t.SerializeAsString() + bytes;  // fields may stand in any order
      // As a raw message, since protobuf would read and write it anew.
      auto& graph = *m.mutable_graph();
      graph.mutable_initializer()->DeleteSubrange(0, 1);
      graph.GetReflection()->MutableUnknownFields(&graph)->AddLengthDelimited(5, made);
    };
  };
  refuse(ErrorKind::bad_protobuf,
         wire("\x22\x03"
              "abc"),
         "ends within one");
  refuse(ErrorKind::bad_protobuf,
         wire("\x4a\x02"
              "ab"
              "\x4a\x02"
              "ab"),
         "raw_data stands twice at byte");
  // A shape of nine bytes that asks for terabytes is found out before there is memory for it.
  refuse(
      ErrorKind::size_mismatch,
      [](Model& m) { bare(m, Tensor::FLOAT16, int64_t{1} << 50).add_int32_data(1); },
      "expected 1125899906842624 numbers, got 1");
}

TEST(OnnxRefused, NumbersOutsideOfTheirType) {
  struct Case {
    OnnxType type;
    int64_t low, high;
  };
  constexpr Case kCases[] = {
      {OnnxType::u8, 0, 255},
      {OnnxType::i8, -128, 127},
      {OnnxType::u16, 0, 65535},
      {OnnxType::i16, -32768, 32767},
      {OnnxType::boolean, 0, 1},
      {OnnxType::f16, 0, 65535},
      {OnnxType::bf16, 0, 65535},
      {OnnxType::f8_e4m3fn, 0, 255},
      {OnnxType::f8_e4m3fnuz, 0, 255},
      {OnnxType::f8_e5m2, 0, 255},
      {OnnxType::f8_e5m2fnuz, 0, 255},
      {OnnxType::f8_e8m0, 0, 255},
      {OnnxType::u4, 0, 255},
      {OnnxType::i4, 0, 255},
      {OnnxType::f4_e2m1, 0, 255},
      {OnnxType::u2, 0, 255},
      {OnnxType::i2, 0, 255},
      {OnnxType::i32, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()}};
  const auto with = [](OnnxType type, int64_t value) {
    // As 64 bits: protobuf would cut them.
    return [=](Model& m) {
      Tensor& t = bare(m, static_cast<int>(type), 1);
      t.GetReflection()->MutableUnknownFields(&t)->AddVarint(5, static_cast<uint64_t>(value));
    };
  };
  for (const Case& c : kCases) {
    const std::string name = onnx_type_name(c.type);
    std::string file;
    EXPECT_NO_THROW(accept(with(c.type, c.low), file)) << name;
    EXPECT_NO_THROW(accept(with(c.type, c.high), file)) << name;
    for (const int64_t value : {c.low - 1, c.high + 1, int64_t{1} << 32, -(int64_t{1} << 40)}) {
      if (c.type == OnnxType::i32 && value == c.high + 1) continue;  // 32 bits: read as negative
      refuse(ErrorKind::bad_value, with(c.type, value), "int32_data[0] is no " + name);
    }
  }
  refuse(ErrorKind::bad_value, with(OnnxType::u8, 256), "got 256");
  refuse(
      ErrorKind::bad_value, [](Model& m) { bare(m, Tensor::UINT32, 1).add_uint64_data(uint64_t{1} << 32); },
      "uint64_data[0] is no UINT32 at byte");
}

TEST(OnnxRefused, SegmentsAndNames) {
  // tensor: segments
  refuse(
      ErrorKind::bad_schema, [](Model& m) { w(m).mutable_segment()->set_begin(1); },
      "a tensor in segments, which no exporter writes (tensor 'W')");
  // tensor: initializer unnamed or twice
  refuse(
      ErrorKind::bad_schema, [](Model& m) { w(m).clear_name(); }, "initializer without a name");
  refuse(
      ErrorKind::duplicate_name, [](Model& m) { add_floats(*m.mutable_graph(), "W", {1}, {1}); },
      "two initializers are called 'W'");
}

// Two numbers in a (3, 4) tensor.
onnx::SparseTensorProto& sparse(Model& m) {
  onnx::SparseTensorProto& s = *m.mutable_graph()->add_sparse_initializer();
  onnx::GraphProto holder;
  *s.mutable_values() = *add_floats(holder, "S", {2}, {1, 2});
  s.mutable_indices()->set_data_type(Tensor::INT64);
  s.mutable_indices()->add_dims(2);
  s.add_dims(3), s.add_dims(4);
  return s;
}
auto at(const std::vector<int64_t>& indices, const std::vector<int64_t>& dims = {}) {
  return [=](Model& m) {
    Tensor& t = *sparse(m).mutable_indices();
    for (const int64_t i : indices) t.add_int64_data(i);
    if (dims.empty()) return;
    t.clear_dims();
    for (const int64_t d : dims) t.add_dims(d);
  };
}

TEST(OnnxRefused, SparseTensors) {
  std::string file;
  EXPECT_EQ(accept(at({0, 11}), file).graph().sparse, std::vector<std::string>{"S"});
  EXPECT_NO_THROW(accept(at({0, 3, 2, 0}, {2, 2}), file));
  // tensor: sparse indices
  refuse(
      ErrorKind::offset_range, at({0, 12}),
      "index 1 of a sparse tensor lies outside of its shape (3, 4) (tensor 'S'): expected 0 to 11, got 12");
  refuse(ErrorKind::offset_range, at({-1, 0}), "got -1");
  refuse(ErrorKind::offset_range, at({0, 0, 0, 4}, {2, 2}), "expected 0 to 3, got 4");
  refuse(ErrorKind::offset_range, at({3, 0, 0, 0}, {2, 2}), "expected 0 to 2, got 3");
  refuse(ErrorKind::bad_value, at({4, 4}),
         "not behind the one before it (tensor 'S'): expected more than 4, got 4");
  refuse(ErrorKind::bad_value, at({2, 0, 0, 3}, {2, 2}), "expected more than 8, got 3");
  refuse(ErrorKind::size_mismatch, at({0, 1, 2}, {3}), "expected shape (2,) or (2, 2), got (3,)");
  refuse(ErrorKind::size_mismatch, at({0, 1, 2}), "int64_data does not fit INT64 of shape (2,)");
  const auto with = [](const std::function<void(onnx::SparseTensorProto&)>& spoil) {
    return [=](Model& m) {
      onnx::SparseTensorProto& s = sparse(m);
      s.mutable_indices()->add_int64_data(0), s.mutable_indices()->add_int64_data(1);
      spoil(s);
    };
  };
  refuse(ErrorKind::bad_value, with([](auto& s) { s.set_dims(0, 0); }), "expected at least 1, got (0, 4)");
  refuse(ErrorKind::bad_value, with([](auto& s) { s.set_dims(0, -3); }), "expected at least 1");
  refuse(ErrorKind::shape_overflow, with([](auto& s) { s.set_dims(0, int64_t{1} << 62); }), "does not fit");
  refuse(ErrorKind::bad_schema, with([](auto& s) { s.clear_dims(); }), "expected a shape, got none");
  refuse(ErrorKind::resource_limit, with([](auto& s) {
           for (int i = 0; i < 63; ++i) s.add_dims(1);
         }),
         "too many dimensions");
  refuse(ErrorKind::bad_schema, with([](auto& s) { s.mutable_values()->add_dims(1); }),
         "the values of a sparse tensor (tensor 'S'): expected shape (count,), got (2, 1)");
  refuse(ErrorKind::bad_schema, with([](auto& s) {
           s.mutable_indices()->clear_int64_data();
           s.mutable_indices()->set_data_type(Tensor::INT32);
           s.mutable_indices()->add_int32_data(0), s.mutable_indices()->add_int32_data(1);
         }),
         "expected INT64, got INT32");
  refuse(ErrorKind::unknown_dtype, with([](auto& s) { s.clear_indices(); }), "indices of S");
  refuse(ErrorKind::bad_schema, with([](auto& s) { s.mutable_values()->clear_name(); }), "without a name");
  refuse(ErrorKind::duplicate_name, with([](auto& s) { s.mutable_values()->set_name("W"); }),
         "two initializers are called 'W'");
  refuse(  // as an attribute
      ErrorKind::offset_range,
      [](Model& m) {
        at({0, 12})(m);
        auto* value = testing::add_node(*m.mutable_graph(), "Constant", {}, {"c"})->add_attribute();
        value->set_name("sparse_value"), value->set_type(onnx::AttributeProto::SPARSE_TENSOR);
        *value->mutable_sparse_tensor() = m.graph().sparse_initializer(0);
        m.mutable_graph()->clear_sparse_initializer();
      },
      "expected 0 to 11, got 12");
}

}  // namespace
}  // namespace dws
