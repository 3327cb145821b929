#include "align/units.h"

#include <algorithm>
#include <set>

#include "align/lanes.h"
#include "align/streamed.h"
#include "core/parallel.h"

namespace dws::align {
namespace {

using symmetry::Member;
using symmetry::NetworkGroup;
using symmetry::Scaling;

bool acts(const std::vector<Scaling::Part>& parts, int member) {
  return std::ranges::any_of(parts, [&](const Scaling::Part& p) { return p.member == member; });
}

// The class of what flips with these generators; a new one where there is none.
int class_of(Unit& unit, const std::vector<int>& generators) {
  const auto at = std::ranges::find(unit.classes, generators);
  if (at != unit.classes.end()) return static_cast<int>(at - unit.classes.begin());
  unit.classes.push_back(generators);
  return static_cast<int>(unit.classes.size()) - 1;
}

void add_place(Unit& unit, const NetworkGroup& group, int member, Place place, const symmetry::Draw& kinds) {
  std::vector<int> generators;
  for (size_t k = 0; kinds.sign && k < group.signs.size(); ++k)
    if (acts(group.signs[k].parts, member)) generators.push_back(static_cast<int>(k));
  for (size_t p = 0; kinds.phase && p < group.phases.size(); ++p) {
    if (acts(group.phases[p].negated, member)) generators.push_back(static_cast<int>(group.signs.size() + p));
    for (const symmetry::Phase::Shift& shift : group.phases[p].shifts)
      if (shift.member == member) place.phase = static_cast<int>(p), place.half_turn = shift.half_turn;
  }
  place.sign_class = class_of(unit, generators);
  unit.places.push_back(place);
}

void find_coupling(Unit& unit) {
  std::set<std::pair<int, int>> axes;
  std::set<int> seen;
  for (const Place& p : unit.places) {
    if (axes.insert({p.field, p.axis}).second && !seen.insert(p.field).second) unit.coupled = true;
  }
}

// Where items lie along an axis that keeps only the coordinates `kept`; false where they do not lie evenly.
bool place_within(const Member& m, int64_t size, const std::vector<int64_t>& kept, Place& place) {
  std::vector<int64_t> items;
  for (const int64_t c : kept) items.push_back(symmetry::item_at(m, size, c));
  const auto first = std::ranges::find(items, 0);
  if (first == items.end()) return false;
  place.offset = first - items.begin();
  place.inner = 0;
  const auto count = static_cast<int64_t>(items.size());
  while (place.offset + place.inner < count && items[static_cast<size_t>(place.offset + place.inner)] == 0)
    ++place.inner;
  place.outer = std::ranges::count(items, 0) / place.inner;
  place.stride = 0;
  if (place.outer > 1) {
    int64_t next = place.offset + place.inner;
    while (next < count && items[static_cast<size_t>(next)] != 0) ++next;
    place.stride = next - place.offset;
  }
  const Member made{0, 0, place.offset, place.outer, place.stride, place.inner};
  for (int64_t c = 0; c < count; ++c)
    if (symmetry::item_at(made, size, c) != items[static_cast<size_t>(c)]) return false;
  return true;
}

}  // namespace

Problem make_problem(const Pair& pair, const symmetry::Draw& kinds) {
  std::vector<bool> counted = pair.scored;
  for (size_t t = 0; t < counted.size(); ++t) counted[t] = counted[t] && !pair.a.tensors[t].empty();
  return make_problem(pair.spec, counted, kinds);
}

Problem make_problem(const symmetry::Spec& spec, const std::vector<bool>& counted,
                     const symmetry::Draw& kinds) {
  Problem problem{.spec = &spec, .groups = spec.groups, .fields = {}, .units = {}, .kinds = kinds};
  const std::vector<bool> moved = symmetry::touched(spec);
  std::vector<int> field_of(spec.tensors.size(), -1);
  for (size_t t = 0; t < field_of.size(); ++t) {
    if (!counted[t] || !moved[t]) continue;
    field_of[t] = static_cast<int>(problem.fields.size());
    problem.fields.push_back({.tensor = static_cast<int>(t), .dims = spec.tensors[t].dims});
  }
  for (const NetworkGroup& group : problem.groups)
    for (const symmetry::Phase& phase : group.phases)
      for (const symmetry::Phase::Shift& shift : phase.shifts)
        if (const int f =
                field_of[static_cast<size_t>(group.members[static_cast<size_t>(shift.member)].tensor)];
            kinds.phase && f >= 0)
          problem.fields[static_cast<size_t>(f)].shifted = true;
  std::vector<int> unit_of(problem.groups.size(), -1);
  for (size_t g = 0; g < problem.groups.size(); ++g) {
    const NetworkGroup& group = problem.groups[g];
    if (group.by >= 0) continue;
    unit_of[g] = static_cast<int>(problem.units.size());
    Unit unit{.group = static_cast<int>(g),
              .size = group.size,
              .places = {},
              .classes = {{}},
              .fixed = group.fixed || !kinds.order,
              .nested = {}};
    for (size_t m = 0; m < group.members.size(); ++m) {
      const Member& member = group.members[m];
      const int field = field_of[static_cast<size_t>(member.tensor)];
      if (field >= 0)
        add_place(unit, group, static_cast<int>(m),
                  {.field = field,
                   .axis = member.axis,
                   .offset = member.offset,
                   .outer = member.outer,
                   .stride = member.stride,
                   .inner = member.inner},
                  kinds);
    }
    find_coupling(unit);
    problem.units.push_back(std::move(unit));
  }
  for (size_t g = 0; g < problem.groups.size(); ++g)
    if (problem.groups[g].by >= 0)
      problem.units[static_cast<size_t>(unit_of[static_cast<size_t>(problem.groups[g].by)])].nested.push_back(
          static_cast<int>(g));
  // What is fixed and has nothing within, or lies in nothing that counts, is no unit.
  std::erase_if(problem.units, [&](const Unit& u) {
    return u.places.empty() || (u.nested.empty() && (problem.groups[static_cast<size_t>(u.group)].fixed ||
                                                     (u.fixed && u.classes.size() == 1)));
  });
  return problem;
}

Problem inner_problem(const Problem& problem, const Unit& unit) {
  Problem inner{.spec = nullptr, .groups = {}, .fields = {}, .units = {}, .kinds = problem.kinds};
  const NetworkGroup& outer = problem.groups[static_cast<size_t>(unit.group)];
  inner.groups.push_back(outer);
  Unit whole{.group = 0, .size = 1, .places = {}, .classes = unit.classes, .fixed = true, .nested = {}};
  std::vector<std::vector<int64_t>> kept;  // coordinates of item 0 along its axis
  for (const Place& p : unit.places) {
    const Field& field = problem.fields[static_cast<size_t>(p.field)];
    Field slice{.tensor = -1, .dims = field.dims, .shifted = field.shifted};
    const int64_t length = p.outer * p.inner;
    slice.dims[static_cast<size_t>(p.axis)] = length;
    kept.emplace_back();
    for (int64_t o = 0; o < p.outer; ++o)
      for (int64_t i = 0; i < p.inner; ++i) kept.back().push_back(p.offset + o * p.stride + i);
    Place here = p;
    here.field = static_cast<int>(inner.fields.size());
    here.offset = 0, here.outer = 1, here.stride = 0, here.inner = length;
    whole.places.push_back(here);
    inner.fields.push_back(std::move(slice));
  }
  inner.groups[0].size = 1;
  if (outer.fixed) whole.classes.resize(1);
  if (whole.classes.size() > 1) inner.units.push_back(whole);
  for (const int g : unit.nested) {
    const NetworkGroup& group = problem.groups[static_cast<size_t>(g)];
    Unit within{.group = static_cast<int>(inner.groups.size()),
                .size = group.size,
                .places = {},
                .classes = {{}},
                .fixed = !problem.kinds.order,
                .nested = {}};
    for (size_t m = 0; m < group.members.size(); ++m) {
      const Member& member = group.members[m];
      for (size_t f = 0; f < unit.places.size(); ++f) {
        const Place& p = unit.places[f];
        const Field& field = problem.fields[static_cast<size_t>(p.field)];
        if (field.tensor != member.tensor) continue;
        Place place{.field = static_cast<int>(f), .axis = member.axis};
        const bool elsewhere = std::ranges::any_of(unit.places, [&](const Place& other) {
          return other.field == p.field && other.axis == member.axis && other.axis != p.axis;
        });
        if (elsewhere) continue;  // the unit's other axis: several items' at once
        std::vector<int64_t> all(static_cast<size_t>(field.dims[static_cast<size_t>(member.axis)]));
        for (size_t c = 0; c < all.size(); ++c) all[c] = static_cast<int64_t>(c);
        if (place_within(member, group.size, member.axis == p.axis ? kept[f] : all, place))
          add_place(within, group, static_cast<int>(m), place, problem.kinds);
      }
    }
    find_coupling(within);
    inner.groups.push_back(group);
    inner.groups.back().by = -1;
    inner.groups.back().blocks = 1;
    if (!within.places.empty()) inner.units.push_back(std::move(within));
  }
  return inner;
}

bool crosses(const Unit& unit, const Place& place) noexcept {
  return unit.coupled && std::ranges::any_of(unit.places, [&](const Place& p) {
           return p.field == place.field && p.axis != place.axis;
         });
}

Standing standing(const Problem& problem, const Pair& pair) {
  Standing numbers;
  for (const Field& field : problem.fields) {
    const auto t = static_cast<size_t>(field.tensor);
    numbers.a.push_back(pair.a.tensors[t]);
    numbers.b.emplace_back(pair.b.tensors[t].begin(), pair.b.tensors[t].end());
  }
  return numbers;
}

double score(const Field& field, std::span<const float> a, std::span<const float> b) {
  const double product = dot(a, b);
  return field.shifted ? product - dot(b, b) / 2 : product;
}

double score(const Problem& problem, const Standing& numbers) {
  if (numbers.streamed) return numbers.streamed->score();
  std::vector<double> parts(problem.fields.size());
  parallel_for(static_cast<int64_t>(parts.size()), [&](int64_t i) {
    const auto f = static_cast<size_t>(i);
    parts[f] = score(problem.fields[f], numbers.a[f], numbers.b[f]);
  });
  double sum = 0;
  for (const double part : parts) sum += part;
  return sum;
}

}  // namespace dws::align
