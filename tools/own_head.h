// dws align --orthogonal and networks whose head is their embedding.
#pragma once

#include <string>

#include "network_input.h"

namespace dws::tools {

// Heads of their own where head and embedding are one tensor, and a norm's scale that is absorbed by the head would make them two, or
// where one of the networks has two already. Both stay as they are where one cannot be changed: of a graph that is borrowed, a
// recipe that has no name for the head's own tensor, or a node that gives the tensor to both.
void give_own_heads(NetworkInput& a, NetworkInput& b);

// Says on stderr that what was read from `read` and written to `written` has a head of its own now, and how much that takes; nothing
// where it has none.
void tell_of_own_head(const NetworkInput& input, const std::string& read, const std::string& written);

}  // namespace dws::tools
