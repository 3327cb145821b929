// A changed file: what did not change is written byte for byte as it was.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/file.h"

namespace dws {

// New numbers in place of those of one tensor. They are asked for when their place in the file is reached and let go of
// afterwards, so that a change of all tensors takes the memory of one.
struct Patch {
  using Numbers = std::vector<std::byte>;
  Bytes old;                         // as the file's reader gave them: says which tensor
  std::function<Numbers()> numbers;  // as many bytes, the same at each call

  Patch(Bytes old_, std::function<Numbers()> numbers_) : old(old_), numbers(std::move(numbers_)) {}
  Patch(Bytes old_, Numbers held) : old(old_), numbers([kept = std::move(held)] { return kept; }) {}
};

// A tensor of its own for what was one with another: it is written besides those of the file, with the type and shape of `like`.
struct AddedTensor {
  std::string name;
  Bytes like;                               // as the file's reader gave them
  std::function<Patch::Numbers()> numbers;  // as many bytes
  // Of an ONNX file: which inputs take it, by the first output of their node.
  struct Reader {
    std::string output;
    size_t input = 0;
  };
  std::vector<Reader> readers{};
};

namespace format {

using Patches = std::vector<const Patch*>;

bool inside(Bytes part, Bytes whole) noexcept;

// What a patch puts there. Throws Error{mismatch} for numbers of another size.
std::vector<std::byte> new_numbers(const Patch& patch, const std::string& file);

// Sorts them by place. Tensors may share their numbers (tied weights): then they must get the same new ones; throws
// Error{mismatch} where they would not.
void put_in_order(Patches& patches, const std::string& file);

// `from` with the bytes of those patches replaced that lie in it; they are in order. Throws Error{interrupted} too.
void write_patched(AtomicFile& out, Bytes from, const Patches& patches, const std::string& file);

}  // namespace format
}  // namespace dws
