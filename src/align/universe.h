// Many networks in one basis: an element for each, from its own basis to a universe that all share, so that going from A to B and on to
// C is going from A to C.
//
//   c2m3       C²M³ (Crisostomi et al., "C²M³: Cycle-Consistent Multi-Model Merging", NeurIPS 2024): Frank-Wolfe over all networks'
//              elements at once; then as below.
//   mergemany  Ainsworth et al., "Git Re-Basin", ICLR 2023, Algorithm 3: each network in turn is matched to the mean of the others, until
//              none moves.
//
// Both make the sum over all pairs of <P_A A, P_B B> as large as they can. It is (|S|² - sum |P_A A|²) / 2 with S the sum of all P_A A,
// so that a step costs as much as there are networks, not pairs.
#pragma once

#include <cstdint>
#include <vector>

#include "align/frank_wolfe.h"
#include "align/match_network.h"

namespace dws::align {

// The networks' numbers by one spec.
struct Population {
  symmetry::Spec spec;
  std::vector<bool> scored;
  std::vector<Numbers> networks;

  // sum over pairs of <g_A A, g_B B>, in float64.
  double objective(const std::vector<symmetry::NetworkElement>& g) const;
};

// The same sum of soft elements.
class UniverseObjective : public SoftObjective {
 public:
  UniverseObjective(const Population& population, bool signs)
      : population_(population), action_(population.spec, population.scored, signs) {}
  const SoftAction& action() const override { return action_; }
  int degree() const override { return 2 * action_.degree(); }
  double value(const std::vector<SoftElement>& p) const override;
  double gradient(const std::vector<SoftElement>& p, std::vector<SoftElement>& gradient) const override;

 private:
  // sum of p_X X over the scored tensors, in float64.
  std::vector<std::vector<double>> sum(const std::vector<SoftElement>& p) const;
  const Population& population_;
  SoftAction action_;
};

enum class UniverseMethod { c2m3, mergemany };
struct UniverseOptions {
  UniverseMethod method = UniverseMethod::c2m3;
  NetworkMatchOptions match{};  // what may be moved, sweeps, seed
  FrankWolfeOptions frank_wolfe{};
  int max_rounds = 100;  // over all networks
};
struct UniverseMatch {
  // By network, into the first one's basis: the first is the identity. From A's basis to B's: compose(inverse(of B), of A).
  std::vector<symmetry::NetworkElement> elements;
  // Of the balanced networks the sum over pairs: at the start of the descent that was taken, after Frank-Wolfe, after each round; it never falls.
  std::vector<double> objective;
  int steps = 0;      // of Frank-Wolfe
  bool fixed = true;  // the last round moved nothing; false: max_rounds came first
};
// From the networks as they are, and from all matched to the first one (which alone also moves phases); the better end counts. The same
// bits on any number of threads. Throws Error{usage} for less than two networks.
UniverseMatch match_universe(const Population& population, const UniverseOptions& options);

// Bytes that match_universe() takes for this many networks of this spec, besides what is mapped.
int64_t universe_memory(const symmetry::Spec& spec, const std::vector<bool>& scored, int64_t networks);

}  // namespace dws::align
