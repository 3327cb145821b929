// Column duals to start a large assignment problem from.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace dws::align {

// Annealed Sinkhorn sweeps (Cuturi, "Sinkhorn distances: lightspeed computation of optimal transport", NeurIPS 2013; with the
// temperature falling, Kosowsky and Yuille, "The invisible hand algorithm", Neural Networks 7, 1994): every row asks
// softly for the columns it likes best at the present prices, and the price of a column rises with what is asked of
// it. Near the optimum's duals, not feasible by themselves. Runs on all threads, the same bits on any number.
class AnnealedDuals {
 public:
  // dual (n) of the gains (n, n), which are finite and not all equal, with `spread` > 0 the largest less the least.
  void find(int64_t n, const float* gain, float spread, std::span<double> dual);

 private:
  std::vector<float> price_, mass_, scratch_;
};

}  // namespace dws::align
