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
std::span<const OperatorRow> broadcast_operators();
std::span<const OperatorRow> product_operators();
std::span<const OperatorRow> convolution_operators();
std::span<const OperatorRow> norm_operators();
std::span<const OperatorRow> reduction_operators();
std::span<const OperatorRow> movement_operators();
std::span<const OperatorRow> cut_operators();
std::span<const OperatorRow> recurrent_operators();
std::span<const OperatorRow> quantise_operators();
std::span<const OperatorRow> control_operators();
std::span<const OperatorRow> resize_operators();
std::span<const OperatorRow> pooling_operators();
std::span<const OperatorRow> lookup_operators();
std::span<const OperatorRow> selection_operators();
std::span<const OperatorRow> detection_operators();
std::span<const OperatorRow> signal_operators();
std::span<const OperatorRow> loss_operators();
std::span<const OperatorRow> attention_operators();
std::span<const OperatorRow> rotary_operators();
std::span<const OperatorRow> block_quantised_operators();

}  // namespace dws::network
