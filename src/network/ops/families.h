// The operators by family, one file each; operators.cc joins their tables.
#pragma once

#include <span>
#include <string_view>

#include "network/context.h"

namespace dws::network {

struct OperatorRow {
  std::string_view op;
  Operator run;
  std::string_view domain = {};  // "" is ONNX's own
};

std::span<const OperatorRow> elementwise_operators();

}  // namespace dws::network
