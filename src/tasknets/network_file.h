// A trained classifier as a network file: names and layouts of PyTorch, and what is computed with them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "tasknets/classifier.h"

namespace dws {

// The metadata entry that says what a file of tensors computes:
//   {"schema": "dws.network/1", "recipe": NAME or a recipe (network/recipe.h), "activation": NAME}
inline constexpr const char* kNetworkEntry = "dws.network";

// The value of that entry for a classifier; its recipe takes pictures (batch, C, H, W), or flat ones (batch, C H W) where
// no layer sees places.
Json describe(const Classifier<float>& model);

// Writes the file, whole or not at all: linear weights (out, in), of flat pictures in the order C, H, W; convolutions
// (out, in, KH, KW); norms weight, bias, running_mean, running_var. `metadata` beside the entry above.
void save_network(const std::string& path, const Classifier<float>& model,
                  std::vector<std::pair<std::string, std::string>> metadata, bool force);

}  // namespace dws
