#include "network/stored.h"

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"

namespace dws::network {
namespace {

Json builtin(std::string_view name, std::string_view json) {
  return Json::parse(json, name);
}

RecipeResult by_name(StoredTensors tensors, const StoredSettings& settings) {
  const std::string& wanted = settings.recipe;
  if (wanted.ends_with(".json"))
    return from_recipe(Json::parse(read_text(wanted), wanted), wanted, std::move(tensors), settings.sizes);
  std::vector<std::string> names;
  for (const auto& [name, json] : builtin_recipes()) {
    if (name == wanted) return from_recipe(builtin(name, json), wanted, std::move(tensors), settings.sizes);
    names.emplace_back(name);
  }
  throw Error(ErrorKind::usage, text("no recipe '{}': there are {}", escaped(wanted), join(names, ", ")),
              "a recipe of your own is a file whose name ends in .json");
}

}  // namespace

RecipeResult from_tensors(StoredTensors tensors, const StoredSettings& settings) {
  if (!settings.recipe.empty()) return by_name(std::move(tensors), settings);
  if (!settings.described.is_null())
    return from_recipe(settings.described, "inside the file", std::move(tensors), settings.sizes);
  for (const auto& [name, json] : builtin_recipes()) {
    const Json recipe = builtin(name, json);
    const Json* asked = recipe.find("explicit");
    if ((asked && asked->as_bool()) || !recipe_applies(recipe, std::string(name), tensors)) continue;
    return from_recipe(recipe, std::string(name), std::move(tensors), settings.sizes);
  }
  if (!settings.sizes.sizes.empty())
    throw Error(ErrorKind::usage, text("{}: --size is for recipes, and none fits", one_line(tensors.file)));
  try {
    ChainResult chain = from_chain(std::move(tensors), settings.chain);
    return {std::move(chain.network), std::move(chain.assumed)};
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::mismatch) throw;
    throw Error(ErrorKind::mismatch, text("{}; no recipe fits either", e.what()),
                "--graph NET.onnx borrows a graph, --recipe FILE.json describes one");
  }
}

}  // namespace dws::network
