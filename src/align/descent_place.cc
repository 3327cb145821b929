// The first pass of a descent.
#include <algorithm>

#include "align/descent_state.h"
#include "core/interrupt.h"

namespace dws::align {

// Adds `by` where the unit's items, and those within them, lie.
void Descent::cover(size_t u, int by, Unknown& unknown) const {
  const Unit& unit = problem_.units[u];
  const auto add = [&](size_t f, size_t axis, const auto& inside) {
    std::vector<int>& counts = unknown[f][axis];
    counts.resize(static_cast<size_t>(problem_.fields[f].dims[axis]));
    for (size_t c = 0; c < counts.size(); ++c)
      if (inside(static_cast<int64_t>(c))) counts[c] += by;
  };
  const auto whole = [&](const Place& p) {
    const symmetry::Member m{0, p.axis, p.offset, p.outer, p.stride, p.inner};
    add(static_cast<size_t>(p.field), static_cast<size_t>(p.axis),
        [&](int64_t c) { return symmetry::item_at(m, unit.size, c) >= 0; });
  };
  // One item moves nowhere.
  if (unit.size > 1)
    for (const Place& p : unit.places) whole(p);
  for (const int g : unit.nested) {
    const symmetry::NetworkGroup& group = problem_.groups[static_cast<size_t>(g)];
    for (const symmetry::Member& m : group.members)
      for (size_t f = 0; f < problem_.fields.size(); ++f)
        if (problem_.fields[f].tensor == m.tensor)
          add(f, static_cast<size_t>(m.axis),
              [&](int64_t c) { return symmetry::item_at(m, group.size, c) >= 0; });
  }
}

// How many numbers beside each item are known: the evidence there is for where it belongs.
double Descent::known_numbers(size_t u, const Unknown& unknown) const {
  const Unit& unit = problem_.units[u];
  double sum = 0;
  for (const Place& p : unit.places) {
    if (crosses(unit, p)) continue;
    const auto f = static_cast<size_t>(p.field);
    double known = static_cast<double>(p.outer);
    for (size_t d = 0; d < problem_.fields[f].dims.size(); ++d) {
      const std::vector<int>& counts = unknown[f][d];
      const bool own = static_cast<int>(d) == p.axis;
      const auto extent = static_cast<double>(own ? p.inner : problem_.fields[f].dims[d]);
      if (counts.empty()) {
        known *= extent;
      } else if (!own) {
        known *= static_cast<double>(std::ranges::count(counts, 0));
      } else {
        // Whoever else lies along the unit's own axis: within its items or around them.
        int64_t free = 0;
        for (int64_t r = 0; r < p.inner; ++r) free += counts[static_cast<size_t>(p.offset + r)] <= 0;
        known *= static_cast<double>(free);
      }
    }
    sum += known;
  }
  // Nested groups have that much less for each of their items.
  int64_t finest = 1;
  for (const int g : unit.nested) finest = std::max(finest, problem_.groups[static_cast<size_t>(g)].size);
  return sum / static_cast<double>(finest);
}

void Descent::place() {
  Unknown unknown;
  for (const Field& field : problem_.fields) unknown.emplace_back(field.dims.size());
  std::vector<size_t> left;
  for (size_t u = 0; u < problem_.units.size(); ++u) {
    left.push_back(u);
    cover(u, 1, unknown);
  }
  std::vector<double> known(problem_.units.size(), -1);  // -1: to be counted
  while (!left.empty()) {
    check_interrupt();
    for (const size_t u : left) {
      if (known[u] >= 0) continue;
      cover(u, -1, unknown);  // as if it were not there along its own axis
      known[u] = known_numbers(u, unknown);
      cover(u, 1, unknown);
    }
    const auto best = std::ranges::max_element(left, {}, [&](size_t u) { return known[u]; });
    const size_t u = *best;
    left.erase(best);
    cover(u, -1, unknown);
    if (kept_) {
      reorder(u, &unknown);
    } else if (const Step step = find_step(u, &unknown); !step.changed.empty()) {
      take(u, step);
    }
    for (const Place& p : problem_.units[u].places)
      for (const auto& [beside, at] : at_field_[static_cast<size_t>(p.field)]) known[beside] = -1;
  }
  for (const auto& state : states_) {
    state->fresh = false;
    state->dirty = true;
    state->column_dual.clear();
  }
  if (kept_) settle_orders();
  score_ = align::score(problem_, numbers_);
}

}  // namespace dws::align
