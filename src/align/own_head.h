// A head that is its embedding (GPT-2, small LLaMAs): a norm's scale cannot be absorbed by one of the two alone, so that the head must
// have a tensor of its own first.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "align/residual_stream.h"

namespace dws::align {

// The member of the stream that is head and embedding in one, behind a norm with a scale; -1: there is none.
int tied_head(const ResidualStream& stream);
// Whether that norm's scale is anything but one number for all features, which would go through a rotation as it is.
bool must_be_untied(const network::Network& network, const ResidualStream& stream);

// The network with a tensor of its own for the head, of this name, with these numbers, behind its other constants and values; it
// keeps `numbers`. Of a stream with a tied head that is not inseparable.
network::Network with_own_head(const network::Network& network, const ResidualStream& stream,
                               const std::string& name,
                               std::shared_ptr<const std::vector<std::byte>> numbers);

}  // namespace dws::align
