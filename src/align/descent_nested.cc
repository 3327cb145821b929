// Groups within the items of a unit (what is in a head; channels of a group): for each pair of items what is within is matched first,
// then the items by what that is worth.
#include <algorithm>
#include <numeric>

#include "align/descent_state.h"
#include "align/streamed.h"
#include "core/parallel.h"

namespace dws::align {
namespace {

using symmetry::GroupElement;

constexpr int kSweeps = 20;
constexpr size_t kSigned = 3;  // lists of signs of the item itself, of which all combinations are tried

// How one item of B fits one of A.
struct Fit {
  double score = 0, still = 0;  // still: without any change within
  std::vector<GroupElement> element;
};

// The problem's unit for the item itself, where it has one: its first.
const Unit* item_unit(const Problem& inner) {
  return !inner.units.empty() && inner.units[0].group == 0 ? inner.units.data() : nullptr;
}

Fit fit(const Problem& inner, const std::vector<std::vector<float>>& a,
        const std::vector<std::vector<float>>& b, bool also_still) {
  Standing numbers;
  for (const std::vector<float>& slice : a) numbers.a.emplace_back(slice);
  numbers.b = b;
  Fit best;
  best.still = score(inner, numbers);
  bool first = true;
  const auto consider = [&](const Descent& d, const Choice* flipped) {
    if (!first && !(d.score() > best.score)) return;
    first = false;
    best.score = d.score();
    best.element = d.element();
    for (size_t k = 0; flipped && k < best.element[0].signs.size(); ++k)
      best.element[0].signs[k][0] *= flipped->signs[k];
  };
  Rng rng(0);
  if (also_still) {
    Descent d(inner, numbers);
    d.descend(kSweeps, rng);
    consider(d, nullptr);
  }
  const Unit* item = item_unit(inner);
  const size_t lists = inner.kinds.sign && item ? inner.groups[0].signs.size() : 0;
  for (uint32_t z = 0; z < (lists <= kSigned ? uint32_t{1} << lists : 1u); ++z) {
    Standing flipped = numbers;
    Choice choice;
    choice.signs.assign(lists + inner.groups[0].phases.size(), 1.f);
    choice.turns.assign(inner.groups[0].phases.size(), 0);
    for (size_t k = 0; k < lists; ++k)
      if ((z >> k) & 1u) choice.signs[k] = -1;
    if (z != 0)
      move_unit(inner, *item, {.order = {0}, .choices = {choice}, .changed = {0}, .nested = {}}, flipped);
    Descent d(inner, std::move(flipped));
    d.place();
    d.descend(kSweeps, rng);
    consider(d, z != 0 ? &choice : nullptr);
  }
  return best;
}

// What an element does within an item.
void apply(const Problem& inner, const std::vector<GroupElement>& element, Standing& numbers) {
  for (const Unit& unit : inner.units) {
    const GroupElement& e = element[static_cast<size_t>(unit.group)];
    Step step{.order = e.order, .choices = {}, .changed = {}, .nested = {}};
    for (int64_t i = 0; i < unit.size; ++i) {
      step.changed.push_back(i);
      step.choices.push_back(choice_of(e, static_cast<size_t>(i)));
    }
    move_unit(inner, unit, step, numbers);
  }
}

}  // namespace

Step Descent::find_nested_step(size_t u, const Unknown* unknown) {
  const Unit& unit = problem_.units[u];
  const Problem& inner = *states_[u]->inner;
  const auto n = static_cast<size_t>(unit.size);
  using Parts = std::vector<std::vector<float>>;  // by place
  std::vector<Parts> a(n, Parts(unit.places.size())), b = a;
  for (size_t p = 0; p < unit.places.size(); ++p) {
    const Place& place = unit.places[p];
    const auto f = static_cast<size_t>(place.field);
    const Field& field = problem_.fields[f];
    const Walk walk(field, place, unit.size);
    std::vector<float> known, whole_b;
    if (numbers_.streamed) known = numbers_.streamed->whole_a(f), whole_b = numbers_.streamed->whole_b(f);
    if (unknown) {
      // Numbers that are not known count nothing.
      if (!numbers_.streamed) known.assign(numbers_.a[f].begin(), numbers_.a[f].end());
      if (crosses(unit, place)) std::ranges::fill(known, 0.f);
      int64_t inside = 1;
      for (size_t d = field.dims.size(); d-- > 0;) {
        const std::vector<int>& counts = (*unknown)[f][d];
        for (size_t i = 0; !counts.empty() && i < known.size(); ++i)
          if (counts[static_cast<size_t>(static_cast<int64_t>(i) / inside % field.dims[d])] > 0) known[i] = 0;
        inside *= field.dims[d];
      }
    }
    const float* from_a = unknown || numbers_.streamed ? known.data() : numbers_.a[f].data();
    const float* from_b = numbers_.streamed ? whole_b.data() : numbers_.b[f].data();
    for (size_t h = 0; h < n; ++h) {
      a[h][p].resize(static_cast<size_t>(walk.rows()));
      b[h][p].resize(a[h][p].size());
      take_item(walk, from_a, static_cast<int64_t>(h), a[h][p].data());
      take_item(walk, from_b, static_cast<int64_t>(h), b[h][p].data());
    }
  }
  std::vector<Fit> fits(n * n);
  parallel_for(static_cast<int64_t>(unit.fixed ? n : n * n), [&](int64_t pair) {
    const auto i = static_cast<size_t>(unit.fixed ? pair : pair / unit.size);
    const auto j = static_cast<size_t>(unit.fixed ? pair : pair % unit.size);
    fits[i * n + j] = fit(inner, a[i], b[j], !unknown && i == j);
  });
  Step step;
  step.order.resize(n);
  std::iota(step.order.begin(), step.order.end(), 0);
  if (!unit.fixed) {
    std::vector<float> gain(n * n);
    for (size_t k = 0; k < gain.size(); ++k) gain[k] = static_cast<float>(fits[k].score);
    step.order = states_[u]->solver.solve(unit.size, gain).column;
  }
  for (const int g : unit.nested) step.nested.push_back(GroupElement(element_[static_cast<size_t>(g)]));
  for (size_t h = 0; h < n; ++h) {
    const Fit& chosen = fits[h * n + static_cast<size_t>(step.order[h])];
    step.choices.push_back(choice_of(chosen.element[0], 0));
    step.rise += chosen.score - fits[h * n + h].still;
    step.changed.push_back(static_cast<int64_t>(h));
    for (size_t k = 0; k < step.nested.size(); ++k) {
      const GroupElement& e = chosen.element[k + 1];
      GroupElement& all = step.nested[k];
      const size_t at = h * e.order.size();
      std::ranges::copy(e.order, all.order.begin() + static_cast<std::ptrdiff_t>(at));
      for (size_t l = 0; l < e.signs.size(); ++l)
        std::ranges::copy(e.signs[l], all.signs[l].begin() + static_cast<std::ptrdiff_t>(at));
      for (size_t l = 0; l < e.turns.size(); ++l)
        std::ranges::copy(e.turns[l], all.turns[l].begin() + static_cast<std::ptrdiff_t>(at));
      for (auto& scales : all.scales) std::ranges::fill(scales, 1.0);
    }
  }
  // Items that stay as they are.
  std::erase_if(step.changed, [&](int64_t i) {
    const auto h = static_cast<size_t>(i);
    if (step.order[h] != i) return false;
    return std::ranges::all_of(fits[h * n + h].element,
                               [](const GroupElement& e) { return symmetry::is_identity(e); });
  });
  return step;
}

void move_nested(const Problem& problem, const Problem& inner, const Unit& unit, const Step& step,
                 Standing& numbers) {
  if (unit.coupled) {
    // Along two axes of one tensor at once: as the element does it.
    symmetry::NetworkElement g = symmetry::identity_element(*problem.spec);
    GroupElement& e = g[static_cast<size_t>(unit.group)];
    e.order = step.order;
    for (size_t i = 0; i < step.choices.size(); ++i) {
      for (size_t k = 0; k < e.signs.size(); ++k) e.signs[k][i] = step.choices[i].signs[k];
      for (size_t k = 0; k < e.turns.size(); ++k) e.turns[k][i] = step.choices[i].turns[k];
    }
    for (size_t k = 0; k < step.nested.size(); ++k) g[static_cast<size_t>(unit.nested[k])] = step.nested[k];
    std::vector<bool> done(problem.fields.size());
    for (const Place& p : unit.places) {
      const auto f = static_cast<size_t>(p.field);
      if (done[f]) continue;
      done[f] = true;
      network::Array array{.type = OnnxType::f64, .dims = problem.fields[f].dims};
      array.reals.assign(numbers.b[f].begin(), numbers.b[f].end());
      const network::Array after = symmetry::act(*problem.spec, g, problem.fields[f].tensor, array);
      std::ranges::transform(after.reals, numbers.b[f].begin(),
                             [](double x) { return static_cast<float>(x); });
    }
    return;
  }
  std::vector<Standing> moved(step.changed.size());
  parallel_for(static_cast<int64_t>(moved.size()), [&](int64_t k) {
    Standing& slices = moved[static_cast<size_t>(k)];
    const auto h = static_cast<size_t>(step.changed[static_cast<size_t>(k)]);
    for (const Place& p : unit.places) {
      const auto f = static_cast<size_t>(p.field);
      const Walk walk(problem.fields[f], p, unit.size);
      slices.b.emplace_back(static_cast<size_t>(walk.rows()));
      take_item(walk, numbers.b[f].data(), step.order[h], slices.b.back().data());
    }
    std::vector<GroupElement> element;
    GroupElement whole;
    whole.order = {0};
    for (size_t s = 0; s < inner.groups[0].signs.size(); ++s)
      whole.signs.push_back({step.choices[h].signs[s]});
    for (size_t s = 0; s < inner.groups[0].phases.size(); ++s)
      whole.turns.push_back({step.choices[h].turns[s]});
    element.push_back(whole);
    for (size_t g = 0; g < step.nested.size(); ++g) {
      const GroupElement& all = step.nested[g];
      const auto size = static_cast<size_t>(inner.groups[g + 1].size);
      const auto part = [&](const auto& list) {
        return std::remove_cvref_t<decltype(list)>(
            list.begin() + static_cast<std::ptrdiff_t>(h * size),
            list.begin() + static_cast<std::ptrdiff_t>((h + 1) * size));
      };
      GroupElement e;
      e.order = part(all.order);
      for (const auto& signs : all.signs) e.signs.push_back(part(signs));
      for (const auto& turns : all.turns) e.turns.push_back(part(turns));
      element.push_back(std::move(e));
    }
    apply(inner, element, slices);
  });
  for (size_t p = 0; p < unit.places.size(); ++p) {
    const auto f = static_cast<size_t>(unit.places[p].field);
    const Walk walk(problem.fields[f], unit.places[p], unit.size);
    for (size_t k = 0; k < moved.size(); ++k)
      put_item(walk, numbers.b[f].data(), step.changed[k], moved[k].b[p].data());
  }
}

}  // namespace dws::align
