// What the assignment solver does over a row of gains (align/assignment.h). Prices are the columns' duals.
#pragma once

#include <cstdint>

namespace dws::kernels {

inline constexpr int64_t kNetGroups = 64;

// net[j] = gain[j] - price[j] for j in [0, n), in float64. Returns the largest (-infinity for n = 0), NaN when a gain or a price
// is not finite. `group` (kNetGroups), may be null: group[g] = the largest of net[g], net[g + kNetGroups], ..., -infinity
// where there is none. The same bits on every instruction set.
double net_gains(int64_t n, const float* gain, const double* price, double* net, double* group) noexcept;

// One step of Dijkstra's algorithm over all columns: where base + price[j] - gain[j] is less than distance[j] it takes
// its place, and from[j] = row. Returns the column of the least distance, of equals the first with owner[j] < 0, else the first.
// A column that is done has an infinite price and distance. n > 0. The same bits on every instruction set.
int64_t relax_row(int64_t n, const float* gain, const double* price, double base, int32_t row,
                  const int32_t* owner, double* distance, int32_t* from) noexcept;

// mass[j] += softmax over j of (gain[j] - price[j]) * sharpness, in float32; e (n) is scratch.
void soften_row(int64_t n, const float* gain, const float* price, float sharpness, float* e,
                float* mass) noexcept;

// The least and the largest of x (n); NaN in both when one is not finite. n > 0.
void extremes(int64_t n, const float* x, float* low, float* high) noexcept;

}  // namespace dws::kernels
