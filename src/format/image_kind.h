#pragma once

#include <string>

#include "core/file.h"

namespace dws::format {

enum class ImageKind { idx, png, cifar10, gzip, unknown };

// By the first bytes; CIFAR-10, which has none of its own, by the name's ending .bin.
ImageKind image_kind(Bytes bytes, const std::string& path) noexcept;

// Throws Error{bad_schema} telling to unpack the file.
[[noreturn]] void fail_compressed(const std::string& path);

}  // namespace dws::format
