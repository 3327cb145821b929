// The state of an unfinished training run in a file: everything that later steps depend on, so that a resumed
// run gives the same bits as one that was never stopped.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/json.h"

namespace dws::train {

// A named flat array of the state; `data` is read when saving and written when loading.
struct StateArray {
  std::string name;
  std::span<float> data;
};

// Writes tensors `arrays` and metadata "dws.checkpoint": {"schema", "settings", "state", "hash"}; whole or
// not at all, replacing an older checkpoint. `settings` is what a resumed run must have in common with this
// one.
void save_checkpoint(const std::string& path, const std::vector<StateArray>& arrays, const Json& settings,
                     const Json& state);

// Fills `arrays`, returns the state. Throws Error{mismatch} naming the first setting that differs,
// Error{bad_value} when the bytes are not those that were saved.
Json load_checkpoint(const std::string& path, const std::vector<StateArray>& arrays, const Json& settings);

}  // namespace dws::train
