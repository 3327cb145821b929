// What activation matching knows of a group, and the choice of partners, signs, factors and half turns from it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "align/cross_sums.h"
#include "align/sites.h"
#include "symmetry/element.h"

namespace dws::align {

// Items are numbered over all blocks: block * size + item.
class Evidence {
 public:
  Evidence(const symmetry::NetworkGroup& group, const symmetry::Draw& kinds);
  // Adds what one site shows; `scores` (items, items) are its correlations or products.
  void add(const Site& site, const CrossSums& sums, const std::vector<float>& scores);

  bool empty() const noexcept { return sites_.empty(); }
  double sites() const noexcept { return weight_; }  // hints count for little
  // Whether an item of either network varies at no site, hints aside.
  bool dead() const noexcept;

  // Block `a` of A and `b` of B: order[i] is the partner in B's block of item i; the worth of it. With kinds.order off each keeps its
  // place.
  struct Partners {
    std::vector<int32_t> order;
    double worth = 0;
  };
  Partners match(int64_t block_a, int64_t block_b) const;
  double worth(int64_t i, int64_t j) const;  // of items as partners, with the best signs
  double plain(int64_t i, int64_t j) const;  // as they stand
  // Writes signs, scales and turns of A's item i, whose partner is B's item j, to entry i.
  void fill(int64_t i, int64_t j, symmetry::GroupElement& element) const;

 private:
  struct Shown {
    Site site;
    std::vector<double> mean_a, mean_b, deviation_a, deviation_b;
  };
  uint32_t best_flips(int64_t i, int64_t j, double& value) const;

  const symmetry::NetworkGroup& group_;
  symmetry::Draw kinds_;
  int64_t items_;
  double weight_ = 0;
  std::map<uint32_t, std::vector<float>> scores_;  // (items, items) by what flips together
  std::vector<uint32_t> combinations_;             // of generators that may be flipped and show
  std::vector<Shown> sites_;
};

}  // namespace dws::align
