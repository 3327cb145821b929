// The blocks that recipes are written in, as nodes of ONNX's operators. Values are (N, ..., C) with channels last, pictures
// (N, C, H, W). Each throws Error{missing_tensor|mismatch} naming the tensor that does not fit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "network/graph_builder.h"

namespace dws::network::blocks {

// y = x W^T + b, W (out, in); transposed: W is (in, out), as GPT-2 stores it.
struct Linear {
  std::string weight;
  std::optional<std::string> bias{};
  bool transposed = false;
};
int linear(GraphBuilder& g, int x, const Linear& tensors);

// W (out, in / groups, kernel, kernel). Padding of -1 keeps the size at stride 1: (kernel - 1) / 2.
struct Conv {
  std::string weight;
  std::optional<std::string> bias{};
  int64_t stride = 1, padding = -1, groups = 1;
};
int conv(GraphBuilder& g, int x, const Conv& tensors);

// layer, rms: over the last axis. batch: running statistics along axis 1. group: `groups` groups of channels of axis 1.
struct Norm {
  std::string kind;
  std::string weight;
  std::optional<std::string> bias{}, mean{}, variance{};
  double epsilon = 1e-5;
  int64_t groups = 1;
};
int norm(GraphBuilder& g, int x, const Norm& tensors);

// relu, leaky_relu, tanh, sigmoid, gelu, gelu_tanh, silu, sin, ...: nullopt for a name that is none.
std::optional<int> activation(GraphBuilder& g, int x, const std::string& name);
std::vector<std::string> activation_names();

// Rows of a table (rows, C) by number.
int embedding(GraphBuilder& g, int ids, const std::string& table);
// x (N, T, C) + the first T rows of a table (rows, C); x + row `row` of it.
int add_positions(GraphBuilder& g, int x, const std::string& table);
int add_row(GraphBuilder& g, int x, const std::string& table, int64_t row);
// A tensor (1, 1, C) in front of x (N, T, C).
int prepend(GraphBuilder& g, int x, const std::string& tensor);
int first_token(GraphBuilder& g, int x);                    // (N, T, C) -> (N, C)
int tokens(GraphBuilder& g, int x);                         // (N, C, H, W) -> (N, H W, C)
int flatten(GraphBuilder& g, int x);                        // (N, ...) -> (N, product)
std::vector<int> split(GraphBuilder& g, int x, int parts);  // of the last axis, equal

// softmax(Q K^T / sqrt(d)) V for each head (Vaswani et al., 2017); q (N, T, heads d), k and v (N, T, kv_heads d), each key and
// value head for heads / kv_heads queries (Ainsworth et al., "GQA", 2023). rotary: the halves of each head are turned by the
// position (Su et al., "RoFormer", 2021), theta the base of the angles.
struct Attention {
  int64_t heads = 1, kv_heads = 1;
  bool causal = false, rotary = false;
  double theta = 10000;
};
int attention(GraphBuilder& g, int q, int k, int v, const Attention& how);

}  // namespace dws::network::blocks
