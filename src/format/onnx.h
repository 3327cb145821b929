// ONNX models: own reader of what is large, protobuf for what is not, every rule checked that a hostile file could
// break. github.com/onnx/onnx: docs/IR.md, docs/ExternalData.md, docs/ExternalDataSecurity.md.
//
// Nothing here depends on protobuf's types: this is the graph as the rest of the program sees it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/error.h"
#include "core/file.h"

namespace dws {

// TensorProto.DataType.
enum class OnnxType : int32_t {
  f32 = 1,
  u8,
  i8,
  u16,
  i16,
  i32,
  i64,
  string,
  boolean,
  f16,
  f64,
  u32,
  u64,
  c64,
  c128,
  bf16,
  f8_e4m3fn,
  f8_e4m3fnuz,
  f8_e5m2,
  f8_e5m2fnuz,
  u4,
  i4,
  f4_e2m1,
  f8_e8m0,
  u2,
  i2
};
inline constexpr int32_t kLastOnnxType = static_cast<int32_t>(OnnxType::i2);
int onnx_type_bits(OnnxType type) noexcept;  // of one element; 0 for strings
const char* onnx_type_name(OnnxType type) noexcept;
// The type of safetensors with the same numbers, where there is one.
std::optional<Dtype> onnx_dtype(OnnxType type) noexcept;
std::optional<OnnxType> onnx_type(Dtype dtype) noexcept;

struct OnnxTensor {
  std::string name;
  OnnxType type = OnnxType::f32;
  std::vector<int64_t> dims;
  // Little-endian, elements below 8 bits packed from the low bits of each byte. In the mapped file, in a mapped file of
  // external data, or, where the model spells its numbers out in typed fields, in memory that the Onnx owns. Empty for
  // strings.
  Bytes bytes;
  bool external = false;
  int64_t elements() const noexcept;
  std::string shape_str() const;
};

struct OnnxGraph;
struct OnnxAttribute {
  std::string name;
  // AttributeProto.AttributeType.
  enum class Kind {
    undefined,
    f,
    i,
    s,
    tensor,
    graph,
    floats,
    ints,
    strings,
    tensors,
    graphs,
    sparse,
    sparses,
    type,
    types
  } kind = Kind::undefined;
  double f = 0;
  int64_t i = 0;
  std::string s;
  std::vector<double> floats;
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
  std::vector<OnnxTensor> tensors;                       // of `tensor` one
  std::vector<std::shared_ptr<const OnnxGraph>> graphs;  // of `graph` one
  std::string parameter;  // ref_attr_name: inside a function, the function's attribute whose value this is
};

struct OnnxNode {
  std::string name, op, domain;
  std::vector<std::string> inputs, outputs;  // "" where one is left out
  std::vector<OnnxAttribute> attributes;
  const OnnxAttribute* find(std::string_view attribute) const noexcept;
};

struct OnnxValue {
  std::string name;
  std::optional<OnnxType> type;  // none where the model does not say, or the value is no tensor
  // None: of unknown rank. A dimension of -1 is unknown, or has the name of the same place in `symbols`.
  std::optional<std::vector<int64_t>> dims;
  std::vector<std::string> symbols;
};

struct OnnxGraph {
  std::string name;
  std::vector<OnnxNode> nodes;
  std::vector<OnnxTensor> initializers;
  std::vector<std::string> sparse;  // names of sparse initializers
  std::vector<OnnxValue> inputs, outputs, values;
};

struct OnnxFunction {
  std::string name, domain;
  std::vector<std::string> inputs, outputs, attributes;
  std::vector<OnnxNode> nodes;
  std::map<std::string, int64_t> opsets;
};

// Numbers that the file spells out in typed fields: what OnnxTensor::bytes is then a copy in memory of, and which message of
// the file they are in, for who writes them anew.
struct OnnxSpelled {
  std::vector<std::byte> numbers;
  uint64_t begin = 0, end = 0;  // of the TensorProto in the file
  int field = 0;                // of TensorProto: its only one with numbers
  int item = 0;                 // bytes of a number in `numbers`
  bool is_signed = false;
};

// Where external data is looked for, and what may stand there.
struct ExternalData {
  std::string folder;         // "": beside the model; of parse(): nowhere
  bool follow_links = false;  // its files may be links, and have several names (MappedFile::open_inside)
};

struct OnnxLimits {
  int depth = 32;  // of graphs within graphs
  size_t rank = 64;
};

class Onnx {
 public:
  // Maps the file and parses all but its numbers. External data is looked for beside it, or in `external.folder`,
  // and nowhere else. Throws Error with file, byte where known, tensor or node, expected and actual.
  static Onnx open(const std::string& path, const ExternalData& external = {}, const OnnxLimits& limits = {});
  // The same on bytes in memory that outlive the object (tests, fuzzing); `name` stands for the file in messages, and
  // without a folder external data is refused.
  static Onnx parse(Bytes bytes, std::string name, const ExternalData& external = {},
                    const OnnxLimits& limits = {});
  Onnx(Onnx&&) noexcept;
  Onnx& operator=(Onnx&&) noexcept;
  ~Onnx();

  const std::string& path() const noexcept;
  int64_t ir_version() const noexcept;
  const std::string& producer() const noexcept;                   // name and version
  const std::map<std::string, int64_t>& opsets() const noexcept;  // by domain; "" is ONNX's own
  const OnnxGraph& graph() const noexcept;
  const std::vector<OnnxFunction>& functions() const noexcept;
  const std::vector<std::pair<std::string, std::string>>& metadata() const noexcept;
  // The file, and the files of external data by their names in it; empty for parse().
  Bytes file_bytes() const noexcept;
  const std::map<std::string, MappedFile>& external_files() const noexcept;
  // MappedFile::release() and prefetch() of a part of a tensor's bytes; nothing where they are no file's.
  void release(Bytes part) const noexcept;
  void prefetch(Bytes part) const noexcept;
  const std::deque<OnnxSpelled>& spelled() const noexcept;
  // What is odd but harmless, a line each.
  const std::vector<std::string>& warnings() const noexcept;

 private:
  struct State;
  explicit Onnx(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace dws
