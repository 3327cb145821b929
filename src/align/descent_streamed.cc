// Steps of a descent on networks that stay in their files: B's numbers are never moved, what they are seen after is.
#include "align/descent_state.h"
#include "align/streamed.h"

namespace dws::align {

void Descent::take_shifted(size_t u) {
  State& state = *states_[u];
  if (!numbers_.streamed) return state.choices.take_shifted(problem_, numbers_, true);
  Standing shifted{.a = std::vector<std::span<const float>>(problem_.fields.size()),
                   .b = std::vector<std::vector<float>>(problem_.fields.size())};
  std::vector<std::vector<float>> held(problem_.fields.size());
  for (const Place& p : problem_.units[u].places) {
    if (p.phase < 0) continue;
    const auto f = static_cast<size_t>(p.field);
    shifted.a[f] = held[f] = numbers_.streamed->whole_a(f);
    shifted.b[f] = numbers_.streamed->whole_b(f);
  }
  state.choices.take_shifted(problem_, shifted, true);
}

double Descent::streamed_rise_by_trial(size_t u, const Step& step, const std::set<size_t>& fields) const {
  Streamed trial = *numbers_.streamed;
  std::vector<symmetry::GroupElement> element = element_;
  compose(u, step, element);
  trial.stand(element);
  double rise = 0;
  for (const size_t f : fields) rise += trial.score(f) - numbers_.streamed->score(f);
  return rise;
}

void Descent::streamed_take(size_t u, const Step& step) {
  const Unit& unit = problem_.units[u];
  State& state = *states_[u];
  for (const Place& p : unit.places)
    for (const auto& [v, at] : at_field_[static_cast<size_t>(p.field)])
      if (v != u) states_[v]->dirty = true;
  compose(u, step, element_);
  numbers_.streamed->stand(element_);
  state.dirty = unit.coupled;
  if (!unit.coupled && unit.nested.empty()) state.reorder_duals(step.order);
}

}  // namespace dws::align
