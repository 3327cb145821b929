// How much memory the machine has to give.
#pragma once

#include <cstdint>
#include <optional>

namespace dws {

// Bytes that programs can still have without swapping, as the system estimates it, and no more than this process's control
// group may have. Empty where the system does not say.
std::optional<uint64_t> available_memory();

}  // namespace dws
