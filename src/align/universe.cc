#include "align/universe.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "align/balance.h"
#include "align/polish.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/parallel.h"
#include "core/shape.h"

namespace dws::align {
namespace {

using symmetry::NetworkElement;
using symmetry::Spec;
using Sum = std::vector<std::vector<double>>;  // by tensor; empty where it does not count

constexpr double kBetter = 1e-9;       // share of the objective's scale
constexpr double kPerfect = 1 - 1e-9;  // of what can be reached: nothing is left for another start

Sum empty_sum(const std::vector<bool>& scored, const Numbers& like) {
  Sum s(scored.size());
  for (size_t t = 0; t < s.size(); ++t)
    if (scored[t]) s[t].assign(like.tensors[t].size(), 0.0);
  return s;
}
void add(Sum& sum, const Numbers& x, double factor = 1) {
  parallel_for(static_cast<int64_t>(sum.size()), [&](int64_t i) {
    const auto t = static_cast<size_t>(i);
    for (size_t k = 0; k < sum[t].size(); ++k) sum[t][k] += factor * x.tensors[t][k];
  });
}
// factor (sum - x), as numbers.
Numbers others(const Sum& sum, const Numbers& x, double factor) {
  Numbers out = x;
  parallel_for(static_cast<int64_t>(sum.size()), [&](int64_t i) {
    const auto t = static_cast<size_t>(i);
    if (sum[t].empty()) return;
    auto rest = std::make_shared<std::vector<float>>(sum[t].size());
    for (size_t k = 0; k < rest->size(); ++k)
      (*rest)[k] = static_cast<float>(factor * (sum[t][k] - x.tensors[t][k]));
    out.held[t] = rest;
    out.tensors[t] = *rest;
  });
  return out;
}
double squares(const Sum& sum) {
  std::vector<double> parts(sum.size(), 0);
  parallel_for(static_cast<int64_t>(sum.size()), [&](int64_t i) {
    const auto t = static_cast<size_t>(i);
    for (const double v : sum[t]) parts[t] += v * v;
  });
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

// Networks where they stand.
struct Standings {
  Population moved;                      // g_X X
  std::vector<NetworkElement> elements;  // g
  std::vector<double> objective;
  int steps = 0;
  bool fixed = false;
};

double pairs(const Population& p, const Sum& sum) {
  double own = 0;
  for (const Numbers& x : p.networks) own += inner_product(p.scored, x, x);
  return (squares(sum) - own) / 2;
}
Sum total(const Population& p) {
  Sum sum = empty_sum(p.scored, p.networks.front());
  for (const Numbers& x : p.networks) add(sum, x);
  return sum;
}

// Algorithm 3: each network to the mean of the others, in a random order, until none moves.
void merge_many(Standings& walk, const UniverseOptions& options, const symmetry::Draw& kinds) {
  Population& p = walk.moved;
  const size_t n = p.networks.size();
  const double factor = 1.0 / static_cast<double>(n - 1);
  Rng rng(options.match.seed, stream_id("universe.order"));
  for (int round = 0; round < options.max_rounds && !walk.fixed; ++round) {
    check_interrupt();
    Sum sum = total(p);  // anew, so that rounding does not add up
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t{0});
    rng.shuffle(std::span<size_t>(order));
    walk.fixed = true;
    for (const size_t x : order) {
      const Pair pair(p.spec, p.scored, others(sum, p.networks[x], factor), p.networks[x]);
      const Polished end = polish(pair, symmetry::identity_element(p.spec), kinds, options.match.max_sweeps,
                                  options.match.seed + static_cast<uint64_t>(round));
      if (!(end.after > end.before + kBetter * std::abs(end.before))) continue;
      Numbers moved = act(p.spec, end.element, p.networks[x]);
      add(sum, p.networks[x], -1);
      add(sum, moved);
      p.networks[x] = std::move(moved);
      walk.elements[x] = symmetry::compose(p.spec, end.element, walk.elements[x]);
      walk.fixed = false;
    }
    if (!walk.fixed) walk.objective.push_back(pairs(p, total(p)));
  }
}

Standings descend(Standings walk, const UniverseOptions& options, const symmetry::Draw& kinds) {
  walk.objective = {pairs(walk.moved, total(walk.moved))};
  if (options.method == UniverseMethod::c2m3 && kinds.order) {
    // A local copy: the objective refers to it.
    const Population from = walk.moved;
    const UniverseObjective objective(from, kinds.sign);
    const std::vector<NetworkElement> start(from.networks.size(), symmetry::identity_element(from.spec));
    const FrankWolfeResult run = frank_wolfe(objective, start, options.frank_wolfe);
    walk.steps = static_cast<int>(run.objective.size()) - 1;
    // What rounding loses may be more than what was gained.
    if (const double reached = from.objective(run.rounded); reached > walk.objective.front()) {
      walk.objective.push_back(reached);
      for (size_t x = 0; x < from.networks.size(); ++x) {
        walk.moved.networks[x] = act(from.spec, run.rounded[x], from.networks[x]);
        walk.elements[x] = symmetry::compose(from.spec, run.rounded[x], walk.elements[x]);
      }
    }
  }
  merge_many(walk, options, kinds);
  return walk;
}

// What the sum over pairs would be of networks that are all alike but for their norms.
double ceiling(const std::vector<bool>& scored, const std::vector<Numbers>& networks) {
  double sum = 0, all = 0;
  for (const Numbers& x : networks) {
    const double square = inner_product(scored, x, x);
    sum += std::sqrt(square);
    all += square;
  }
  return (sum * sum - all) / 2;
}

bool has_phases(const Spec& spec) {
  return std::ranges::any_of(spec.groups, [](const auto& g) { return !g.phases.empty(); });
}

}  // namespace

double Population::objective(const std::vector<NetworkElement>& g) const {
  Sum sum = empty_sum(scored, networks.front());
  double own = 0;
  for (size_t x = 0; x < networks.size(); ++x) {
    const Numbers moved = act(spec, g[x], networks[x]);
    add(sum, moved);
    own += inner_product(scored, moved, moved);
  }
  return (squares(sum) - own) / 2;
}

Sum UniverseObjective::sum(const std::vector<SoftElement>& p) const {
  Sum s = empty_sum(population_.scored, population_.networks.front());
  for (size_t x = 0; x < p.size(); ++x) add(s, action_.act(p[x], population_.networks[x]));
  return s;
}
double UniverseObjective::value(const std::vector<SoftElement>& p) const {
  Sum s = empty_sum(population_.scored, population_.networks.front());
  double own = 0;
  for (size_t x = 0; x < p.size(); ++x) {
    const Numbers moved = action_.act(p[x], population_.networks[x]);
    add(s, moved);
    own += inner_product(population_.scored, moved, moved);
  }
  return (squares(s) - own) / 2;
}
double UniverseObjective::gradient(const std::vector<SoftElement>& p,
                                   std::vector<SoftElement>& gradient) const {
  const Sum s = sum(p);
  double twice = 0;
  gradient.assign(p.size(), {});
  for (size_t x = 0; x < p.size(); ++x) {
    gradient[x] = action_.zero();
    const Numbers target = others(s, action_.act(p[x], population_.networks[x]), 1);
    twice += action_.add_gradient(p[x], target, population_.networks[x], gradient[x]);
  }
  return twice / 2;
}

UniverseMatch match_universe(const Population& population, const UniverseOptions& options) {
  const size_t n = population.networks.size();
  if (n < 2) throw Error(ErrorKind::usage, "a universe needs at least two networks");
  const Spec& spec = population.spec;
  symmetry::Draw kinds = options.match.kinds;
  const std::vector<NetworkElement> none(n, symmetry::identity_element(spec));
  std::vector<NetworkElement> balanced = none;
  Standings first{.moved = population, .elements = none, .objective = {}};
  if (kinds.scale)
    for (size_t x = 0; x < n; ++x) {
      balanced[x] = balance(spec, population.scored, population.networks[x]);
      first.moved.networks[x] = act(spec, balanced[x], population.networks[x]);
    }
  kinds.scale = false;

  // All matched to the first one.
  Standings second = first;
  NetworkMatchOptions pairwise = options.match;
  pairwise.kinds = kinds;
  for (size_t x = 1; x < n; ++x) {
    const Pair pair(spec, population.scored, first.moved.networks[0], first.moved.networks[x]);
    second.elements[x] = match_networks(pair, pairwise).element;
    second.moved.networks[x] = act(spec, second.elements[x], first.moved.networks[x]);
  }
  const bool phases = kinds.phase && has_phases(spec);
  kinds.phase = false;
  Standings best = descend(std::move(second), options, kinds);
  // Phases were moved once, by the other start: from here they would count for nothing. Nor is there more than all that could be.
  if (!phases && best.objective.back() < kPerfect * ceiling(population.scored, best.moved.networks)) {
    Standings other = descend(std::move(first), options, kinds);
    const double scale = std::abs(best.objective.back());
    if (other.objective.back() > best.objective.back() + kBetter * scale) best = std::move(other);
  }

  UniverseMatch match{
      .elements = none, .objective = best.objective, .steps = best.steps, .fixed = best.fixed};
  const NetworkElement back = symmetry::inverse(spec, symmetry::compose(spec, best.elements[0], balanced[0]));
  for (size_t x = 1; x < n; ++x)
    match.elements[x] = symmetry::compose(spec, back, symmetry::compose(spec, best.elements[x], balanced[x]));
  return match;
}

int64_t universe_memory(const Spec& spec, const std::vector<bool>& scored, int64_t networks) {
  int64_t numbers = 0, matrices = 0, places = 0;
  for (size_t t = 0; t < scored.size(); ++t)
    if (scored[t]) numbers += network::elements(spec.tensors[t].dims);
  for (const symmetry::NetworkGroup& g : spec.groups) {
    if (!g.fixed) matrices += g.blocks * g.size * g.size * static_cast<int64_t>(1 + g.signs.size());
    for (const symmetry::Member& m : g.members)
      if (g.by >= 0 && scored[static_cast<size_t>(m.tensor)])
        places += network::elements(spec.tensors[static_cast<size_t>(m.tensor)].dims);
  }
  // Three walks' networks; sums, a target, a descent's own. Points, corners, gradients, what is tried.
  return 4 * (numbers * (3 * networks + 12) + matrices * (5 * networks + 3)) + 8 * places;
}

}  // namespace dws::align
