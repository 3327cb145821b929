#include "align/dense_paths.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/assignment.h"

namespace dws::align {

bool DensePaths::settle(const AssignmentState& state, std::span<const int32_t> hint) {
  const int64_t n = state.n;
  distance_.resize(static_cast<size_t>(n));
  double* net = distance_.data();
  for (int64_t i = 0; i < n; ++i) {
    const double best = kernels::net_gains(n, state.gain + i * n, state.v.data(), net, nullptr);
    if (std::isnan(best)) return false;
    state.u[static_cast<size_t>(i)] = best;
    const auto fits = [&](int64_t j) {
      return net[j] == best && state.row_of[static_cast<size_t>(j)] == kNone;
    };
    int64_t at = hint.empty() ? kNone : hint[static_cast<size_t>(i)];
    if (at < 0 || at >= n || !fits(at))
      for (at = 0; at < n && !fits(at);) ++at;
    if (at == n) continue;
    state.row_of[static_cast<size_t>(at)] = static_cast<int32_t>(i);
    state.column_of[static_cast<size_t>(i)] = static_cast<int32_t>(at);
  }
  return true;
}

int64_t DensePaths::augment(const AssignmentState& state, int32_t start) {
  const int64_t n = state.n;
  distance_.assign(static_cast<size_t>(n), std::numeric_limits<double>::infinity());
  price_.assign(state.v.begin(), state.v.end());
  from_.resize(static_cast<size_t>(n));
  visited_.clear();
  reached_.clear();
  int32_t row = start;
  double reached = 0;
  size_t next = 0;
  while (true) {
    visited_.push_back(row);
    reached_.push_back(reached);
    next = static_cast<size_t>(kernels::relax_row(n, state.gain + row * n, price_.data(),
                                                  reached + state.u[static_cast<size_t>(row)], row,
                                                  state.row_of.data(), distance_.data(), from_.data()));
    reached = distance_[next];
    row = state.row_of[next];
    if (row == kNone) break;
    price_[next] = distance_[next] = std::numeric_limits<double>::infinity();
  }
  for (size_t k = 0; k < visited_.size(); ++k) {
    const auto i = static_cast<size_t>(visited_[k]);
    state.u[i] -= reached - reached_[k];
    if (k > 0) state.v[static_cast<size_t>(state.column_of[i])] += reached - reached_[k];
  }
  for (int32_t j = static_cast<int32_t>(next), i = kNone; i != start;) {
    i = from_[static_cast<size_t>(j)];
    state.row_of[static_cast<size_t>(j)] = i;
    std::swap(state.column_of[static_cast<size_t>(i)], j);
  }
  return static_cast<int64_t>(visited_.size());
}

}  // namespace dws::align
