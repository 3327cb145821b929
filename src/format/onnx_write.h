// A changed ONNX model: everything that did not change is written byte for byte as it was.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "format/onnx.h"
#include "format/patch.h"

namespace dws {

// Writes the model with its external data: files under the names that the model has for them, beside `path`. Whole or not at
// all, each file. Numbers that the file spells out one by one are spelled out anew; of a file that has such numbers changed, the
// lengths of the messages around them change too, and nothing else. Throws Error{exists} for what is there and !force;
// Error{mismatch} for numbers of another size, for numbers that are a node's attributes, for tensors that share numbers and
// would get different ones, where `path` has the name of external data, and where `path` lies beside the model itself, so that
// changed external data would take the place of its own; Error{path_escape} where external data would be written through a
// link.
// `metadata`: entries that are added to the model's own, behind everything else in the file; where a key is taken, with a
// number behind it.
// `added`: initializers of the outermost graph, in front of its others, which the inputs that they name take. Throws
// Error{duplicate_name} where the graph has their name already, Error{unsupported} for readers that are not in that graph (but in a
// function), and below IR version 4, where an initializer is an input too; Error{too_large} beyond 2 GiB.
void write_onnx(const Onnx& model, const std::string& path, const std::vector<Patch>& patches, bool force,
                const std::vector<std::pair<std::string, std::string>>& metadata = {},
                const std::vector<AddedTensor>& added = {});

}  // namespace dws
