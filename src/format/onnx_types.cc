#include <array>

#include "format/onnx.h"
#include "format/shape_text.h"

namespace dws {
namespace {

struct TypeRow {
  const char* name;
  int bits;
  std::optional<Dtype> dtype;
};
// In the order of TensorProto.DataType, from 1.
const std::array<TypeRow, kLastOnnxType> kTypes = {{
    {"FLOAT", 32, Dtype::f32},
    {"UINT8", 8, Dtype::u8},
    {"INT8", 8, Dtype::i8},
    {"UINT16", 16, Dtype::u16},
    {"INT16", 16, Dtype::i16},
    {"INT32", 32, Dtype::i32},
    {"INT64", 64, Dtype::i64},
    {"STRING", 0, {}},
    {"BOOL", 8, Dtype::boolean},
    {"FLOAT16", 16, Dtype::f16},
    {"DOUBLE", 64, Dtype::f64},
    {"UINT32", 32, Dtype::u32},
    {"UINT64", 64, Dtype::u64},
    {"COMPLEX64", 64, Dtype::c64},
    {"COMPLEX128", 128, {}},
    {"BFLOAT16", 16, Dtype::bf16},
    {"FLOAT8E4M3FN", 8, Dtype::f8_e4m3},
    {"FLOAT8E4M3FNUZ", 8, Dtype::f8_e4m3fnuz},
    {"FLOAT8E5M2", 8, Dtype::f8_e5m2},
    {"FLOAT8E5M2FNUZ", 8, Dtype::f8_e5m2fnuz},
    {"UINT4", 4, {}},
    {"INT4", 4, {}},
    {"FLOAT4E2M1", 4, Dtype::f4},
    {"FLOAT8E8M0", 8, Dtype::f8_e8m0},
    {"UINT2", 2, {}},
    {"INT2", 2, {}},
}};
const TypeRow& row(OnnxType type) noexcept {
  return kTypes[static_cast<size_t>(type) - 1];
}

}  // namespace

int onnx_type_bits(OnnxType type) noexcept {
  return row(type).bits;
}
const char* onnx_type_name(OnnxType type) noexcept {
  return row(type).name;
}
std::optional<Dtype> onnx_dtype(OnnxType type) noexcept {
  return row(type).dtype;
}

std::optional<OnnxType> onnx_type(Dtype dtype) noexcept {
  for (size_t i = 0; i < kTypes.size(); ++i)
    if (kTypes[i].dtype == dtype) return static_cast<OnnxType>(i + 1);
  return {};
}

int64_t OnnxTensor::elements() const noexcept {
  int64_t product = 1;
  for (const int64_t extent : dims) product *= extent;
  return product;
}
std::string OnnxTensor::shape_str() const {
  return format::shape_text(dims);
}

const OnnxAttribute* OnnxNode::find(std::string_view attribute) const noexcept {
  for (const OnnxAttribute& a : attributes)
    if (a.name == attribute) return &a;
  return nullptr;
}

}  // namespace dws
