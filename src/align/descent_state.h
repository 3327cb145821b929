// What a descent keeps of each unit. Only for descent*.cc.
#pragma once

#include <memory>
#include <vector>

#include "align/descent.h"

namespace dws::align {

// A rise below this share of |A| |B| is rounding and no progress.
inline constexpr double kRise = 1e-12;
// Gains in float32 are known to this share of themselves.
inline constexpr double kRounding = 2e-7;

struct Descent::State {
  explicit State(const Problem& problem, const Unit& unit) : choices(problem, unit) {}
  Choices choices;
  ClassGains gains;
  bool fresh = false;  // gains are those of the numbers as they stand
  bool dirty = true;   // something beside has changed since the last look
  int updates = 0;     // since gains were computed whole
  std::vector<float> total;
  std::vector<double> column_dual;  // of the last solve, by the items as they stand
  AssignmentSolver solver;
  std::vector<int32_t> applied;    // by item: which of the start's has been moved there; empty: its own
  std::unique_ptr<Problem> inner;  // of a unit with nested groups

  void reorder_duals(const std::vector<int32_t>& order) {
    const std::vector<double> old = column_dual;
    for (size_t j = 0; j < old.size(); ++j) column_dual[j] = old[static_cast<size_t>(order[j])];
  }
  // Gives back the room of gains.
  void forget() {
    ClassGains().swap(gains);
    std::vector<float>().swap(total);
    fresh = false;
  }
};

}  // namespace dws::align
