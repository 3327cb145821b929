// Where a network's groups show in what it computes: the values that activation matching compares.
#pragma once

#include <cstdint>
#include <vector>

#include "network/network.h"
#include "symmetry/spec.h"

namespace dws::align {

// One member of a group on a computed value. Generators of the group are numbered: the k-th list of its signs is k, the parity of its p-th
// phase signs + p.
struct Site {
  int group = 0, member = 0, tensor = 0;  // in the spec of discover_flow()
  uint32_t flips = 0;                     // generators that negate it, a bit each
  std::vector<int> exponents;             // by the group's scales: 1 or -1, 0 where it does not show
  int phase = -1;                         // the one that shifts it by half turns
  double half_turn = 0;
  std::vector<int> others;  // groups besides that move on the value
  bool hint = false;        // counts for little in who is whose partner
};

// Of each group its best sites: where the group is summed over by a product, that is what the next layer reads (after the activation, as in
// Git Re-Basin), at most kMaxSites spread over the depth; else where another operator sums; else the last value that it lies on. Those
// where no other group moves go before others. Then hints: for each sign, scale or half turn that shows on none of these (what a norm takes
// in, the input of a sine) the last value on which it does.
struct Sites {
  std::vector<Site> best;
  // Hints too: the first value, and the first on which each of these shows. What a rectifier holds at zero still varies before it.
  std::vector<Site> first;
};
inline constexpr size_t kMaxSites = 8;
// `batch`: size of the batch axis, the first, in the shapes that the flow was found with.
std::vector<Sites> find_sites(const symmetry::Spec& flow, const network::Network& network, int64_t batch);

}  // namespace dws::align
