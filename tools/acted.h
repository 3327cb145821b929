// A network's tensors after an element of its symmetry, as they are stored.
#pragma once

#include <vector>

#include "format/patch.h"
#include "network_input.h"
#include "symmetry/element.h"

namespace dws::tools {

// perm, sign, scale and phase, with commas between. Throws Error{usage}.
symmetry::Draw parse_groups(const std::string& groups);

// The new numbers of every tensor that the element changes, each made when it is written. Orders alone move bytes as they are, so that
// nothing is rounded. `network` must outlive them.
std::vector<Patch> acted(const symmetry::Spec& spec, const symmetry::NetworkElement& g,
                         const network::Network& network);

}  // namespace dws::tools
