// Frank-Wolfe over the elements of a symmetry: all groups at once, through doubly stochastic matrices (as Crisostomi et al., "C²M³:
// Cycle-Consistent Multi-Model Merging", NeurIPS 2024), with the exact line search: along a line the objective is a polynomial.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "align/soft.h"

namespace dws::align {

// What is made as large as it can be: a polynomial in one soft element for each network that moves.
class SoftObjective {
 public:
  virtual ~SoftObjective() = default;
  virtual const SoftAction& action() const = 0;
  virtual int degree() const = 0;  // along a line
  virtual double value(const std::vector<SoftElement>& p) const = 0;
  // The value; `gradient` is overwritten.
  virtual double gradient(const std::vector<SoftElement>& p, std::vector<SoftElement>& gradient) const = 0;
};

// <A, P B>.
class PairObjective : public SoftObjective {
 public:
  PairObjective(const Pair& pair, bool signs) : pair_(pair), action_(pair.spec, pair.scored, signs) {}
  const SoftAction& action() const override { return action_; }
  int degree() const override { return action_.degree(); }
  double value(const std::vector<SoftElement>& p) const override;
  double gradient(const std::vector<SoftElement>& p, std::vector<SoftElement>& gradient) const override;

 private:
  const Pair& pair_;
  SoftAction action_;
};

struct FrankWolfeOptions {
  int max_steps = 200;
  // Ends when the gain that is left (the Frank-Wolfe gap, which bounds it along any line to a corner to first order) or the last steps'
  // gain is less than this share of the objective.
  double tolerance = 1e-6;
};
struct FrankWolfeResult {
  std::vector<SoftElement> point;
  std::vector<symmetry::NetworkElement> rounded;  // the nearest corner
  std::vector<double> objective;                  // at the start and after each step; it never falls
};
FrankWolfeResult frank_wolfe(const SoftObjective& objective,
                             const std::vector<symmetry::NetworkElement>& start,
                             const FrankWolfeOptions& options);

// Where in [0, 1] the polynomial sum_k c[k] x^k is largest; the first of such places.
double maximiser_on_unit(std::span<const double> c);

}  // namespace dws::align
