// Items of a unit as rows of a matrix: their products, and moving them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "align/units.h"

namespace dws::align {

// Which of the numbers beside an item count: of those before the unit's axis, of the repetitions along it, and of those within an item and
// after the axis. nullptr: all.
struct Selection {
  const std::vector<int64_t>* before = nullptr;
  const std::vector<int64_t>* outer = nullptr;
  const std::vector<int64_t>* run = nullptr;
};

// The walk over one place: for each of `before` and `outer`, all items lie one behind another, `run` numbers each.
struct Walk {
  Walk(const Field& field, const Place& place, int64_t size);
  int64_t items, before, length, after, run;  // length: of the axis
  const Place& place;
  int64_t base(int64_t pre, int64_t o) const noexcept {
    return (pre * length + place.offset + o * place.stride) * after;
  }
  int64_t rows(const Selection& s = {}) const noexcept;
};

// out (rows, items): numbers beside an item downwards. `minus`: of the difference to it.
void pack(const Walk& walk, const Selection& selection, const float* numbers, float* out);

inline constexpr int64_t kProductDepth = 512;  // rows of a product taken at once, so that they stay in cache

// Room for packed matrices, kept from call to call.
struct Packed {
  std::vector<float> a, b;
  void reserve(size_t size) {
    if (a.size() < size) a.resize(size), b.resize(size);
  }
};
// gain (items, items) += <item i of a, item j of b> over the selection. The bits do not depend on threads.
void add_products(const Walk& walk, const Selection& selection, const float* a, const float* b,
                  std::vector<float>& gain, Packed& packed);
// The same from packed matrices (rows, items); parts whose rows are multiples of kProductDepth, but for the last, give the bits of the whole.
void add_packed_products(int64_t items, int64_t rows, const float* a, const float* b,
                         std::vector<float>& gain);

// `sum` and what the score of a field changes by when item i becomes factor[i] * item order[i], for the items `changed`.
double change(const Walk& walk, const float* a, const float* b, std::span<const int64_t> changed,
              std::span<const int32_t> order, std::span<const float> factor, double sum = 0);
// Does it, `shift` (or nothing) added.
void move_items(const Walk& walk, float* b, std::span<const int64_t> changed, std::span<const int32_t> order,
                std::span<const float> factor, std::span<const float> shift);

// Slice of one item, as pack() has them by `before`, then along the axis, then after; and back.
void take_item(const Walk& walk, const float* numbers, int64_t item, float* out);
void put_item(const Walk& walk, float* numbers, int64_t item, const float* in);

}  // namespace dws::align
