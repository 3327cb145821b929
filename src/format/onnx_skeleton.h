// An ONNX file's message without the bytes of its raw tensors, so that a model of 2 GB is parsed in the time its
// graph takes, and so that a changed tensor can be written over the old one in place.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/file.h"

namespace dws::format {

// Bytes [begin, end) of the file: the numbers of one TensorProto, in raw_data or, where that is the only field with numbers,
// in a packed float_data or double_data, whose bytes are the same.
struct RawPayload {
  uint64_t begin = 0, end = 0;
  int field = 9;  // of TensorProto: 9, 4 or 10
};

struct OnnxSkeleton {
  // The ModelProto; in each TensorProto raw_data holds, in place of the numbers, the index of its payload: 8 bytes,
  // little-endian.
  std::string message;
  std::vector<RawPayload> payloads;
};

// Follows the messages that can hold tensors (graphs, nodes, attributes, functions, training information) and copies
// everything else as it is. Throws Error{bad_protobuf} with the byte where the wire format breaks, Error{resource_limit}
// where messages lie deeper than protobuf reads them (100), Error{too_large} beyond 2 GiB, protobuf's limit.
OnnxSkeleton onnx_skeleton(Bytes file, const std::string& name);

}  // namespace dws::format
