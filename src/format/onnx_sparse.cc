// SparseTensorProto: values, and where in a dense tensor they stand (onnx.proto). Nothing here makes the dense one.
#include <cstring>

#include "core/text.h"
#include "format/onnx_parts.h"
#include "format/shape_text.h"

namespace dws::format {
namespace {

class SparseReader {
 public:
  SparseReader(OnnxSource& source, const onnx::SparseTensorProto& proto, const std::string& where)
      : source_(source), proto_(proto), where_(where) {}

  OnnxTensor read() {
    OnnxTensor values = read_onnx_tensor(source_, proto_.values(), where_);
    if (values.dims.size() != 1)
      refuse(ErrorKind::bad_schema, "the values of a sparse tensor", "shape (count,)", values.shape_str());
    read_shape();
    if (!proto_.has_indices() && values.elements() == 0) return values;
    const OnnxTensor indices = read_onnx_tensor(source_, proto_.indices(), text("indices of {}", where_));
    if (indices.type != OnnxType::i64)
      refuse(ErrorKind::bad_schema, "the indices of a sparse tensor", "INT64", onnx_type_name(indices.type));
    const int64_t count = values.elements(), rank = static_cast<int64_t>(dims_.size());
    if (indices.dims != std::vector{count} && indices.dims != std::vector{count, rank})
      refuse(ErrorKind::size_mismatch, "the indices of a sparse tensor",
             text("shape ({},) or ({}, {})", count, count, rank), indices.shape_str());
    int64_t before = -1;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t place = indices.dims.size() == 1 ? linear(indices, i) : of_axes(indices, i);
      if (place <= before)
        refuse(ErrorKind::bad_value, text("index {} of a sparse tensor is not behind the one before it", i),
               text("more than {}", before), text("{}", place));
      before = place;
    }
    return values;
  }

 private:
  [[noreturn]] void refuse(ErrorKind kind, const std::string& what, const std::string& expected,
                           const std::string& got) const {
    fail(kind, {.file = source_.file, .what = what, .tensor = where_, .expected = expected, .got = got});
  }
  void read_shape() {
    if (static_cast<size_t>(proto_.dims_size()) > source_.limits.rank)
      refuse(ErrorKind::resource_limit, "too many dimensions", text("at most {}", source_.limits.rank),
             text("{}", proto_.dims_size()));
    dims_.assign(proto_.dims().begin(), proto_.dims().end());
    if (dims_.empty()) refuse(ErrorKind::bad_schema, "a sparse tensor", "a shape", "none");
    for (const int64_t extent : dims_) {
      if (extent < 1)
        refuse(ErrorKind::bad_value, "a dimension of a sparse tensor", "at least 1", shape_text(dims_));
      if (__builtin_mul_overflow(size_, extent, &size_))
        refuse(ErrorKind::shape_overflow, "its size does not fit", "a size below 2^63", shape_text(dims_));
    }
  }
  static int64_t number(const OnnxTensor& indices, int64_t at) {
    int64_t value = 0;
    std::memcpy(&value, indices.bytes.data() + static_cast<size_t>(at) * sizeof value, sizeof value);
    return value;
  }
  int64_t inside(int64_t value, int64_t size, int64_t i) const {
    if (value < 0 || value >= size)
      refuse(ErrorKind::offset_range,
             text("index {} of a sparse tensor lies outside of its shape {}", i, shape_text(dims_)),
             text("0 to {}", size - 1), text("{}", value));
    return value;
  }
  int64_t linear(const OnnxTensor& indices, int64_t i) const { return inside(number(indices, i), size_, i); }
  int64_t of_axes(const OnnxTensor& indices, int64_t i) const {
    const auto rank = static_cast<int64_t>(dims_.size());
    int64_t place = 0;
    for (int64_t a = 0; a < rank; ++a) {
      const int64_t extent = dims_[static_cast<size_t>(a)];
      place = place * extent + inside(number(indices, i * rank + a), extent, i);
    }
    return place;
  }

  OnnxSource& source_;
  const onnx::SparseTensorProto& proto_;
  const std::string& where_;
  std::vector<int64_t> dims_;
  int64_t size_ = 1;
};

}  // namespace

OnnxTensor read_onnx_sparse(OnnxSource& source, const onnx::SparseTensorProto& proto,
                            const std::string& where) {
  return SparseReader(source, proto, where).read();
}

}  // namespace dws::format
