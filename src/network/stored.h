// Which graph a file of tensors has: that of a recipe that fits, or a chain of linear layers.
#pragma once

#include <string>

#include "network/chain.h"
#include "network/recipe.h"

namespace dws::network {

struct StoredSettings {
  std::string recipe;  // the name of one that is built in, or of a file *.json; "" to look for one
  Json described{};    // a recipe that the file brings along; where `recipe` is empty
  RecipeSettings sizes{};
  ChainSettings chain{};
};

// Throws Error as from_recipe() does. Without a recipe's name every built-in one is tried whose anchor is there, then the chain;
// where nothing fits, Error{mismatch} says what the most promising one missed.
RecipeResult from_tensors(StoredTensors tensors, const StoredSettings& settings);

}  // namespace dws::network
