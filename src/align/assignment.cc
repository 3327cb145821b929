#include "align/assignment.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/text.h"
#include "kernels/assignment.h"
#include "kernels/reduce.h"

namespace dws::align {
namespace {

// From here on annealed duals are worth their sweeps, and lists their upkeep.
constexpr int64_t kAnnealed = 64, kListed = 384;
constexpr int32_t kNone = -1;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

[[noreturn]] void throw_not_finite(int64_t n, std::span<const float> gain) {
  const auto size = static_cast<size_t>(n);
  for (size_t k = 0; k < gain.size(); ++k)
    if (!std::isfinite(gain[k]))
      throw Error(ErrorKind::bad_value,
                  text("assignment: the gain of row {}, column {} is not finite", k / size, k % size));
  throw Error(ErrorKind::internal, "assignment: duals that are not finite");
}

}  // namespace

void AssignmentSolver::take(int64_t n, const WarmStart& warm) {
  const auto size = static_cast<size_t>(n);
  if (warm.column_dual.size() != size || (!warm.column.empty() && warm.column.size() != size))
    throw Error(ErrorKind::internal, text("assignment of {}: a start of {} duals and {} columns", n,
                                          warm.column_dual.size(), warm.column.size()));
  for (size_t j = 0; j < size; ++j)
    if (!std::isfinite(warm.column_dual[j]))
      throw Error(ErrorKind::bad_value, text("assignment: the dual of column {} is not finite", j));
  hint_.assign(warm.column.begin(), warm.column.end());
  if (warm.column_dual.data() != result_.column_dual.data())
    result_.column_dual.assign(warm.column_dual.begin(), warm.column_dual.end());
}

// Column duals for a solve that has none to start from.
void AssignmentSolver::start(int64_t n, const float* gain) {
  const auto size = static_cast<size_t>(n);
  result_.column_dual.resize(size);
  hint_.clear();
  if (n >= kAnnealed) {
    float low = 0, high = 0;
    kernels::extremes(n * n, gain, &low, &high);
    if (std::isfinite(high - low) && high - low > 1e-30f && high < 1e37f && low > -1e37f) {
      annealed_.find(n, gain, high - low, result_.column_dual);
      return;
    }
  }
  most_.resize(size);
  kernels::reduce<float>(1, n, n, kernels::Reduce::max, gain, most_.data(), nullptr);
  std::copy(most_.begin(), most_.end(), result_.column_dual.begin());
}

// The rows' duals that go with the columns', and every pair that is tight under them and free: most rows of a real
// problem are settled here.
void AssignmentSolver::settle(int64_t n, const float* gain) {
  auto& [column, u, v, objective] = result_;
  double* net = distance_.data();
  for (int64_t i = 0; i < n; ++i) {
    const double best = kernels::net_gains(n, gain + i * n, v.data(), net, nullptr);
    u[static_cast<size_t>(i)] = best;
    const auto fits = [&](int64_t j) { return net[j] == best && row_of_[static_cast<size_t>(j)] == kNone; };
    int64_t at = hint_.empty() ? 0 : hint_[static_cast<size_t>(i)];
    if (at < 0 || at >= n || !fits(at))
      for (at = 0; at < n && !fits(at);) ++at;
    if (at == n) continue;
    row_of_[static_cast<size_t>(at)] = static_cast<int32_t>(i);
    column[static_cast<size_t>(i)] = static_cast<int32_t>(at);
  }
}

// Gives row `start` a column, moving others along the cheapest path to a free one (Dijkstra's algorithm on the
// slacks u + v - gain, which are never negative), and mends the duals.
void AssignmentSolver::augment(int64_t n, const float* gain, int32_t start) {
  auto& [column, u, v, objective] = result_;
  std::fill(distance_.begin(), distance_.end(), kInfinity);
  std::copy(v.begin(), v.end(), price_.begin());
  visited_.clear();
  reached_.clear();
  int32_t row = start;
  double reached = 0;
  int64_t next = 0;
  while (true) {
    visited_.push_back(row);
    reached_.push_back(reached);
    next = kernels::relax_row(n, gain + row * n, price_.data(), reached + u[static_cast<size_t>(row)], row,
                              row_of_.data(), distance_.data(), from_.data());
    reached = distance_[static_cast<size_t>(next)];
    row = row_of_[static_cast<size_t>(next)];
    if (row == kNone) break;
    price_[static_cast<size_t>(next)] = distance_[static_cast<size_t>(next)] = kInfinity;
  }
  for (size_t k = 0; k < visited_.size(); ++k) {
    const auto i = static_cast<size_t>(visited_[k]);
    u[i] -= reached - reached_[k];
    if (k > 0) v[static_cast<size_t>(column[i])] += reached - reached_[k];
  }
  for (int32_t j = static_cast<int32_t>(next), i = kNone; i != start;) {
    i = from_[static_cast<size_t>(j)];
    row_of_[static_cast<size_t>(j)] = i;
    std::swap(column[static_cast<size_t>(i)], j);
  }
}

const Assignment& AssignmentSolver::solve(int64_t n, std::span<const float> gain, const WarmStart* warm) {
  const auto size = static_cast<size_t>(n);
  if (gain.size() != size * size)
    throw Error(ErrorKind::internal,
                text("assignment of {}: {} gains, expected {}", n, gain.size(), size * size));
  if (warm)
    take(n, *warm);
  else
    start(n, gain.data());
  result_.column.assign(size, kNone);
  result_.row_dual.resize(size);
  row_of_.assign(size, kNone);
  if (n >= kListed) {
    const AssignmentState state{n, gain.data(), result_.column, row_of_, result_.row_dual, result_.column_dual};
    if (!listed_.solve(state, hint_)) throw_not_finite(n, gain);
  } else {
    from_.resize(size);
    distance_.resize(size);
    price_.resize(size);
    settle(n, gain.data());
    for (size_t i = 0; i < size; ++i)
      if (std::isnan(result_.row_dual[i])) throw_not_finite(n, gain);
    for (size_t i = 0; i < size; ++i)
      if (result_.column[i] == kNone) augment(n, gain.data(), static_cast<int32_t>(i));
  }
  result_.objective = 0;
  for (size_t i = 0; i < size; ++i) {
    const auto j = static_cast<size_t>(result_.column[i]);
    const double chosen = gain[i * size + j];
    result_.objective += chosen;
    result_.row_dual[i] = chosen - result_.column_dual[j];  // tight in the last bit
  }
  return result_;
}

}  // namespace dws::align
