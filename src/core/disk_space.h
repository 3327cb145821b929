// How much room a file system has left.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace dws {

// Bytes that this user can still write below `folder`. Empty where the system does not say.
std::optional<uint64_t> available_space(const std::string& folder);

// Throws Error{resource_limit} where `bytes` are more than that: "FOLDER: WHAT take 8.0 GB, and 2.1 GB are left there".
void require_space(const std::string& folder, uint64_t bytes, const std::string& what,
                   const std::string& advice);

}  // namespace dws
