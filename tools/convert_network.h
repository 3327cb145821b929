// What `convert` does with networks of any kind: ONNX, safetensors, sharded safetensors.
#pragma once

#include <string>

#include "command.h"
#include "network_input.h"

namespace dws::tools {

struct NetworkConversion {
  std::string out;         // NAME.onnx, NAME.safetensors, or a folder for shards
  std::string dtype;       // "f16", "bf16", "f32", "f64"; "" keeps what is there
  std::string shard_size;  // "5GB"; "" is 5 GB where the output is a folder
  NetworkOptions source;   // .graph: the ONNX file that numbers from safetensors are put into
  bool force = false;
};

// Whether `path` is a network and no zoo: an ONNX file, a sharded checkpoint, tensors that no zoo has.
bool is_network(const std::string& path);

// An ONNX file to a copy of itself; tensors from any kind of file to one or many safetensors files; numbers from safetensors
// into an ONNX file that has the same tensors. What is not changed is written byte for byte as it was. Throws Error{usage} for
// what cannot be asked of the two files, Error{duplicate_name|unknown_dtype} for tensors that safetensors cannot hold.
void convert_network(const Globals& globals, const std::string& path, const NetworkConversion& conversion);

}  // namespace dws::tools
