// The symmetry of one network: groups of interchangeable neurons, channels, heads, and where each lies in which tensor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "network/array.h"
#include "network/network.h"

namespace dws::symmetry {

// Where a group's items lie along one axis of one tensor: item i of repetition o is the `inner` indices from
// offset + o * stride + i * inner on.
struct Member {
  int tensor = 0;  // in Spec::tensors
  int axis = 0;
  int64_t offset = 0, outer = 1, stride = 0, inner = 1;
};

// The item of a member, of a group of `size`, at a coordinate of its axis; -1: none.
int64_t item_at(const Member& member, int64_t size, int64_t coordinate) noexcept;

// What else may be done to each item, by its activation: along these members (numbers in NetworkGroup::members) numbers are
// multiplied by s, or where the exponent is -1 divided.
struct Scaling {
  struct Part {
    int member;
    int exponent;
  };
  std::vector<Part> parts;
};
// sin(omega (z + k pi / omega)) = (-1)^k sin(omega z): k half turns added to the biases, what follows negated for odd k.
struct Phase {
  struct Shift {
    int member;
    double half_turn;  // pi / omega
  };
  std::vector<Shift> shifts;
  std::vector<Scaling::Part> negated;  // the numbers that change sign for odd k
};

struct NetworkGroup {
  std::string name;
  int64_t size = 0;
  // Each item of group `by` has an order of its own for this group: heads and what is within a head. -1: one order.
  int by = -1;
  bool fixed = false;  // only there for others to be `by`: its own items stay
  std::vector<Member> members;
  std::vector<Scaling> signs;   // s = -1 or 1, drawn for each on its own
  std::vector<Scaling> scales;  // s > 0
  std::vector<Phase> phases;
  int64_t blocks = 1;  // size of the group `by`
};

struct SpecTensor {
  std::string name;
  std::vector<int64_t> dims;
  int constant = network::kNone;  // in the network the spec was found in
  int value = network::kNone;     // of discover_flow(): what is computed, by its number in Network::values
  bool parameter = false;         // counts for the coverage
};
// An axis, or a part of it, that stays as it is.
struct PinnedAxis {
  int tensor, axis;
  int64_t items;
  std::string by;  // what pinned it
};

struct Spec {
  std::string file;
  std::vector<SpecTensor> tensors;  // those that any group or pin names
  std::vector<NetworkGroup> groups;
  std::vector<PinnedAxis> pinned;
  int64_t parameters = 0;                // numbers in tensors that training could have changed
  double moved = 0;                      // of them, in numbers: that some group moves
  int64_t free_groups() const noexcept;  // those whose own items move
  double coverage() const noexcept { return parameters > 0 ? moved / static_cast<double>(parameters) : 0; }
};

// Finds it, from the graph alone. `inputs`: type and shape of each input, as network::input_shapes() gives them; what depends on
// the size taken for a free dimension is not claimed. Never claims what does not hold; what an operator
// without a rule touches stays pinned. Source: the rules are those of the operators' definitions (ONNX Operators.md); groups
// as in Ainsworth et al., "Git Re-Basin", ICLR 2023; scales and signs as in Godfrey et al., NeurIPS 2022.
Spec discover(const network::Network& network, const std::vector<network::ArrayPtr>& inputs);

// The same groups, and behind the stored tensors every floating value of the outermost graph that any of them lies along (of the
// shape that it has for `inputs`): an element acts on it as on a tensor, and what is computed after g is g
// on what was computed before.
Spec discover_flow(const network::Network& network, const std::vector<network::ArrayPtr>& inputs);

Json to_json(const Spec& spec);
// Throws Error{bad_schema|bad_value} with `name` (a file) in front for anything that does not describe a bijection of the
// tensors it names.
Spec spec_from_json(const Json& json, const std::string& name);

}  // namespace dws::symmetry
