#include "align/match_network.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "align/balance.h"
#include "align/descent.h"
#include "align/lanes.h"
#include "align/streamed.h"
#include "core/parallel.h"

namespace dws::align {
namespace {

using symmetry::NetworkElement;
using symmetry::Spec;

// Two descents of which the second is better by less than this share of |A| |B| are the same.
constexpr double kBetter = 1e-9;
// A start that is as near as that leaves nothing for others: rounding to bfloat16 alone takes a copy 1.3e-6 away.
constexpr double kPerfect = 1 - 1e-5;

double cosine(const Pair& pair, const Numbers& b) {
  const double norms =
      std::sqrt(inner_product(pair.scored, pair.a, pair.a) * inner_product(pair.scored, b, b));
  return norms > 0 ? inner_product(pair.scored, pair.a, b) / norms : 0;
}

// Orders and signs alone: scales are balanced away, and a random number of half turns is no better a start than none.
NetworkElement random_start(const Spec& spec, const symmetry::Draw& kinds, uint64_t seed, int restart) {
  Rng rng(seed, stream_id("align.restart", static_cast<uint64_t>(restart)));
  return symmetry::random_element(
      spec, {.order = kinds.order, .sign = kinds.sign, .scale = false, .phase = false}, rng);
}

// Two networks, balanced, wherever their numbers are.
class Side {
 public:
  virtual ~Side() = default;
  // A and B, B after `start` where there is one.
  virtual Standing from(const Problem& problem, const NetworkElement* start) const = 0;
  // The score of A with itself, and of B.
  virtual double of_a(const Problem& problem) const = 0;
  virtual double of_b(const Problem& problem) const = 0;
};

class Held : public Side {
 public:
  explicit Held(const Pair& pair) : pair_(pair) {}
  Standing from(const Problem& problem, const NetworkElement* start) const override {
    if (!start) return standing(problem, pair_);
    return standing(problem, Pair(pair_.spec, pair_.scored, pair_.a, act(pair_.spec, *start, pair_.b)));
  }
  double of_a(const Problem& problem) const override { return of(problem, pair_.a); }
  double of_b(const Problem& problem) const override { return of(problem, pair_.b); }

 private:
  static double of(const Problem& problem, const Numbers& x) {
    std::vector<double> parts(problem.fields.size());
    parallel_for(static_cast<int64_t>(parts.size()), [&](int64_t i) {
      const Field& field = problem.fields[static_cast<size_t>(i)];
      const std::span<const float> numbers = x.tensors[static_cast<size_t>(field.tensor)];
      parts[static_cast<size_t>(i)] = score(field, numbers, numbers);
    });
    double sum = 0;
    for (const double part : parts) sum += part;
    return std::abs(sum);
  }

  const Pair& pair_;
};

class InFiles : public Side {
 public:
  // of_a, of_b: the balances; nullptr: none.
  InFiles(const StoredPair& pair, const NetworkElement* of_a, const NetworkElement* of_b)
      : pair_(pair), of_a_(of_a), of_b_(of_b) {}
  Standing from(const Problem& problem, const NetworkElement* start) const override {
    const NetworkElement* of_b = of_b_;
    if (start) {
      started_.push_back(
          std::make_unique<NetworkElement>(of_b_ ? symmetry::compose(pair_.spec, *start, *of_b_) : *start));
      of_b = started_.back().get();
    }
    return {.a = {}, .b = {}, .streamed = std::make_shared<Streamed>(problem, pair_, of_a_, of_b)};
  }
  double of_a(const Problem& problem) const override {
    return std::abs(Streamed(problem, pair_, of_a_, of_b_).score_of_a());
  }
  double of_b(const Problem& problem) const override {
    return std::abs(Streamed(problem, pair_, of_a_, of_b_).score_of_b());
  }

 private:
  const StoredPair& pair_;
  const NetworkElement *of_a_, *of_b_;
  mutable std::vector<std::unique_ptr<NetworkElement>> started_;
};

// The element of B, of two networks that are balanced where scales may be moved.
NetworkElement match_sides(const Spec& spec, const Problem& problem, const Side& sides,
                           const NetworkMatchOptions& options, NetworkMatch& match) {
  const double scale = sides.of_a(problem);
  // Half turns change what B has with itself.
  const bool shifted = std::ranges::any_of(problem.fields, &Field::shifted);
  const double perfect = kPerfect * (shifted ? scale : std::sqrt(scale * sides.of_b(problem)));
  double best_score = 0;
  NetworkElement within = symmetry::identity_element(spec);
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
  const double before = score(problem, sides.from(problem, nullptr));
  {
    Descent d(problem, sides.from(problem, nullptr));
    d.place();
    // A start below the network as it is would be a fall.
    if (d.score() >= before) {
      Rng rng = order(0);
      d.descend(options.max_sweeps, rng);
      consider(d, nullptr);
      match.objective.insert(match.objective.begin(), before);
    }
  }
  if (match.starts == 0 || best_score < perfect) {
    Descent d(problem, sides.from(problem, nullptr));
    Rng rng = order(1);
    d.descend(options.max_sweeps, rng);
    consider(d, nullptr);
  }
  for (int r = 0; r < options.restarts; ++r) {
    const NetworkElement start = random_start(spec, options.kinds, options.seed, r);
    Descent d(problem, sides.from(problem, &start));
    Rng rng = order(2 + r);
    d.descend(options.max_sweeps, rng);
    consider(d, &start);
    if (match.objective.front() != before) match.objective.insert(match.objective.begin(), before);
  }
  return within;
}

// Of the networks as they are, from what was found for balanced ones.
NetworkElement unbalanced(const Spec& spec, const NetworkElement& of_a, const NetworkElement& within,
                          const NetworkElement& of_b) {
  return symmetry::compose(spec, symmetry::inverse(spec, of_a), symmetry::compose(spec, within, of_b));
}

}  // namespace

NetworkMatch match_networks(const Pair& given, const NetworkMatchOptions& options) {
  const Spec& spec = given.spec;
  NetworkMatch match;
  if (!options.kinds.scale) {
    const Problem problem = make_problem(given, options.kinds);
    match.element = match_sides(spec, problem, Held(given), options, match);
  } else {
    const NetworkElement of_a = balance(spec, given.scored, given.a),
                         of_b = balance(spec, given.scored, given.b);
    const Pair pair(spec, given.scored, act(spec, of_a, given.a), act(spec, of_b, given.b));
    const Problem problem = make_problem(pair, options.kinds);
    match.element = unbalanced(spec, of_a, match_sides(spec, problem, Held(pair), options, match), of_b);
  }
  set_cosines(given, match);
  return match;
}

NetworkMatch match_networks(const StoredPair& pair, const NetworkMatchOptions& options) {
  const Spec& spec = pair.spec;
  NetworkMatch match;
  const Problem problem = make_problem(spec, pair.counted(), options.kinds);
  if (!options.kinds.scale) {
    match.element = match_sides(spec, problem, InFiles(pair, nullptr, nullptr), options, match);
  } else {
    const NetworkElement of_a = balance(pair, pair.a), of_b = balance(pair, pair.b);
    match.element =
        unbalanced(spec, of_a, match_sides(spec, problem, InFiles(pair, &of_a, &of_b), options, match), of_b);
  }
  set_cosines(pair, match);
  return match;
}

void set_cosines(const Pair& pair, NetworkMatch& match) {
  match.cosine_before = cosine(pair, pair.b);
  match.cosine_after = cosine(pair, act(pair.spec, match.element, pair.b));
}

namespace {

// Over the tensors that count, of A and of B, after `g` where there is one.
struct Sums {
  double a_a = 0, b_b = 0, a_b = 0;
};
Sums sums(const StoredPair& pair, const NetworkElement* g) {
  const symmetry::MembersByTensor members = symmetry::members_by_tensor(pair.spec);
  const std::vector<bool> counted = pair.counted();
  std::vector<Sums> parts(counted.size());
  parallel_for(static_cast<int64_t>(parts.size()), [&](int64_t i) {
    const auto t = static_cast<size_t>(i);
    if (!counted[t]) return;
    Lanes a_a, b_b, a_b;
    each_block(MovedTensor(pair.spec, pair.a, static_cast<int>(t), nullptr, members),
               MovedTensor(pair.spec, pair.b, static_cast<int>(t), g, members),
               [&](std::span<const float> x, std::span<const float> y) {
                 a_a.add(x, x), b_b.add(y, y), a_b.add(x, y);
               });
    parts[t] = {.a_a = a_a.sum(), .b_b = b_b.sum(), .a_b = a_b.sum()};
  });
  Sums all;
  for (const Sums& p : parts) all.a_a += p.a_a, all.b_b += p.b_b, all.a_b += p.a_b;
  return all;
}

double cosine(const Sums& s) {
  const double norms = std::sqrt(s.a_a * s.b_b);
  return norms > 0 ? s.a_b / norms : 0;
}

}  // namespace

void set_cosines(const StoredPair& pair, NetworkMatch& match) {
  match.cosine_before = cosine(sums(pair, nullptr));
  match.cosine_after = cosine(sums(pair, &match.element));
}

double objective(const StoredPair& pair, const NetworkElement& g) {
  return sums(pair, &g).a_b;
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
