// What the files of the ONNX reader share; the only headers of protobuf and ONNX that the program sees.
#pragma once

#ifndef ONNX_ML
#define ONNX_ML 1
#endif
#ifndef ONNX_NAMESPACE
#define ONNX_NAMESPACE onnx
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wshadow"
#include <onnx/onnx_pb.h>
#pragma GCC diagnostic pop

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "format/failure.h"
#include "format/onnx.h"
#include "format/onnx_skeleton.h"

namespace dws::format {

// The file while it is read, and what tensors point into afterwards.
struct OnnxSource {
  std::string file;  // its name, for messages
  Bytes bytes;
  ExternalData beside;
  OnnxLimits limits;
  std::vector<TensorPayload> payloads;
  std::deque<OnnxSpelled> spelled;
  std::map<std::string, MappedFile> external{};    // by location
  std::map<std::string, std::string> checksums{};  // of those that some tensor gives one for
  std::vector<std::string> warnings;
};

// Checks one tensor and finds its numbers; `where` names it in messages when it has no name of its own.
OnnxTensor read_onnx_tensor(OnnxSource& source, const onnx::TensorProto& proto, const std::string& where);

// The bytes of a tensor kept in another file: exactly `size` of them.
Bytes read_external_data(OnnxSource& source, const onnx::TensorProto& proto, const std::string& where,
                         uint64_t size);

// The same of a sparse tensor: its values and, checked against its shape, their places. Gives the values.
OnnxTensor read_onnx_sparse(OnnxSource& source, const onnx::SparseTensorProto& proto,
                            const std::string& where);

// Versions by domain, "" for "ai.onnx"; `whose` names them in messages. The same version said twice is one.
std::map<std::string, int64_t> read_onnx_opsets(
    const OnnxSource& source, const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& opsets,
    const std::string& whose);

// Graphs, nodes, functions: proto to plain structs, tensors read. `depth` counts graphs within graphs.
OnnxGraph read_onnx_graph(OnnxSource& source, const onnx::GraphProto& proto, int depth);
OnnxFunction read_onnx_function(OnnxSource& source, const onnx::FunctionProto& proto);

// Every name is made once and before it is used; operators are of domains that the model imports.
void check_onnx_model(const OnnxSource& source, const OnnxGraph& graph,
                      const std::vector<OnnxFunction>& functions,
                      const std::map<std::string, int64_t>& opsets);

}  // namespace dws::format
