// ONNX models made in memory.
#pragma once

#include <fstream>
#include <functional>
#include <string>

#include "format/onnx_parts.h"

namespace dws::testing {

inline onnx::TensorProto* add_floats(onnx::GraphProto& graph, const std::string& name,
                                     const std::vector<int64_t>& dims, const std::vector<float>& values) {
  onnx::TensorProto* tensor = graph.add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t d : dims) tensor->add_dims(d);
  tensor->set_raw_data(values.data(), values.size() * sizeof(float));
  return tensor;
}

inline void add_value(onnx::ValueInfoProto* value, const std::string& name, int64_t size) {
  value->set_name(name);
  auto* tensor = value->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(onnx::TensorProto::FLOAT);
  tensor->mutable_shape()->add_dim()->set_dim_param("batch");
  tensor->mutable_shape()->add_dim()->set_dim_value(size);
}

inline onnx::NodeProto* add_node(onnx::GraphProto& graph, const std::string& op,
                                 const std::vector<std::string>& in, const std::vector<std::string>& out) {
  onnx::NodeProto* node = graph.add_node();
  node->set_op_type(op);
  for (const std::string& name : in) node->add_input(name);
  for (const std::string& name : out) node->add_output(name);
  return node;
}

// y = relu(x W^T + b), W (2, 3).
inline onnx::ModelProto small_model() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.set_producer_name("test");
  model.add_opset_import()->set_version(13);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("g");
  add_value(graph.add_input(), "x", 3);
  add_value(graph.add_output(), "y", 2);
  add_floats(graph, "W", {2, 3}, {1, 2, 3, 4, 5, 6});
  add_floats(graph, "b", {2}, {7, 8});
  auto* transposed = add_node(graph, "Gemm", {"x", "W", "b"}, {"h"})->add_attribute();
  transposed->set_name("transB");
  transposed->set_type(onnx::AttributeProto::INT);
  transposed->set_i(1);
  add_node(graph, "Relu", {"h"}, {"y"});
  return model;
}

inline Bytes bytes_of(const std::string& s) {
  return std::as_bytes(std::span(s.data(), s.size()));
}

}  // namespace dws::testing
