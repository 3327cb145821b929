#include "align/match_frank_wolfe.h"

#include <cmath>

#include "align/balance.h"
#include "align/polish.h"

namespace dws::align {
namespace {

using symmetry::NetworkElement;

constexpr double kBetter = 1e-9;  // of |A| |B|: less is no difference

double norm(const Pair& pair, const Numbers& x) {
  return std::sqrt(inner_product(pair.scored, x, x));
}

}  // namespace

NetworkMatch match_frank_wolfe(const Pair& given, const NetworkMatchOptions& options) {
  const symmetry::Spec& spec = given.spec;
  const NetworkElement none = symmetry::identity_element(spec);
  const bool scales = options.kinds.scale;
  const NetworkElement of_a = scales ? balance(spec, given.scored, given.a) : none;
  const NetworkElement of_b = scales ? balance(spec, given.scored, given.b) : none;
  const Pair pair(spec, given.scored, scales ? act(spec, of_a, given.a) : given.a,
                  scales ? act(spec, of_b, given.b) : given.b);
  NetworkMatchOptions within = options;
  within.kinds.scale = false;
  within.restarts = 0;

  NetworkMatch match = match_networks(pair, within);
  NetworkElement best = match.element;
  double best_score = match.objective.back();
  match.objective = {match.objective.front(), best_score};
  match.starts = 0;
  if (options.kinds.order) {
    const PairObjective objective(pair, options.kinds.sign);
    const double scale = norm(pair, pair.a) * norm(pair, pair.b);
    for (int start = -2; start < options.restarts; ++start) {
      Rng rng(options.seed, stream_id("frank_wolfe.restart", static_cast<uint64_t>(start + 2)));
      const NetworkElement from =
          start == -2 ? none
          : start == -1
              ? match.element
              : symmetry::random_element(
                    spec, {.order = true, .sign = options.kinds.sign, .scale = false, .phase = false}, rng);
      const FrankWolfeResult run = frank_wolfe(objective, {from}, {});
      ++match.starts;
      match.steps += static_cast<int>(run.objective.size()) - 1;
      const Polished end = polish(pair, run.rounded[0], within.kinds, options.max_sweeps, options.seed);
      if (!(end.after > best_score + kBetter * scale)) continue;
      best_score = end.after;
      best = end.element;
    }
  }
  match.objective.push_back(best_score);
  match.element =
      scales ? symmetry::compose(spec, symmetry::inverse(spec, of_a), symmetry::compose(spec, best, of_b))
             : best;
  set_cosines(given, match);
  return match;
}

}  // namespace dws::align
