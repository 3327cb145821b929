// Initializers that an ONNX file is to have besides its own.
#pragma once

#include <vector>

#include "format/onnx.h"
#include "format/onnx_rewrite.h"
#include "format/patch.h"

namespace dws::format {

// What has to change in the model's file, as write_onnx() says it; throws as it does.
std::vector<MessageEdit> added_initializers(const Onnx& model, const std::vector<AddedTensor>& added);

}  // namespace dws::format
