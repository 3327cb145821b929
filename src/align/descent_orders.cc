// Steps of units that only reorder, where all of a problem's do.
#include <algorithm>
#include <cmath>

#include "align/descent_state.h"

namespace dws::align {

// With `unknown` it takes what is best by the numbers known, else only what makes the score rise by more than float32's rounding of it.
bool Descent::reorder(size_t u, const Unknown* unknown) {
  State& state = *states_[u];
  if (!unknown && !state.dirty) return false;
  state.dirty = false;
  const auto n = static_cast<size_t>(problem_.units[u].size);
  const std::span<const float> gain = kept_->gains(u, unknown);
  const std::span<const int32_t> order = kept_->order(u);
  const WarmStart warm{state.column_dual, order};
  const std::vector<int32_t>& column =
      state.solver.solve(static_cast<int64_t>(n), gain, state.column_dual.empty() ? nullptr : &warm).column;
  double rise = 0, squares = 0;
  bool changed = false;
  for (size_t i = 0; i < n; ++i) {
    if (column[i] == order[i]) continue;
    changed = true;
    const double now = gain[i * n + static_cast<size_t>(column[i])];
    const double old = gain[i * n + static_cast<size_t>(order[i])];
    rise += now - old;
    squares += now * now + old * old;
  }
  state.column_dual = state.solver.result().column_dual;
  if (!changed) return false;
  if (!unknown && !(rise > std::max(kRise * scale_, kRounding * std::sqrt(squares)))) return false;
  kept_->reorder(u, column);
  score_ += rise;
  for (const Place& p : problem_.units[u].places)
    for (const auto& [v, at] : at_field_[static_cast<size_t>(p.field)])
      if (v != u) states_[v]->dirty = true;
  return true;
}

// Moves B's numbers to where their units have put them, and counts the score anew; the scores between the first and the last are
// corrected in proportion, for what rounding has added up to.
void Descent::settle_orders() {
  for (size_t u = 0; u < problem_.units.size(); ++u) {
    const std::span<const int32_t> now = kept_->order(u);
    std::vector<int32_t>& applied = states_[u]->applied;
    std::vector<int32_t> place(now.size());
    for (size_t i = 0; i < now.size(); ++i)
      place[static_cast<size_t>(applied.empty() ? static_cast<int32_t>(i) : applied[i])] =
          static_cast<int32_t>(i);
    Step step{.order = {}, .choices = {}, .changed = {}, .nested = {}};
    for (size_t i = 0; i < now.size(); ++i) {
      step.order.push_back(place[static_cast<size_t>(now[i])]);
      if (step.order[i] != static_cast<int32_t>(i)) step.changed.push_back(static_cast<int64_t>(i));
    }
    applied.assign(now.begin(), now.end());
    if (step.changed.empty()) continue;
    move_unit(problem_, problem_.units[u], step, numbers_);
    compose(u, step, element_);
  }
  const double exact = align::score(problem_, numbers_);
  if (scores_.size() > 1 && score_ > scores_.front() && exact > scores_.front()) {
    const double first = scores_.front(), factor = (exact - first) / (score_ - first);
    const double last = score_;
    for (double& s : scores_) s = s == last ? exact : first + (s - first) * factor;
  }
  score_ = exact;
}

}  // namespace dws::align
