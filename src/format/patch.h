// A changed file: what did not change is written byte for byte as it was.
#pragma once

#include <string>
#include <vector>

#include "core/file.h"

namespace dws {

// New numbers in place of those of one tensor.
struct Patch {
  Bytes old;                       // as the file's reader gave them: says which tensor
  std::vector<std::byte> numbers;  // as many bytes
};

namespace format {

bool inside(Bytes part, Bytes whole) noexcept;

// Copies `from` with the patches' bytes replaced, whole or not at all. The patches lie inside `from` and do not overlap.
void write_patched(Bytes from, std::vector<const Patch*> patches, const std::string& path, bool force);

}  // namespace format
}  // namespace dws
