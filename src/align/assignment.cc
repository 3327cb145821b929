#include "align/assignment.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "kernels/assignment.h"
#include "kernels/reduce.h"

namespace dws::align {
namespace {

// From here on annealed duals are worth their sweeps, and lists their upkeep.
constexpr int64_t kAnnealed = 64, kListed = 640;

[[noreturn]] void throw_not_finite(int64_t n, std::span<const float> gain) {
  const auto size = static_cast<size_t>(n);
  for (size_t k = 0; k < gain.size(); ++k)
    if (!std::isfinite(gain[k]))
      throw Error(ErrorKind::bad_value,
                  text("assignment: the gain of row {}, column {} is not finite", k / size, k % size));
  throw Error(ErrorKind::internal, "assignment: duals that are not finite");
}

}  // namespace

// False when the duals are too far apart to say anything about these gains, and to be added to them in float64: at the
// optimum they lie no farther apart than the gains do.
bool AssignmentSolver::take(int64_t n, std::span<const float> gain, const WarmStart& warm) {
  const auto size = static_cast<size_t>(n);
  if (warm.column_dual.size() != size || (!warm.column.empty() && warm.column.size() != size))
    throw Error(ErrorKind::internal, text("assignment of {}: a start of {} duals and {} columns", n,
                                          warm.column_dual.size(), warm.column.size()));
  for (size_t j = 0; j < size; ++j)
    if (!std::isfinite(warm.column_dual[j]))
      throw Error(ErrorKind::bad_value, text("assignment: the dual of column {} is not finite", j));
  hint_.assign(warm.column.begin(), warm.column.end());
  std::vector<double>& v = result_.column_dual;
  if (warm.column_dual.data() != v.data()) v.assign(warm.column_dual.begin(), warm.column_dual.end());
  if (n == 0) return true;
  const auto [least, most] = std::minmax_element(v.begin(), v.end());
  const double lowest = *least, range = *most - lowest;
  float low = 0, high = 0;
  kernels::extremes(n, gain.data(), &low, &high);  // of the first row: enough for most
  constexpr double kFar = 1000;
  if (std::max(std::abs(lowest), std::abs(*most)) <= kFar * (double{high} - low)) return true;
  kernels::extremes(n * n, gain.data(), &low, &high);
  if (!(range <= 2 * (double{high} - low))) return false;
  for (double& dual : v) dual -= lowest;
  return true;
}

// The least column duals that are feasible with rows' of zero: good where many gains are equal, and cheap.
void AssignmentSolver::start_at_largest(int64_t n, const float* gain) {
  hint_.clear();
  most_.resize(static_cast<size_t>(n));
  kernels::reduce<float>(1, n, n, kernels::Reduce::max, gain, most_.data(), nullptr);
  result_.column_dual.assign(most_.begin(), most_.end());
}

// False when the gains are beyond the arithmetic of the sweeps.
bool AssignmentSolver::anneal(int64_t n, const float* gain) {
  float low = 0, high = 0;
  kernels::extremes(n * n, gain, &low, &high);
  if (!(high - low > 1e-30f && high < 1e37f && low > -1e37f)) return false;
  annealed_.find(n, gain, high - low, result_.column_dual);
  return true;
}

const Assignment& AssignmentSolver::solve(int64_t n, std::span<const float> gain, const WarmStart* warm) {
  const auto size = static_cast<size_t>(n);
  if (gain.size() != size * size)
    throw Error(ErrorKind::internal,
                text("assignment of {}: {} gains, expected {}", n, gain.size(), size * size));
  result_.row_dual.resize(size);
  // Each start but the last must settle its share of the rows.
  Start from = warm && take(n, gain, *warm) ? Start::warm : Start::largest;
  if (from == Start::largest) start_at_largest(n, gain.data());
  while (true) {
    result_.column.assign(size, kNone);
    row_of_.assign(size, kNone);
    const AssignmentState state{n,       gain.data(),      result_.column,
                                row_of_, result_.row_dual, result_.column_dual};
    // The largest gains may be tied: then any free column will do.
    const bool listed = n >= kListed && (from == Start::warm || from == Start::annealed);
    if (!(listed ? listed_.settle(state, hint_) : dense_.settle(state, hint_))) throw_not_finite(n, gain);
    const auto left = std::count(result_.column.begin(), result_.column.end(), kNone);
    if (from == Start::warm && n >= kAnnealed && left > n / 2) {
      from = Start::largest;
      start_at_largest(n, gain.data());
    } else if (from == Start::largest && n >= kAnnealed && left > n / 20 && anneal(n, gain.data())) {
      from = Start::annealed;
    } else if (listed && !listed_.finish(state, dense_)) {
      // Hard duals; the plainest ones make no row wait for another.
      from = Start::zero;
      std::fill(result_.column_dual.begin(), result_.column_dual.end(), 0.0);
    } else {
      for (int32_t i = 0; i < n; ++i)
        if (result_.column[static_cast<size_t>(i)] == kNone) dense_.augment(state, i);
      break;
    }
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
