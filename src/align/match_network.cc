#include "align/match_network.h"

#include <cmath>
#include <memory>

#include "align/balance.h"
#include "align/descent.h"

namespace dws::align {
namespace {

using symmetry::NetworkElement;

// Two descents of which the second is better by less than this share of |A| |B| are the same.
constexpr double kBetter = 1e-9;
// A start that is as near as that leaves nothing for others.
constexpr double kPerfect = 1 - 1e-9;

double cosine(const Pair& pair, const Numbers& b) {
  const double norms =
      std::sqrt(inner_product(pair.scored, pair.a, pair.a) * inner_product(pair.scored, b, b));
  return norms > 0 ? inner_product(pair.scored, pair.a, b) / norms : 0;
}

// Orders and signs alone: scales are balanced away, and a random number of half turns is no better a start than none.
NetworkElement random_start(const Pair& pair, const symmetry::Draw& kinds, uint64_t seed, int restart) {
  Rng rng(seed, stream_id("align.restart", static_cast<uint64_t>(restart)));
  return symmetry::random_element(
      pair.spec, {.order = kinds.order, .sign = kinds.sign, .scale = false, .phase = false}, rng);
}

}  // namespace

NetworkMatch match_networks(const Pair& given, const NetworkMatchOptions& options) {
  const symmetry::Spec& spec = given.spec;
  const bool scales = options.kinds.scale;
  const NetworkElement none = symmetry::identity_element(spec);
  const NetworkElement of_a = scales ? balance(spec, given.scored, given.a) : none;
  const NetworkElement of_b = scales ? balance(spec, given.scored, given.b) : none;
  const Pair pair =
      scales ? Pair(spec, given.scored, act(spec, of_a, given.a), act(spec, of_b, given.b)) : given;
  const Problem problem = make_problem(pair, options.kinds);
  double scale = 0, best_score = 0;
  {
    Standing all = standing(problem, pair);
    for (size_t f = 0; f < all.b.size(); ++f) all.b[f].assign(all.a[f].begin(), all.a[f].end());
    scale = std::abs(score(problem, all));
  }
  NetworkMatch match;
  NetworkElement within = none;
  const auto consider = [&](const Descent& d, const NetworkElement* start) {
    ++match.starts;
    if (match.starts > 1 && !(d.score() > best_score + kBetter * scale)) return;
    best_score = d.score();
    match.objective = d.scores();
    within = start ? symmetry::compose(spec, d.element(), *start) : d.element();
  };
  const auto order = [&](int start) {
    return Rng(options.seed, stream_id("align.order", static_cast<uint64_t>(start)));
  };
  const double before = score(problem, standing(problem, pair));
  {
    Descent d(problem, standing(problem, pair));
    d.place();
    // A start below the network as it is would be a fall.
    if (d.score() >= before) {
      Rng rng = order(0);
      d.descend(options.max_sweeps, rng);
      consider(d, nullptr);
      match.objective.insert(match.objective.begin(), before);
    }
  }
  if (match.starts == 0 || best_score < kPerfect * scale) {
    Descent d(problem, standing(problem, pair));
    Rng rng = order(1);
    d.descend(options.max_sweeps, rng);
    consider(d, nullptr);
  }
  for (int r = 0; r < options.restarts; ++r) {
    const NetworkElement start = random_start(pair, options.kinds, options.seed, r);
    const Pair from(spec, pair.scored, pair.a, act(spec, start, pair.b));
    Descent d(problem, standing(problem, from));
    Rng rng = order(2 + r);
    d.descend(options.max_sweeps, rng);
    consider(d, &start);
    if (match.objective.front() != before) match.objective.insert(match.objective.begin(), before);
  }
  match.element = within;
  if (scales)
    match.element =
        symmetry::compose(spec, symmetry::inverse(spec, of_a), symmetry::compose(spec, within, of_b));
  set_cosines(given, match);
  return match;
}

void set_cosines(const Pair& pair, NetworkMatch& match) {
  match.cosine_before = cosine(pair, pair.b);
  match.cosine_after = cosine(pair, act(pair.spec, match.element, pair.b));
}

int64_t items_moved(const symmetry::NetworkGroup& group, const symmetry::GroupElement& e) {
  int64_t moved = 0;
  for (size_t i = 0; i < e.order.size(); ++i) {
    bool still = e.order[i] == static_cast<int32_t>(i % static_cast<size_t>(group.size));
    for (const auto& signs : e.signs) still = still && signs[i] == 1;
    for (const auto& scales : e.scales) still = still && scales[i] == 1;
    for (const auto& turns : e.turns) still = still && turns[i] == 0;
    moved += !still;
  }
  return moved;
}

}  // namespace dws::align
