// The plan of a merge of whole networks by one method: every tensor of the first network, or of the base, made of the tensors of
// its name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "merge/input.h"
#include "merge/plan.h"

namespace dws::merge {

struct Choices {
  Method method = Method::linear;
  std::vector<int> models;  // numbers of the inputs that are merged
  std::optional<int> base;
  // Of each model; one for all, or none for the method's default.
  std::vector<double> weight, density, gamma, epsilon;
  double scale = 1;
  Parameters parameters;
  std::optional<Dtype> dtype;  // of the output's floating numbers; else as they are
  bool allow_missing = false;  // tensors that not all have are made of those that have them
  bool pad_vocab = false;      // matrices and vectors with fewer rows than others' get those that they lack
  uint64_t seed = 0;
  bool compat = false;
};

// Parameters as the method has them where nobody says otherwise, and the share of a delta that it keeps.
Parameters default_parameters(Method method, bool compat);
double default_density(Method method);

// The network whose tensors, order and files the output has: the base, else the first model.
const Input& pattern(const std::vector<Input>& inputs, const Choices& choices);

// Plan::file is that of the pattern's files. Types that are no floating-point numbers are copied, from the pattern where inputs
// differ, which `warnings` says. Throws Error{mismatch|missing_tensor} naming the first difference of names, types or shapes;
// Error{usage} for lists of another length than models has.
Plan compose(const std::vector<Input>& inputs, const Choices& choices, std::vector<std::string>& warnings);

}  // namespace dws::merge
