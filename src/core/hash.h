// Content hashes for recipes and checkpoints: XXH3-128 as 32 hexadecimal digits. Not cryptographic.
#pragma once

#include <string>

#include "core/file.h"

namespace dws {

std::string hash_bytes(Bytes bytes);
std::string hash_file(const std::string& path);

}  // namespace dws
