// Networks whose file holds tensors alone: where their graph comes from.
#pragma once

#include <string>

#include "network_input.h"

namespace dws::tools {

// options.graph: that of an ONNX file, in which each tensor is found by name, type and shape. Else a recipe or a chain of layers;
// what was assumed goes to input.assumed. Throws Error, naming the first tensor that does not fit.
void read_stored(const std::string& path, const NetworkOptions& options, NetworkInput& input);

}  // namespace dws::tools
