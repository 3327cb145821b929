#include "align/assignment.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/text.h"

namespace dws::align {
namespace {

constexpr int32_t kNone = -1;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

// The least column duals that are feasible with rows' duals of zero.
void AssignmentSolver::column_reduction(int64_t n, const float* gain) {
  std::vector<double>& v = result_.column_dual;
  v.assign(static_cast<size_t>(n), -kInfinity);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      v[static_cast<size_t>(j)] = std::max(v[static_cast<size_t>(j)], double{gain[i * n + j]});
  hint_.clear();
}

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

// The rows' duals that go with the columns', and every pair that is tight under them and free: most rows of a real
// problem are settled here.
void AssignmentSolver::settle(int64_t n, const float* gain) {
  auto& [column, u, v, objective] = result_;
  for (int64_t i = 0; i < n; ++i) {
    double best = -kInfinity;
    int64_t at = 0;
    for (int64_t j = 0; j < n; ++j) {
      const double reduced = gain[i * n + j] - v[static_cast<size_t>(j)];
      if (reduced > best) best = reduced, at = j;
    }
    if (!hint_.empty()) {
      const int32_t j = hint_[static_cast<size_t>(i)];
      if (j >= 0 && j < n && gain[i * n + j] - v[static_cast<size_t>(j)] == best) at = j;
    }
    u[static_cast<size_t>(i)] = best;
    if (row_of_[static_cast<size_t>(at)] != kNone) continue;
    row_of_[static_cast<size_t>(at)] = static_cast<int32_t>(i);
    column[static_cast<size_t>(i)] = static_cast<int32_t>(at);
  }
}

// Gives row `start` a column, moving others along the cheapest path to a free one (Dijkstra's algorithm on the
// slacks u + v - gain, which are never negative), and mends the duals.
void AssignmentSolver::augment(int64_t n, const float* gain, int32_t start) {
  auto& [column, u, v, objective] = result_;
  std::fill(distance_.begin(), distance_.end(), kInfinity);
  std::fill(done_.begin(), done_.end(), uint8_t{0});
  visited_.clear();
  int32_t row = start, sink = kNone;
  double reached = 0;
  while (sink == kNone) {
    visited_.push_back(row);
    const float* gains = gain + row * n;
    const double base = reached + u[static_cast<size_t>(row)];
    double best = kInfinity;
    size_t next = 0;
    for (size_t j = 0; j < static_cast<size_t>(n); ++j) {
      if (done_[j]) continue;
      const double d = base + v[j] - gains[j];
      if (d < distance_[j]) {
        distance_[j] = d;
        from_[j] = row;
      }
      // A free column ends the search: of equals it comes first.
      if (distance_[j] < best || (distance_[j] == best && row_of_[j] == kNone && row_of_[next] != kNone)) {
        best = distance_[j];
        next = j;
      }
    }
    done_[next] = 1;
    reached = best;
    if (row_of_[next] == kNone)
      sink = static_cast<int32_t>(next);
    else
      row = row_of_[next];
  }
  for (const int32_t i : visited_) {
    const double before = i == start ? 0 : distance_[static_cast<size_t>(column[static_cast<size_t>(i)])];
    u[static_cast<size_t>(i)] -= reached - before;
  }
  for (size_t j = 0; j < static_cast<size_t>(n); ++j)
    if (done_[j]) v[j] += reached - distance_[j];
  for (int32_t j = sink, i = kNone; i != start;) {
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
  for (size_t k = 0; k < gain.size(); ++k)
    if (!std::isfinite(gain[k]))
      throw Error(ErrorKind::bad_value,
                  text("assignment: the gain of row {}, column {} is not finite", k / size, k % size));
  if (warm)
    take(n, *warm);
  else
    column_reduction(n, gain.data());
  result_.column.assign(size, kNone);
  result_.row_dual.resize(size);
  row_of_.assign(size, kNone);
  from_.resize(size);
  distance_.resize(size);
  done_.resize(size);
  settle(n, gain.data());
  for (size_t i = 0; i < size; ++i)
    if (result_.column[i] == kNone) augment(n, gain.data(), static_cast<int32_t>(i));
  result_.objective = 0;
  for (size_t i = 0; i < size; ++i)
    result_.objective += gain[i * size + static_cast<size_t>(result_.column[i])];
  return result_;
}

}  // namespace dws::align
