// What the parts of the assignment solver work on.
#pragma once

#include <cstdint>
#include <span>

namespace dws::align {

inline constexpr int32_t kNone = -1;

// Gains (n, n), the columns of the rows and the rows of the columns (kNone where there is none yet), and duals u of rows
// and v of columns: gain(i, j) <= u[i] + v[j], with equality on chosen pairs.
struct AssignmentState {
  int64_t n;
  const float* gain;
  std::span<int32_t> column_of, row_of;
  std::span<double> u, v;
};

}  // namespace dws::align
