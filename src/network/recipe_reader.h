// The state while a recipe is read: sizes, names, values.
#pragma once

#include <map>
#include <set>
#include <string>

#include "network/blocks.h"
#include "network/recipe.h"

namespace dws::network {

class RecipeReader {
 public:
  RecipeReader(const Json& recipe, const std::string& name, StoredTensors tensors,
               const RecipeSettings& settings);
  RecipeResult read();

 private:
  using Names = std::map<std::string, std::string, std::less<>>;

  // recipe_reader.cc
  void find_prefix();
  void read_sizes();
  void ignore_tensors();
  int64_t size_of(const std::string& name, const Json& definition);
  std::optional<double> from_config(const Json& keys) const;
  double expression(const std::string& words) const;
  void statements(const Json& list, const Names& names, int depth);
  void statement(const Json& s, const Names& names, int depth);
  void repeat(const Json& s, const Names& names, int depth);
  void use(const Json& s, const Names& names, int depth);
  void count(size_t steps) const;
  [[noreturn]] void bad(const std::string& what) const;  // the recipe is wrong

  // recipe_statements.cc: what one statement makes
  void block(const Json& s, const Names& names);
  void onnx(const Json& s, const Names& names);
  void attention(const Json& s, const Names& names);
  void norm(const Json& s, const Names& names);
  void activation(const Json& s, const Names& names);
  void combine(const Json& s, const Names& names);
  void concat(const Json& s, const Names& names);
  void max_pool(const Json& s, const Names& names);
  void mean_pool(const Json& s, const Names& names);
  void split(const Json& s, const Names& names);
  void input(const Json& s);
  std::string fill(const std::string& pattern, const Names& names) const;
  std::string tensor_name(const Json& s, const char* key, const Names& names) const;
  std::optional<std::string> optional_tensor(const Json& s, const std::string& key, const Names& names) const;
  std::string word(const Json& s, const char* key, const Names& names, const char* otherwise = nullptr) const;
  double real(const Json& s, const char* key, const Names& names, double otherwise) const;
  int64_t whole(const Json& s, const char* key, const Names& names, int64_t otherwise) const;
  bool flag(const Json& s, const char* key) const;
  int value(const Json& s, const char* key, const Names& names);
  std::vector<int64_t> shape_of(const Json& list) const;
  int value_of(const Json& item, const Names& names);
  std::vector<int> values(const Json& s, const Names& names);
  void define(const Json& s, int made);
  void define_all(const Json& s, const std::vector<int>& made);

  const Json& recipe_;
  std::string name_;
  const RecipeSettings& settings_;
  GraphBuilder g_;
  std::vector<std::string> stored_;  // names of tensors, in the file's order
  std::string prefix_;
  std::map<std::string, int64_t, std::less<>> sizes_;
  std::string said_;  // sizes that no tensor says, for the report
  std::map<std::string, int, std::less<>> values_;
  mutable std::map<std::string, std::string> stands_for_;
  mutable int64_t steps_ = 0;
};

}  // namespace dws::network
