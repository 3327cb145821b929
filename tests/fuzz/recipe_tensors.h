// The tensors that recipes of the corpus are tried on: layers, a convolution, a table, a norm, a token.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "network/recipe.h"

namespace dws::fuzz {

inline network::StoredTensors recipe_tensors() {
  static const std::vector<float> numbers = [] {
    std::vector<float> all(256);  // none is 0 or negative: one may be a variance
    for (size_t i = 0; i < all.size(); ++i) all[i] = 0.1f + 0.05f * static_cast<float>(i * 7 % 11);
    return all;
  }();
  network::StoredTensors all{.file = "f", .tensors = {}, .owner = nullptr};
  const auto add = [&](const char* name, std::vector<int64_t> dims) {
    network::Constant c{.name = name, .type = OnnxType::f32, .dims = std::move(dims), .bytes = {}};
    c.bytes = std::as_bytes(std::span(numbers)).first(static_cast<size_t>(c.elements()) * 4);
    all.tensors.push_back(std::move(c));
  };
  add("fc1.weight", {6, 4});
  add("fc1.bias", {6});
  add("fc2.weight", {12, 6});
  add("fc3.weight", {4, 4});
  add("norm.weight", {6});
  add("table", {8, 6});
  add("conv1.weight", {4, 2, 3, 3});
  add("token", {1, 1, 4});
  return all;
}

inline network::RecipeSettings recipe_settings() {
  network::RecipeSettings settings;
  settings.config = Json::object({{"heads", 2}, {"act", "tanh"}});
  return settings;
}

}  // namespace dws::fuzz
