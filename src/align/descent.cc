#include "align/descent.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "align/descent_state.h"
#include "align/streamed.h"
#include "core/interrupt.h"
#include "core/parallel.h"

namespace dws::align {
namespace {

using symmetry::GroupElement;
using symmetry::NetworkGroup;

// Gains brought up to date this often are computed anew, so that float32's rounding does not add up.
constexpr int kUpdates = 64;

GroupElement identity(const NetworkGroup& group) {
  GroupElement e;
  const auto n = static_cast<size_t>(group.blocks * group.size);
  for (size_t i = 0; i < n; ++i) e.order.push_back(static_cast<int32_t>(i % static_cast<size_t>(group.size)));
  e.signs.assign(group.signs.size(), std::vector<double>(n, 1));
  e.scales.assign(group.scales.size(), std::vector<double>(n, 1));
  e.turns.assign(group.phases.size(), std::vector<int32_t>(n, 0));
  return e;
}

bool does_nothing(const Choice& c) {
  return std::ranges::all_of(c.signs, [](float s) { return s > 0; }) &&
         std::ranges::all_of(c.turns, [](int32_t k) { return k == 0; });
}

float factor_of(const Unit& unit, int sign_class, const Choice& choice) {
  float f = 1;
  for (const int k : unit.classes[static_cast<size_t>(sign_class)]) f *= choice.signs[static_cast<size_t>(k)];
  return f;
}
std::vector<float> factors(const Unit& unit, int sign_class, const Step& step) {
  std::vector<float> f(static_cast<size_t>(unit.size), 1.f);
  if (!step.choices.empty())
    for (const int64_t i : step.changed)
      f[static_cast<size_t>(i)] = factor_of(unit, sign_class, step.choices[static_cast<size_t>(i)]);
  return f;
}
std::vector<float> shifts(const Unit& unit, const Place& place, const Step& step) {
  if (place.phase < 0 || step.choices.empty()) return {};
  std::vector<float> s(static_cast<size_t>(unit.size), 0.f);
  for (const int64_t i : step.changed)
    s[static_cast<size_t>(i)] = static_cast<float>(
        place.half_turn * step.choices[static_cast<size_t>(i)].turns[static_cast<size_t>(place.phase)]);
  return s;
}

// The coordinates along a place's axis of some items.
std::vector<int64_t> coordinates(const Place& place, std::span<const int64_t> items) {
  std::vector<int64_t> all;
  for (int64_t o = 0; o < place.outer; ++o)
    for (const int64_t i : items)
      for (int64_t r = 0; r < place.inner; ++r)
        all.push_back(place.offset + o * place.stride + i * place.inner + r);
  std::ranges::sort(all);
  return all;
}

// Of the numbers beside the items of `place`, those at `chosen` of another axis: to `before` or to `run`.
void select(const Field& field, const Place& place, int axis, const std::vector<int64_t>& chosen,
            std::vector<int64_t>& list, Selection& selection) {
  const size_t from = axis < place.axis ? 0 : static_cast<size_t>(place.axis) + 1;
  const size_t to = axis < place.axis ? static_cast<size_t>(place.axis) : field.dims.size();
  int64_t outside = 1, inside = 1;
  for (size_t d = from; d < to; ++d) {
    if (static_cast<int>(d) < axis) outside *= field.dims[d];
    if (static_cast<int>(d) > axis) inside *= field.dims[d];
  }
  const int64_t length = field.dims[static_cast<size_t>(axis)];
  const int64_t repeat = axis < place.axis ? 1 : place.inner;
  for (int64_t r = 0; r < repeat * outside; ++r)
    for (const int64_t c : chosen)
      for (int64_t i = 0; i < inside; ++i) list.push_back((r * length + c) * inside + i);
  (axis < place.axis ? selection.before : selection.run) = &list;
}

}  // namespace

Choice choice_of(const GroupElement& element, size_t entry) {
  Choice c;
  for (const auto& signs : element.signs) c.signs.push_back(static_cast<float>(signs[entry]));
  for (const auto& turns : element.turns) {
    c.turns.push_back(turns[entry]);
    c.signs.push_back(turns[entry] % 2 != 0 ? -1.f : 1.f);
  }
  return c;
}

void move_unit(const Problem& problem, const Unit& unit, const Step& step, Standing& numbers) {
  for (const Place& p : unit.places) {
    const auto f = static_cast<size_t>(p.field);
    move_items(Walk(problem.fields[f], p, unit.size), numbers.b[f].data(), step.changed, step.order,
               factors(unit, p.sign_class, step), shifts(unit, p, step));
  }
}

Descent::Descent(const Problem& problem, Standing numbers)
    : problem_(problem), numbers_(std::move(numbers)), at_field_(problem.fields.size()) {
  for (const NetworkGroup& group : problem.groups) element_.push_back(identity(group));
  for (size_t u = 0; u < problem.units.size(); ++u) {
    states_.push_back(std::make_unique<State>(problem, problem.units[u]));
    if (!problem.units[u].nested.empty())
      states_.back()->inner = std::make_unique<Problem>(inner_problem(problem, problem.units[u]));
    for (size_t p = 0; p < problem.units[u].places.size(); ++p)
      at_field_[static_cast<size_t>(problem.units[u].places[p].field)].emplace_back(u, p);
  }
  scale_ = std::sqrt(product_of_squares());
  score_ = align::score(problem, numbers_);
  if (numbers_.streamed || !KeptProducts::possible(problem)) return;
  kept_ = std::make_unique<KeptProducts>(problem, numbers_.a, numbers_.b);
}

Descent::~Descent() = default;

double Descent::product_of_squares() const {
  if (numbers_.streamed) return numbers_.streamed->squares_of_a() * numbers_.streamed->squares_of_b();
  std::vector<double> squares(2 * problem_.fields.size());
  parallel_for(static_cast<int64_t>(squares.size()), [&](int64_t i) {
    const auto f = static_cast<size_t>(i / 2);
    const std::span<const float> x = i % 2 == 0 ? numbers_.a[f] : std::span<const float>(numbers_.b[f]);
    squares[static_cast<size_t>(i)] = align::score(Field{}, x, x);
  });
  double a = 0, b = 0;
  for (size_t i = 0; i < squares.size(); i += 2) a += squares[i], b += squares[i + 1];
  return a * b;
}

void Descent::gather(size_t u, const Unknown* unknown) {
  State& state = *states_[u];
  const Unit& unit = problem_.units[u];
  if (state.fresh && !unknown) return;
  state.gains.assign(unit.classes.size(), {});
  for (const Place& p : unit.places) {
    if (p.phase >= 0 || (unknown && crosses(unit, p))) continue;
    const auto f = static_cast<size_t>(p.field);
    const Field& field = problem_.fields[f];
    const Walk walk(field, p, unit.size);
    Selection selection;
    std::vector<int64_t> before, run;
    if (unknown) {
      // A number is known when it is along every axis; along the unit's own, where others lie within or around its items.
      const auto& axes = (*unknown)[f];
      const auto known = [&](size_t axis, int64_t c) {
        return axes[axis].empty() || axes[axis][static_cast<size_t>(c)] == 0;
      };
      const auto all = [&](size_t from, size_t to, int64_t index) {
        for (size_t d = to; d-- > from;) {
          if (!known(d, index % field.dims[d])) return false;
          index /= field.dims[d];
        }
        return true;
      };
      const auto axis = static_cast<size_t>(p.axis);
      for (int64_t i = 0; i < walk.before; ++i)
        if (all(0, axis, i)) before.push_back(i);
      for (int64_t r = 0; r < walk.run; ++r)
        if (known(axis, p.offset + r / walk.after) && all(axis + 1, field.dims.size(), r % walk.after))
          run.push_back(r);
      if (before.empty() || run.empty()) continue;
      if (static_cast<int64_t>(before.size()) < walk.before) selection.before = &before;
      if (static_cast<int64_t>(run.size()) < walk.run) selection.run = &run;
    }
    std::vector<float>& gain = state.gains[static_cast<size_t>(p.sign_class)];
    if (gain.empty()) gain.assign(static_cast<size_t>(unit.size * unit.size), 0.f);
    if (numbers_.streamed)
      numbers_.streamed->add_products(p, unit.size, selection, gain, packed_);
    else
      add_products(walk, selection, numbers_.a[f].data(), numbers_.b[f].data(), gain, packed_);
  }
  state.fresh = !unknown;
  state.updates = 0;
}

Step Descent::find_step(size_t u, const Unknown* unknown) {
  const Unit& unit = problem_.units[u];
  if (!unit.nested.empty()) return find_nested_step(u, unknown);
  State& state = *states_[u];
  const int64_t n = unit.size;
  gather(u, unknown);
  const bool phases = !problem_.groups[static_cast<size_t>(unit.group)].phases.empty();
  const bool plain = unit.classes.size() == 1 && !phases;
  Step step;
  step.order.resize(static_cast<size_t>(n));
  std::iota(step.order.begin(), step.order.end(), 0);
  if (phases) take_shifted(u);
  if (!unit.fixed) {
    if (!plain) state.choices.best(state.gains, state.total);
    const std::vector<float>& total = plain ? state.gains[0] : state.total;
    if (!total.empty()) {
      const WarmStart warm{state.column_dual, step.order};
      const bool cold = unknown || state.column_dual.empty();
      const Assignment& found = state.solver.solve(n, total, cold ? nullptr : &warm);
      step.order = found.column;
      state.column_dual = found.column_dual;
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    bool still = step.order[static_cast<size_t>(i)] == i;
    if (!plain) {
      step.choices.push_back(state.choices.choose(state.gains, i, step.order[static_cast<size_t>(i)]));
      still = still && does_nothing(step.choices.back());
    }
    if (!still) step.changed.push_back(i);
  }
  if (numbers_.streamed) state.forget();
  return step;
}

double Descent::rise_by_trial(size_t u, const Step& step) const {
  const Unit& unit = problem_.units[u];
  std::set<size_t> fields;
  for (const Place& p : unit.places) fields.insert(static_cast<size_t>(p.field));
  if (numbers_.streamed) return streamed_rise_by_trial(u, step, fields);
  Standing trial{.a = {}, .b = std::vector<std::vector<float>>(numbers_.b.size())};
  for (const size_t f : fields) trial.b[f] = numbers_.b[f];
  move(u, step, trial);
  double rise = 0;
  for (const size_t f : fields)
    rise += align::score(problem_.fields[f], numbers_.a[f], trial.b[f]) -
            align::score(problem_.fields[f], numbers_.a[f], numbers_.b[f]);
  return rise;
}

double Descent::rise_of(size_t u, const Step& step) const {
  const Unit& unit = problem_.units[u];
  if (unit.coupled) return rise_by_trial(u, step);
  if (!unit.nested.empty()) return step.rise;
  double rise = 0;
  for (const Place& p : unit.places) {
    const auto f = static_cast<size_t>(p.field);
    const Walk walk(problem_.fields[f], p, unit.size);
    const std::vector<float> factor = factors(unit, p.sign_class, step), shift = shifts(unit, p, step);
    if (numbers_.streamed && shift.empty()) {
      rise += numbers_.streamed->change(p, unit.size, step.changed, step.order, factor);
      continue;
    }
    std::vector<float> whole_a, whole_b;
    if (numbers_.streamed) whole_a = numbers_.streamed->whole_a(f), whole_b = numbers_.streamed->whole_b(f);
    const float* a = numbers_.streamed ? whole_a.data() : numbers_.a[f].data();
    const float* b = numbers_.streamed ? whole_b.data() : numbers_.b[f].data();
    rise += change(walk, a, b, step.changed, step.order, factor);
    if (shift.empty()) continue;
    // <a, k> - (|s b + k|^2 - |b|^2) / 2, over the items that change.
    std::vector<float> left(static_cast<size_t>(walk.rows())), now(left.size()), old(left.size());
    for (const int64_t i : step.changed) {
      const auto at = static_cast<size_t>(i);
      take_item(walk, a, i, left.data());
      take_item(walk, b, i, old.data());
      take_item(walk, b, step.order[at], now.data());
      for (size_t k = 0; k < left.size(); ++k) {
        const double x = double{factor[at]} * now[k] + double{shift[at]};
        rise += double{left[k]} * shift[at] - (x * x - double{old[k]} * old[k]) / 2;
      }
    }
  }
  return rise;
}

void Descent::move(size_t u, const Step& step, Standing& numbers) const {
  const Unit& unit = problem_.units[u];
  if (unit.nested.empty())
    move_unit(problem_, unit, step, numbers);
  else
    move_nested(problem_, *states_[u]->inner, unit, step, numbers);
}

void Descent::compose(size_t u, const Step& step, std::vector<GroupElement>& element) const {
  const Unit& unit = problem_.units[u];
  const auto g = static_cast<size_t>(unit.group);
  GroupElement e = identity(problem_.groups[g]);
  e.order = step.order;
  for (size_t i = 0; i < step.choices.size(); ++i) {
    for (size_t k = 0; k < e.signs.size(); ++k) e.signs[k][i] = step.choices[i].signs[k];
    for (size_t k = 0; k < e.turns.size(); ++k) e.turns[k][i] = step.choices[i].turns[k];
  }
  for (size_t k = 0; k < step.nested.size(); ++k) {
    const auto n = static_cast<size_t>(unit.nested[k]);
    element[n] = symmetry::compose(problem_.groups[n], step.nested[k], element[n], &step.order);
  }
  element[g] = symmetry::compose(problem_.groups[g], e, element[g]);
}

void Descent::take(size_t u, const Step& step) {
  const Unit& unit = problem_.units[u];
  State& state = *states_[u];
  if (numbers_.streamed) return streamed_take(u, step);
  std::set<int> fields;
  for (const Place& p : unit.places) fields.insert(p.field);
  // Products of the units beside, of the numbers that change: taken away as they were, added as they become.
  struct Beside {
    size_t unit, place, field;
    std::vector<float> before;
    Selection selection;
    std::vector<int64_t> list;
  };
  std::vector<std::unique_ptr<Beside>> beside;
  for (const int field : fields) {
    const auto f = static_cast<size_t>(field);
    std::set<int> axes;
    std::vector<int64_t> moved;
    for (const Place& p : unit.places) {
      if (p.field != field) continue;
      axes.insert(p.axis);
      const std::vector<int64_t> more = coordinates(p, step.changed);
      moved.insert(moved.end(), more.begin(), more.end());
    }
    std::ranges::sort(moved);
    for (const auto& [v, at] : at_field_[f]) {
      if (v == u) continue;
      State& other = *states_[v];
      const Place& place = problem_.units[v].places[at];
      other.dirty = true;
      if (!other.fresh || place.phase >= 0) continue;
      if (axes.size() > 1 || axes.contains(place.axis) || other.updates >= kUpdates) {
        other.fresh = false;
        continue;
      }
      beside.push_back(std::make_unique<Beside>());
      Beside& b = *beside.back();
      b.unit = v, b.place = at, b.field = f;
      select(problem_.fields[f], place, *axes.begin(), moved, b.list, b.selection);
      const Walk walk(problem_.fields[f], place, problem_.units[v].size);
      b.before.resize(static_cast<size_t>(walk.rows(b.selection) * walk.items));
      pack(walk, b.selection, numbers_.b[f].data(), b.before.data());
    }
  }
  move(u, step, numbers_);
  for (const auto& b : beside) {
    State& other = *states_[b->unit];
    if (!other.fresh) continue;
    const Place& place = problem_.units[b->unit].places[b->place];
    const Walk walk(problem_.fields[b->field], place, problem_.units[b->unit].size);
    packed_.reserve(b->before.size());
    pack(walk, b->selection, numbers_.b[b->field].data(), packed_.b.data());
    pack(walk, b->selection, numbers_.a[b->field].data(), packed_.a.data());
    for (size_t i = 0; i < b->before.size(); ++i) packed_.b[i] -= b->before[i];
    add_packed_products(walk.items, walk.rows(b->selection), packed_.a.data(), packed_.b.data(),
                        other.gains[static_cast<size_t>(place.sign_class)]);
    ++other.updates;
  }
  compose(u, step, element_);
  // The unit's own gains: columns go where items go.
  state.dirty = unit.coupled;
  if (unit.coupled || !unit.nested.empty()) {
    state.fresh = false;
    return;
  }
  if (state.fresh) {
    for (size_t c = 0; c < state.gains.size(); ++c) {
      if (state.gains[c].empty()) continue;
      const std::vector<float> f = factors(unit, static_cast<int>(c), step);
      std::vector<float> row(step.changed.size());
      for (int64_t i = 0; i < unit.size; ++i) {
        float* gain = state.gains[c].data() + i * unit.size;
        for (size_t k = 0; k < row.size(); ++k) {
          const auto j = static_cast<size_t>(step.changed[k]);
          row[k] = f[j] * gain[step.order[j]];
        }
        for (size_t k = 0; k < row.size(); ++k) gain[step.changed[k]] = row[k];
      }
    }
  }
  state.reorder_duals(step.order);
}

bool Descent::improve_by_cycles(size_t u, const Step& step) {
  constexpr size_t kCycles = 64;
  bool better = false;
  std::vector<bool> seen(step.order.size());
  size_t tried = 0;
  for (const int64_t start : step.changed) {
    if (seen[static_cast<size_t>(start)] || ++tried > kCycles) continue;
    Step one{.order = {}, .choices = step.choices, .changed = {}, .nested = {}};
    one.order.resize(step.order.size());
    std::iota(one.order.begin(), one.order.end(), 0);
    for (int64_t i = start; !seen[static_cast<size_t>(i)]; i = step.order[static_cast<size_t>(i)]) {
      const auto at = static_cast<size_t>(i);
      seen[at] = true;
      one.order[at] = step.order[at];
      one.changed.push_back(i);
    }
    std::ranges::sort(one.changed);
    for (size_t i = 0; i < one.choices.size(); ++i)
      if (!std::ranges::binary_search(one.changed, static_cast<int64_t>(i))) {
        std::ranges::fill(one.choices[i].signs, 1.f);
        std::ranges::fill(one.choices[i].turns, 0);
      }
    const double rise = rise_of(u, one);
    if (!(rise > kRise * scale_)) continue;
    take(u, one);
    score_ += rise;
    better = true;
  }
  return better;
}

bool Descent::improve(size_t u) {
  State& state = *states_[u];
  if (!state.dirty) return false;
  state.dirty = false;
  const Step step = find_step(u, nullptr);
  if (step.changed.empty()) return false;
  const double rise = rise_of(u, step);
  if (!(rise > kRise * scale_)) {
    const Unit& unit = problem_.units[u];
    const bool several = unit.coupled && unit.nested.empty();
    // The assignment's duals are those of a step that was not taken, which does not matter to the next one.
    return several && improve_by_cycles(u, step);
  }
  take(u, step);
  score_ += rise;
  return true;
}

void Descent::descend(int max_sweeps, Rng& rng) {
  std::vector<size_t> units(problem_.units.size());
  std::iota(units.begin(), units.end(), size_t{0});
  scores_ = {score_};
  for (bool progress = true; progress && static_cast<int>(scores_.size()) <= max_sweeps;) {
    progress = false;
    rng.shuffle(std::span<size_t>(units));
    for (const size_t u : units) {
      check_interrupt();
      progress |= kept_ ? reorder(u, nullptr) : improve(u);
    }
    scores_.push_back(score_);
  }
  if (kept_) settle_orders();
}

}  // namespace dws::align
