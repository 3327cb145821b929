#include "align/orthogonal.h"

#include <algorithm>
#include <cmath>

#include "align/balance.h"
#include "align/polar.h"
#include "align/polish.h"
#include "core/interrupt.h"

namespace dws::align {
namespace {

using symmetry::NetworkElement;
using symmetry::Spec;

constexpr double kBetter = 1e-7;  // share of |A| |B|: what rotations are exact to

class Alternation {
 public:
  Alternation(const Spec& held, const std::vector<bool>& scored, const StreamTurn& turn, bool fixes_ones,
              const OrthogonalOptions& options, Numbers a, Numbers b)
      : held_(held),
        scored_(scored),
        turn_(turn),
        fixes_ones_(fixes_ones),
        options_(options),
        a_(std::move(a)),
        b_(std::move(b)) {
    scale_ = std::sqrt(inner_product(scored_, a_, a_) * inner_product(scored_, b_, b_));
    kinds_ = options.match.kinds;
    kinds_.scale = false;
  }

  struct Place {
    NetworkElement element;
    std::vector<float> rotation;
    double value = 0;
    std::vector<double> objective = {};
  };
  Place start() const {
    Place p{.element = symmetry::identity_element(held_), .rotation = unturned()};
    p.value = value(p);
    p.objective = {p.value};
    return p;
  }

  // The rotation by some tensors alone, then the element anew, then both in turn.
  Place from(const std::vector<bool>& counted, const NetworkElement& element) const {
    Place p = start();
    const double before = p.value;
    p.element = element;
    p.rotation = best_rotation(counted, p);
    NetworkMatchOptions match = options_.match;
    match.kinds = kinds_;
    match.restarts = 0;
    const Place turned = p;
    p.element = match_networks(Pair(held_, scored_, a_, turn_.act(p.rotation, b_)), match).element;
    p.value = value(p);
    if (const double kept = value(turned); kept > p.value) p = turned, p.value = kept;
    // No place to start from: the rise is from B as it is.
    if (!(p.value >= before)) p = start();
    if (p.value > before) p.objective.push_back(p.value);
    climb(p);
    return p;
  }
  double scale() const noexcept { return scale_; }
  const Numbers& a() const noexcept { return a_; }
  const Numbers& b() const noexcept { return b_; }

 private:
  std::vector<float> unturned() const {
    const int64_t n = turn_.width();
    std::vector<float> o(static_cast<size_t>(n * n), 0.f);
    for (int64_t i = 0; i < n; ++i) o[static_cast<size_t>(i * n + i)] = 1;
    return o;
  }
  double value(const Place& p) const {
    return inner_product(scored_, a_, turn_.act(p.rotation, act(held_, p.element, b_)));
  }
  std::vector<float> best_rotation(const std::vector<bool>& counted, const Place& p) const {
    const std::vector<float> m = turn_.gradient(counted, p.rotation, a_, act(held_, p.element, b_));
    return fixes_ones_ ? polar_factor_fixing_ones(turn_.width(), m) : polar_factor(turn_.width(), m);
  }
  bool take(Place& p, Place next) const {
    next.value = value(next);
    if (!(next.value > p.value + kBetter * scale_)) return false;
    next.objective.push_back(next.value);
    p = std::move(next);
    return true;
  }
  void climb(Place& p) const {
    for (int round = 0; round < options_.max_rounds; ++round) {
      check_interrupt();
      Place next = p;
      next.rotation = best_rotation(scored_, p);
      const bool turned = take(p, std::move(next));
      if (round > 0 && !turned) return;
      next = p;
      next.element = polish(Pair(held_, scored_, a_, turn_.act(p.rotation, b_)), p.element, kinds_,
                            options_.match.max_sweeps, options_.match.seed)
                         .element;
      if (!take(p, std::move(next))) return;
    }
  }

  const Spec& held_;
  const std::vector<bool>& scored_;
  const StreamTurn& turn_;
  bool fixes_ones_;
  const OrthogonalOptions& options_;
  Numbers a_, b_;
  symmetry::Draw kinds_{};
  double scale_ = 0;
};

double cosine(const std::vector<bool>& scored, const Numbers& a, const Numbers& b) {
  const double norms = std::sqrt(inner_product(scored, a, a) * inner_product(scored, b, b));
  return norms > 0 ? inner_product(scored, a, b) / norms : 0;
}

// Tensors that lie in no free group: what is known of the stream before anything is matched.
std::vector<bool> known(const Spec& held, const std::vector<bool>& scored) {
  std::vector<bool> counted = scored;
  const std::vector<bool> moved = symmetry::touched(held);
  for (size_t t = 0; t < counted.size(); ++t) counted[t] = counted[t] && !moved[t];
  return counted;
}

// Of the stream's groups the orders alone: signs and scales of theirs are of the norms' scales, which are 1.
Spec reordered(const Spec& spec, const Spec& held) {
  Spec plain = spec;
  for (size_t g = 0; g < plain.groups.size(); ++g) {
    if (plain.groups[g].fixed || !held.groups[g].fixed) continue;
    plain.groups[g].signs.clear();
    plain.groups[g].scales.clear();
    plain.groups[g].phases.clear();
  }
  return plain;
}

}  // namespace

OrthogonalMatch match_orthogonal(const Spec& spec, const ResidualStream& stream, const network::Network& a,
                                 const network::Network& b, const OrthogonalOptions& options) {
  const std::vector<bool> scored = scored_tensors(spec, a);
  const Spec held = without_stream(spec, stream);
  const StreamTurn turn(spec, stream, a.file);
  OrthogonalMatch match;
  match.reference = absorb_norms(spec, stream, read_numbers(spec, a), a.file);
  const Numbers absorbed = absorb_norms(spec, stream, read_numbers(spec, b), b.file);
  const NetworkElement none = symmetry::identity_element(held);
  const bool scales = options.match.kinds.scale;
  const NetworkElement of_a = scales ? balance(held, scored, match.reference) : none;
  const NetworkElement of_b = scales ? balance(held, scored, absorbed) : none;
  const Alternation ways(held, scored, turn, stream.fixes_ones, options, act(held, of_a, match.reference),
                         act(held, of_b, absorbed));

  // By what is known; by all as it is; from the best permutations.
  Alternation::Place best = ways.start();
  const auto consider = [&](const Alternation::Place& p) {
    if (p.value > best.value + kBetter * ways.scale()) best = p;
  };
  consider(ways.from(known(held, scored), none));
  consider(ways.from(scored, none));
  NetworkMatchOptions permuted = options.match;
  permuted.kinds.scale = false;
  NetworkElement element =
      match_networks(Pair(reordered(spec, held), scored, ways.a(), ways.b()), permuted).element;
  for (size_t g = 0; g < element.size(); ++g)
    if (held.groups[g].fixed) element[g] = none[g];
  consider(ways.from(scored, element));

  match.objective = best.objective;
  match.rotation = best.rotation;
  match.element =
      symmetry::compose(held, symmetry::inverse(held, of_a), symmetry::compose(held, best.element, of_b));
  const NetworkElement whole = symmetry::identity_element(spec);
  for (size_t g = 0; g < whole.size(); ++g)
    if (held.groups[g].fixed) match.element[g] = whole[g];
  match.aligned = turn.act(match.rotation, act(held, match.element, absorbed));
  match.cosine_before = cosine(scored, match.reference, absorbed);
  match.cosine_after = cosine(scored, match.reference, match.aligned);
  match.rewritten = turn.turned();
  for (size_t t = 0; t < match.rewritten.size(); ++t)
    for (const StreamNorm& norm : stream.norms)
      if (norm.scale != network::kNone && spec.tensors[t].constant == norm.scale) match.rewritten[t] = true;
  return match;
}

}  // namespace dws::align
