// An ONNX file's message without the numbers of its tensors, so that a model of 2 GB is parsed in the time its graph takes,
// and so that a changed tensor can be written over the old one in place.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/file.h"

namespace dws::format {

// The numbers of one TensorProto whose bytes in the file are [tensor_begin, tensor_end).
struct TensorPayload {
  int field =
      9;  // of TensorProto: raw_data 9, float_data 4, int32_data 5, int64_data 7, double_data 10, uint64_data 11
  // The field's content, where the field stands once and, of numbers, packed; else they are to be collected from the
  // message. Of raw_data, float_data and double_data these are the tensor's bytes.
  bool in_one_piece = true;
  uint64_t begin = 0, end = 0;
  uint64_t tensor_begin = 0, tensor_end = 0;
};

struct OnnxSkeleton {
  // The ModelProto; each TensorProto that has numbers (not strings) in one field has raw_data instead, 8 bytes: the index of
  // its payload, little-endian. One that has them in several, which is never right, has a sign of each field.
  std::string message;
  std::vector<TensorPayload> payloads;
};

// Follows all messages that ONNX knows. Throws Error{bad_protobuf} with the byte where the wire format breaks, or where what
// may stand once stands twice (protobuf would merge the two, others take one of them); Error{resource_limit} where messages
// lie deeper than protobuf reads them (100), or where the messages would take more memory than 16 times the file and 64 MiB:
// an empty message of 2 bytes is an object of hundreds; Error{too_large} beyond 2 GiB, protobuf's limit.
OnnxSkeleton onnx_skeleton(Bytes file, const std::string& name);

}  // namespace dws::format
