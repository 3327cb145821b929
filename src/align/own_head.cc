#include "align/own_head.h"

#include <algorithm>

#include "core/error.h"
#include "network/array.h"

namespace dws::align {

int tied_head(const ResidualStream& stream) {
  for (const StreamNorm& norm : stream.norms)
    if (norm.tied != network::kNone) return norm.tied;
  return -1;
}

bool must_be_untied(const network::Network& network, const ResidualStream& stream) {
  return std::ranges::any_of(stream.norms, [&](const StreamNorm& norm) {
    if (norm.tied == network::kNone) return false;
    const network::Array scale = network::to_array(network.constants[static_cast<size_t>(norm.scale)]);
    return std::ranges::any_of(scale.reals, [&](double v) { return v != scale.reals.front(); });
  });
}

network::Network with_own_head(const network::Network& network, const ResidualStream& stream,
                               const std::string& name,
                               std::shared_ptr<const std::vector<std::byte>> numbers) {
  const int tied = tied_head(stream);
  if (tied < 0 || stream.members[static_cast<size_t>(tied)].inseparable)
    throw Error(ErrorKind::internal, "a head that is not to be untied");
  const StreamMember& member = stream.members[static_cast<size_t>(tied)];
  network::Network made = network;
  network::Constant head = network.constants[static_cast<size_t>(member.constant)];
  head.name = name;
  head.bytes = *numbers;
  const int value = static_cast<int>(made.values.size());
  made.values.push_back({.name = name,
                         .constant = static_cast<int>(made.constants.size()),
                         .type = head.type,
                         .dims = head.dims});
  made.constants.push_back(std::move(head));
  for (const StreamRead& read : member.read_at)
    made.graph.nodes[static_cast<size_t>(read.node)].inputs[read.input] = value;
  made.owner = std::make_shared<const std::pair<std::shared_ptr<const void>, decltype(numbers)>>(
      network.owner, std::move(numbers));
  return made;
}

}  // namespace dws::align
