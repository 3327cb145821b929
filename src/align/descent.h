// Coordinate descent over the units of a problem: one at a time is moved as well as it can be with the others held.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "align/assignment.h"
#include "align/choices.h"
#include "align/kept_products.h"
#include "align/slices.h"
#include "align/units.h"
#include "core/rng.h"

namespace dws::align {

// What a unit does: item i becomes item order[i] with its choice.
struct Step {
  std::vector<int32_t> order;
  std::vector<Choice> choices;                 // empty: of a unit that only reorders
  std::vector<int64_t> changed;                // items
  std::vector<symmetry::GroupElement> nested;  // by Unit::nested, over all blocks
  double rise = 0;  // of the score of what lies in nested groups, where there are some
};
// Does it to B's numbers.
void move_unit(const Problem& problem, const Unit& unit, const Step& step, Standing& numbers);
// The same for a unit with nested groups; `inner` is inner_problem() of it.
void move_nested(const Problem& problem, const Problem& inner, const Unit& unit, const Step& step,
                 Standing& numbers);
// The element's lists for one item, as a step has them.
Choice choice_of(const symmetry::GroupElement& element, size_t entry);

// B moves towards A. What was computed is kept: the products of a unit are brought up to date by the numbers beside it that have changed,
// its assignment starts from the last one's duals, and a unit of which nothing beside has changed is not looked at. Where all units only
// reorder, B's numbers stay in place and are moved at the end (kept_products.h). Of networks that stay in their files (Standing::streamed) nothing
// is kept but duals: a look at a unit reads what lies beside it.
class Descent {
 public:
  Descent(const Problem& problem, Standing numbers);
  Descent(const Descent&) = delete;
  Descent& operator=(const Descent&) = delete;
  ~Descent();

  // A first pass that counts for each unit only what is known by then: numbers that lie on fixed axes or on units already placed,
  // the unit with the most of them first. The score may fall by it.
  void place();
  // Sweeps in a random order until nothing rises, at most `max_sweeps`. A step is taken only if the true score rises by more than
  // rounding.
  void descend(int max_sweeps, Rng& rng);

  double score() const noexcept { return score_; }
  const std::vector<double>& scores() const noexcept {
    return scores_;
  }  // at the start, then after each sweep
  const std::vector<symmetry::GroupElement>& element() const noexcept { return element_; }
  const Standing& numbers() const noexcept { return numbers_; }

 private:
  struct State;
  Step find_step(size_t unit, const Unknown* unknown);
  Step find_nested_step(size_t unit, const Unknown* unknown);
  void gather(size_t unit, const Unknown* unknown);
  double rise_of(size_t unit, const Step& step) const;
  double rise_by_trial(size_t unit, const Step& step) const;
  void take(size_t unit, const Step& step);
  void move(size_t unit, const Step& step, Standing& numbers) const;
  void compose(size_t unit, const Step& step, std::vector<symmetry::GroupElement>& element) const;
  double product_of_squares() const;
  void take_shifted(size_t unit);
  // Of networks that stay in their files.
  double streamed_rise_by_trial(size_t unit, const Step& step, const std::set<size_t>& fields) const;
  void streamed_take(size_t unit, const Step& step);
  bool improve(size_t unit);
  bool improve_by_cycles(size_t unit, const Step& step);
  bool reorder(size_t unit, const Unknown* unknown);
  void settle_orders();
  void cover(size_t unit, int by, Unknown& unknown) const;
  double known_numbers(size_t unit, const Unknown& unknown) const;

  const Problem& problem_;
  Standing numbers_;
  std::vector<symmetry::GroupElement> element_;
  std::vector<std::unique_ptr<State>> states_;
  std::vector<std::vector<std::pair<size_t, size_t>>> at_field_;  // units and places of each field
  Packed packed_;
  std::unique_ptr<KeptProducts> kept_;  // where all units only reorder
  double score_ = 0, scale_ = 0;
  std::vector<double> scores_;
};

}  // namespace dws::align
