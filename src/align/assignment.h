// The linear assignment problem: n rows, n columns, one column a row, the sum of the chosen gains as large as it
// can be.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "align/dense_paths.h"
#include "align/initial_duals.h"
#include "align/listed_paths.h"

namespace dws::align {

// A solution with its proof: gain(i, j) <= row_dual[i] + column_dual[j] everywhere, with equality on the chosen
// pairs (both up to float64 rounding), so that the sum of the duals bounds every assignment from above and this
// one reaches it.
struct Assignment {
  std::vector<int32_t> column;                // (n) the column of each row
  std::vector<double> row_dual, column_dual;  // (n)
  double objective = 0;                       // sum of the chosen gains, added up in float64
};

// Where to start: what an earlier solve of nearly the same gains ended with. Any finite duals are accepted, and the
// result is as optimal as without; near ones save most of the work. The spans may lie in this solver's own result.
struct WarmStart {
  std::span<const double> column_dual;  // (n)
  std::span<const int32_t> column;      // (n) the column of each row, or empty; a hint among equals
};

// Shortest augmenting paths with duals (Jonker and Volgenant, "A shortest augmenting path algorithm for dense and
// sparse linear assignment problems", Computing 38, 1987): O(n^3) at worst. Gains are float32, duals float64.
// Keeps its scratch from call to call; one thread at a time.
class AssignmentSolver {
 public:
  // gain (n, n) row-major. The same gains and the same start give the same columns, ties included. The result stands
  // until the next call. Throws Error{bad_value} when a gain or a dual of the start is not finite, Error{internal}
  // for sizes that do not fit.
  const Assignment& solve(int64_t n, std::span<const float> gain, const WarmStart* warm = nullptr);
  const Assignment& result() const noexcept { return result_; }  // of the last call

 private:
  enum class Start { warm, largest, annealed, zero };
  bool take(int64_t n, std::span<const float> gain, const WarmStart& warm);
  void start_at_largest(int64_t n, const float* gain);
  bool anneal(int64_t n, const float* gain);

  Assignment result_;
  AnnealedDuals annealed_;
  ListedPaths listed_;
  DensePaths dense_;
  std::vector<int32_t> row_of_, hint_;
  std::vector<float> most_;
};

}  // namespace dws::align
