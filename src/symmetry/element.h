// Elements of a network's symmetry, and what they do to its tensors.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/rng.h"
#include "network/array.h"
#include "symmetry/spec.h"

namespace dws::symmetry {

// Of one group; every list has group.blocks * group.size entries, block by block.
struct GroupElement {
  std::vector<int32_t> order;              // new[i] = old[order[i]]
  std::vector<std::vector<double>> signs;  // by group.signs: then times -1 or 1
  std::vector<std::vector<double>>
      scales;  // by group.scales: then times (or, by exponent, divided by) a positive factor
  std::vector<std::vector<int32_t>> turns;  // by group.phases: then half turns added
};
using NetworkElement = std::vector<GroupElement>;  // by Spec::groups

struct Draw {
  bool order = true, sign = true, scale = true, phase = true;
};
NetworkElement identity_element(const Spec& spec);
// Orders and signs uniform, factors log-uniform in [1/2, 2], turns in -2 .. 2.
NetworkElement random_element(const Spec& spec, const Draw& draw, Rng& rng);
NetworkElement inverse(const Spec& spec, const NetworkElement& g);
// (a b) v = a (b v).
NetworkElement compose(const Spec& spec, const NetworkElement& a, const NetworkElement& b);
// Of one group; `blocks`: the order in which a takes the blocks, nullptr where they stay.
GroupElement compose(const NetworkGroup& group, const GroupElement& a, const GroupElement& b,
                     const std::vector<int32_t>* blocks = nullptr);
// Whether a group's element does nothing.
bool is_identity(const GroupElement& g) noexcept;

// One member of one group that is left out, to see that it matters.
struct LeftOut {
  int group = -1, member = -1;
};

// Of each tensor the groups and their members that lie on it. Who acts on many tensors makes it once; without it the functions
// below look through all groups.
using MembersByTensor = std::vector<std::vector<std::pair<int, int>>>;
MembersByTensor members_by_tensor(const Spec& spec);

// The tensor after g, T' = g T: numbers of the shape spec.tensors[tensor] says. Throws Error{mismatch} for another shape.
network::Array act(const Spec& spec, const NetworkElement& g, int tensor, const network::Array& numbers,
                   const LeftOut& left_out = {}, const MembersByTensor* members = nullptr);
// The same on the bytes as stored, items of `item` bytes each moved and not looked at: for elements of orders alone.
std::vector<std::byte> act_on_bytes(const Spec& spec, const NetworkElement& g, int tensor, Bytes bytes,
                                    size_t item, const MembersByTensor* members = nullptr);
// Whether g only reorders this tensor.
bool only_reorders(const Spec& spec, const NetworkElement& g, int tensor,
                   const MembersByTensor* members = nullptr);
// Whether any group has this tensor among its members (others act_on_bytes() would only copy).
std::vector<bool> touched(const Spec& spec);

Json to_json(const Spec& spec, const NetworkElement& g);
// Throws Error{bad_schema|bad_value|mismatch}, `name` (a file) in front, for what is no element of this spec.
NetworkElement element_from_json(const Spec& spec, const Json& json, const std::string& name);

}  // namespace dws::symmetry
