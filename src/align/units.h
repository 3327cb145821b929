// What weight matching moves: units, each a group that is free (with the groups within its items), and where they lie in the
// tensors that count.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "align/pair.h"

namespace dws::align {

// A tensor that counts.
struct Field {
  int tensor = -1;  // in Spec::tensors; -1 in a problem within a unit
  std::vector<int64_t> dims;
  bool shifted =
      false;  // half turns are added to it: it counts by distance, <a, b> - |b|^2 / 2, as <a, b> is not bounded
};

// Where a unit's items lie along one axis of one field: as symmetry::Member.
struct Place {
  int field = 0, axis = 0;
  int64_t offset = 0, outer = 1, stride = 0, inner = 1;
  int sign_class = 0;  // of Unit::classes: what flips together
  int phase = -1;      // of the group's phases: the one that shifts it
  double half_turn = 0;
};

// Numbers of a group: the k-th list of its signs has the generator k, the parity of its p-th phase the generator signs + p.
struct Unit {
  int group = 0;  // in Problem::groups
  int64_t size = 0;
  std::vector<Place> places;
  std::vector<std::vector<int>> classes;  // generators that flip the places of each class; class 0: none
  bool fixed = false;                     // items stay in their order
  bool coupled = false;                   // on two axes of one field: gains are a linearisation
  std::vector<int> nested;                // groups within each item
};

struct Problem {
  const symmetry::Spec* spec = nullptr;  // nullptr within a unit
  std::vector<symmetry::NetworkGroup> groups;
  std::vector<Field> fields;
  std::vector<Unit> units;
  symmetry::Draw kinds{};  // what may be moved
};

// Whether the unit lies along another axis of the place's field too.
bool crosses(const Unit& unit, const Place& place) noexcept;

class Streamed;

// The numbers of two networks, by field: A's, and B's as they stand.
struct Standing {
  std::vector<std::span<const float>> a;
  std::vector<std::vector<float>> b;
  std::shared_ptr<Streamed> streamed =
      {};  // in place of them: of networks that stay in their files (streamed.h)
};

Problem make_problem(const Pair& pair, const symmetry::Draw& kinds);
// `counted`: by Spec::tensors, what is scored and has numbers.
Problem make_problem(const symmetry::Spec& spec, const std::vector<bool>& counted,
                     const symmetry::Draw& kinds);
Standing standing(const Problem& problem, const Pair& pair);

// The problem within one item of a unit with nested groups: fields are the slices of its places (in their order, each axis of the
// unit outer * inner long), units the unit itself with one item, for its signs, and the groups within. Groups of it: the unit's, then
// nested ones in their order.
Problem inner_problem(const Problem& problem, const Unit& unit);

// The score of a field's numbers: <a, b>, or by distance where it is shifted.
double score(const Field& field, std::span<const float> a, std::span<const float> b);
double score(const Problem& problem, const Standing& numbers);

}  // namespace dws::align
