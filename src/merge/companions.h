// The small files that lie beside a network's tensors: configuration, tokenizer.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/checkpoint.h"

namespace dws::merge {

using Companions = std::vector<std::pair<std::string, std::string>>;  // name and content, sorted by name

// Of the checkpoint's folder: .json (but indices of shards), .txt, .model, .jinja and .tiktoken files of at most 64 MiB. A file alone has
// nothing that belongs to it.
Companions companions(const Checkpoint& checkpoint);

// Whether a file of this name is part of a tokenizer, as the transformers library names them.
bool is_tokenizer_file(std::string_view name);

}  // namespace dws::merge
