// Products of the items of units that only reorder, kept from visit to visit.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "align/units.h"

namespace dws::align {

// Which coordinates are not known yet, by field and axis: how many units lie there that are not placed. Empty axes: all are.
using Unknown = std::vector<std::vector<std::vector<int>>>;

// B's numbers stay where they were at the start; what moves is which of them stand for what. Of every place the numbers lie packed once,
// those beside an item downwards, and it is noted which row of B was multiplied with each row of A: a look at a unit adds
// the products of the rows that have changed since the last look, or starts anew where that is less work.
class KeptProducts {
 public:
  // Whether units of this problem only reorder, lie apart, and packed numbers have room.
  static bool possible(const Problem& problem);
  // A's numbers must outlive the object; B's are copied.
  KeptProducts(const Problem& problem, const std::vector<std::span<const float>>& a,
               const std::vector<std::vector<float>>& b);

  // (size, size): <item i of A, item j of B as numbered at the start>, with the others as they stand, over what is known. The bits do not
  // depend on threads.
  std::span<const float> gains(size_t unit, const Unknown* unknown);
  // Item i is item order[i] of the start from now on.
  void reorder(size_t unit, std::span<const int32_t> order);
  std::span<const int32_t> order(size_t unit) const noexcept { return kept_[unit].order; }

 private:
  struct Pack {
    const float* a = nullptr;  // (rows, items): A's numbers themselves where they lie so, else held_a
    std::unique_ptr<float[]> held_a, held_b;
    std::vector<int32_t> have;  // (rows) the row of B in the gains; -1: none
  };
  struct Kept {
    std::vector<Pack> packs;  // by place
    std::vector<float> gains;
    std::vector<int32_t> order;
    int updates = 0;  // since gains were computed whole
  };
  struct Rows {  // of A's pack, less another; of B's, before and now. -1: none
    int32_t a, old, now, less = -1;
  };
  static void shorten_cycles(std::vector<Rows>& rows, size_t count);
  std::vector<int32_t> wanted(const Place& place, int64_t items, const Unknown* unknown) const;
  void add(int64_t n, const Pack& pack, std::span<const Rows> rows, float* gain);

  const Problem& problem_;
  std::vector<Kept> kept_;
  std::vector<std::vector<std::vector<int32_t>>>
      at_;                           // by field and axis: which coordinate of the start; empty: itself
  std::vector<float> left_, right_;  // blocks of a product
};

}  // namespace dws::align
