// Shortest augmenting paths that look at every column: for small assignment problems, and for hard ones.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "align/assignment_state.h"

namespace dws::align {

class DensePaths {
 public:
  // Duals for all rows, feasible with any finite state.v, and a tight column for each row that finds one free, `hint` (n, or
  // empty) before others. False, with the state in disorder, when a gain is not finite.
  bool settle(const AssignmentState& state, std::span<const int32_t> hint);
  // Gives row `start` a column, moving others along the shortest path to a free one (Dijkstra's algorithm on the slacks
  // u + v - gain, which are never negative), and mends the duals. Returns how many rows it saw.
  int64_t augment(const AssignmentState& state, int32_t start);

 private:
  std::vector<double> distance_, price_, reached_;
  std::vector<int32_t> from_, visited_;
};

}  // namespace dws::align
