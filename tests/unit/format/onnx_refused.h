// Models that are right but for one thing, and what the reader says of them.
//
// The tests go through this list, item by item; each names the items that it proves. (onnx.h cites where the rules are from.)
//   container  empty; above INT_MAX; no protobuf; truncated; trailing bytes; no graph; IR version unset or above 14 (a warning
//              above 13); a used domain not imported; a domain imported in two versions
//   tensor     type 0 or unknown; negative dimension; size overflow; rank; numbers in an empty one; two fields with numbers; the
//              wrong typed field; raw_data too short or long; typed count; int32_data outside of the type; strings in raw_data;
//              external with inline data; segments; sparse indices; initializer unnamed or twice
//   external   location missing, empty, absolute, "..", NUL, backslash, drive; a key twice or unknown; offset and length not
//              canonical; beyond the file; length that does not fit; directory, device, FIFO, link, hard link; checksum
//   graph      order, cycle; undefined input; SSA; shadowing; depth; attributes of no or another type; a name twice.
//              Shapes, attribute types and unknown operators show where the graph is run: tests/unit/network/refused_test.cc
#pragma once

#include <functional>
#include <string>

#include "onnx_builder.h"
#include "testing.h"

namespace dws::testing {

using Model = onnx::ModelProto;

inline void refuse_bytes(ErrorKind kind, const std::string& file, const std::string& message) {
  EXPECT_TRUE(throws_error(
      kind, [&] { Onnx::parse(bytes_of(file), "m.onnx"); }, message))
      << message;
  // Whatever is wrong, the file is named first.
  try {
    Onnx::parse(bytes_of(file), "m.onnx");
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find("m.onnx: "), 0u) << e.what();
  }
}
inline void refuse(ErrorKind kind, const std::function<void(Model&)>& spoil, const std::string& message) {
  Model model = small_model();
  spoil(model);
  refuse_bytes(kind, model.SerializeAsString(), message);
}
inline Onnx accept(const std::function<void(Model&)>& change, std::string& bytes) {
  Model model = small_model();
  change(model);
  bytes = model.SerializeAsString();
  return Onnx::parse(bytes_of(bytes), "m.onnx");
}
inline onnx::TensorProto& w(Model& model) {
  return *model.mutable_graph()->mutable_initializer(0);
}

}  // namespace dws::testing
