// Recipes: the graph of a family of networks whose files hold tensors alone, written down once. A recipe is JSON:
//
//   schema    "dws.recipe/1"
//   name, about
//   anchor    a tensor that every network of the family has, after one of `prefixes` ([""]); "{p}" is that prefix
//   explicit  true: only used where it is asked for by name, for families whose names do not tell their function
//   sizes     by name, in order: {"tensor": PATTERN, "axis": A}; {"config": KEY or [KEYS], "default": EXPRESSION}, from the
//             config.json beside the checkpoint; or an expression of earlier sizes: "hidden / heads"
//   ignore    patterns of tensors without a part in the function, "*" for anything
//   blocks    by name, lists of statements to `use` with parameters
//   graph     statements, in order; a value keeps its name until another statement gives it anew
//
// A statement is one of
//   {"op": BLOCK, "in": VALUE, ..., "out": VALUE}      the blocks of network/blocks.h
//   {"onnx": OP, "in": [...], "out": ..., "attributes": {...}}    any ONNX operator
//   {"repeat": "i", "from": 0, "while": PATTERN, "graph": [...]}  for i = from, from + 1, ... while the tensor is there
//   {"if": PATTERN, "graph": [...], "else": [...]}     whether the tensor is there
//   {"use": BLOCK, "with": {NAME: TEXT or NUMBER}}
// PATTERN is a tensor's name in which {i}, {p} and the parameters of `use` are replaced. A field whose name ends in "?" may
// name a tensor that is not there: then it is left out. Numbers may also be given as the name of a size or as an expression.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"
#include "network/graph_builder.h"
#include "network/network.h"

namespace dws::network {

struct RecipeSettings {
  std::map<std::string, int64_t> sizes{};  // given by the user: before anything else
  Json config{};                           // config.json of the checkpoint, null where there is none
};

struct RecipeResult {
  Network network;
  std::string assumed;  // "recipe 'llama' (heads 32, kv_heads 8)"
  // Of tensors that the recipe takes where one that it names first is not there: that name. A head that is tied to the embedding.
  std::map<std::string, std::string> stands_for{};
};

// Whether the recipe's anchor is among the tensors. Throws Error{bad_schema} for what is no recipe.
bool recipe_applies(const Json& recipe, const std::string& name, const StoredTensors& tensors);

// Throws Error{bad_schema} with `name` in front where the recipe is wrong, Error{missing_tensor|mismatch} with the file and the
// first tensor that does not fit it, or the size that neither file nor settings say.
RecipeResult from_recipe(const Json& recipe, const std::string& name, StoredTensors tensors,
                         const RecipeSettings& settings);

// The recipes that are part of the program: name and JSON text, from models/recipes.
const std::vector<std::pair<std::string_view, std::string_view>>& builtin_recipes();

}  // namespace dws::network
