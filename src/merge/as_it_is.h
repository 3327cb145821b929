// Tensors of the output that are no method's work: one network's, as they are. What both ways to a plan, by options and by a
// configuration, do alike.
#pragma once

#include <string>
#include <vector>

#include "merge/input.h"
#include "merge/plan.h"

namespace dws::merge {

inline constexpr const char* kMissingAdvice =
    "--allow-missing makes such tensors of the networks that have them";

// Whether one of two tensors only lacks rows that the other has: vectors, and matrices of the same columns.
bool differ_in_rows(const InputTensor& a, const std::vector<int64_t>& b);

// The first source alone, without a factor: its shape, and its bytes where the type is that of the output.
void take_first(OutputTensor& out, const std::vector<Input>& inputs);

// Of a type that is not merged: the base's, or else the first source's. `warnings` says where others differ.
void keep_one(OutputTensor& out, const std::vector<Input>& inputs, std::vector<std::string>& warnings);

}  // namespace dws::merge
