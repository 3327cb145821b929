// The ONNX standard's own test data (Debian's libonnx-testdata): a model of one operator, inputs and expected outputs.
#pragma once

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "core/file.h"
#include "format/onnx_parts.h"
#include "network/executor.h"

namespace dws::testing {

// The folders with a model, in order; none where the data is not installed.
inline std::vector<std::filesystem::path> standard_cases() {
  namespace fs = std::filesystem;
  const fs::path data = "/usr/share/libonnx-testdata/data";
  std::vector<fs::path> folders;
  for (const char* part : {"node", "simple", "pytorch-operator", "pytorch-converted"})
    if (fs::exists(data / part))
      for (const auto& entry : fs::directory_iterator(data / part))
        if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
  std::ranges::sort(folders);
  return folders;
}

// A file of one tensor; nullptr for a sequence, an optional or strings. It is read as the initializer of a model.
inline network::ArrayPtr read_array(const std::filesystem::path& path) {
  const std::string all = read_text(path.string());
  onnx::TensorProto tensor;
  if (!tensor.ParseFromString(all) || tensor.data_type() == 0) return nullptr;
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(13);
  tensor.set_name("t");
  *model.mutable_graph()->add_initializer() = tensor;
  const std::string bytes = model.SerializeAsString();
  const Onnx onnx = Onnx::parse(std::as_bytes(std::span(bytes.data(), bytes.size())), path.string());
  const OnnxTensor& t = onnx.graph().initializers.at(0);
  if (!network::is_real(t.type) && !network::is_integer(t.type)) return nullptr;
  return std::make_shared<const network::Array>(
      network::to_array({.name = {}, .type = t.type, .dims = t.dims, .bytes = t.bytes}));
}

}  // namespace dws::testing
