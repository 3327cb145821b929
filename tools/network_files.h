// What `inspect` and `convert` do with ONNX files.
#pragma once

#include <string>

#include "core/json.h"

namespace dws::tools {

bool is_onnx(const std::string& path);

// {"schema", "file", "kind": "network", ...}: what a person wants to know at first sight.
Json inspect_onnx(const std::string& path);

// To .onnx: a copy, with its external data. To .safetensors: all stored tensors, by their names. Throws Error{usage} for other
// outputs, Error{duplicate_name} and Error{unknown_dtype} for tensors that safetensors cannot hold.
void convert_onnx(const std::string& path, const std::string& out, bool force);

}  // namespace dws::tools
