// A network's tensors after an element of its symmetry, as they are stored.
#pragma once

#include <functional>
#include <vector>

#include "format/patch.h"
#include "network_input.h"
#include "symmetry/element.h"

namespace dws::tools {

// perm, sign, scale and phase, with commas between. Throws Error{usage}.
symmetry::Draw parse_groups(const std::string& groups);

// The new numbers of every tensor that the element changes, each made when it is written. Orders alone move bytes as they are, so that
// nothing is rounded. `network` must outlive them; `release` is told of numbers that were read for the last time.
std::vector<Patch> acted(const symmetry::Spec& spec, const symmetry::NetworkElement& g,
                         const network::Network& network, const std::function<void(Bytes)>& release = {});

}  // namespace dws::tools
