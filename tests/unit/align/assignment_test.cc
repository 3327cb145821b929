// The assignment solver: optimal against every permutation of small matrices, and by its duals on large ones.
#include "align/assignment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "core/parallel.h"
#include "core/rng.h"
#include "core/text.h"
#include "testing.h"

namespace dws::align {
namespace {

using dws::testing::expect_error;

using Gains = std::vector<float>;

// Fills (n, n) by gain(i, j).
Gains matrix(int64_t n, const std::function<double(int64_t, int64_t)>& gain) {
  Gains gains;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) gains.push_back(static_cast<float>(gain(i, j)));
  return gains;
}

struct Kind {
  const char* name;
  std::function<Gains(int64_t, Rng&)> make;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"random", [](int64_t n, Rng& rng) { return matrix(n, [&](auto, auto) { return rng.normal(); }); }},
      {"tied",
       [](int64_t n, Rng& rng) { return matrix(n, [&](auto, auto) { return double(rng.below(3)); }); }},
      {"constant", [](int64_t n, Rng&) { return matrix(n, [](auto, auto) { return 0.7; }); }},
      {"zero", [](int64_t n, Rng&) { return matrix(n, [](auto, auto) { return 0; }); }},
      // Hard for augmenting paths: every row wants the same columns.
      {"product",
       [](int64_t n, Rng&) {
         return matrix(n, [](auto i, auto j) { return double(i + 1) * double(j + 1); });
       }},
      {"falling product",
       [](int64_t n, Rng&) {
         return matrix(n, [](auto i, auto j) { return -double(i + 1) * double(j + 1); });
       }},
      // Inner products of a matrix with itself, in another order: what weight matching asks for.
      {"recovery",
       [](int64_t n, Rng& rng) {
         std::vector<double> w(static_cast<size_t>(n * 5));
         for (double& x : w) x = rng.normal();
         return matrix(n, [&](int64_t i, int64_t j) {
           double sum = 0;
           for (int64_t k = 0; k < 5; ++k) sum += w[size_t(i * 5 + k)] * w[size_t((j * 7 + 3) % n * 5 + k)];
           return sum;
         });
       }},
      {"sparse",
       [](int64_t n, Rng& rng) {
         return matrix(n, [&](auto, auto) { return rng.below(8) == 0 ? rng.uniform() : -1e6; });
       }},
      {"large",
       [](int64_t n, Rng& rng) { return matrix(n, [&](auto, auto) { return 1e30 * rng.normal(); }); }},
  };
  return all;
}

void expect_permutation(const Assignment& a, int64_t n, const std::string& what) {
  std::vector<int32_t> sorted = a.column, all(static_cast<size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  std::sort(sorted.begin(), sorted.end());
  ASSERT_EQ(sorted, all) << what;
}

double value(const Gains& gains, const std::vector<int32_t>& column) {
  double sum = 0;
  for (size_t i = 0; i < column.size(); ++i) sum += gains[i * column.size() + size_t(column[i])];
  return sum;
}

double largest(const Gains& gains) {
  double most = 1e-30;
  for (float g : gains) most = std::max(most, std::abs(double{g}));
  return most;
}

// Best of all n! permutations.
double brute_force(const Gains& gains, int64_t n) {
  std::vector<int32_t> column(static_cast<size_t>(n));
  std::iota(column.begin(), column.end(), 0);
  double best = -std::numeric_limits<double>::infinity();
  do best = std::max(best, value(gains, column));
  while (std::next_permutation(column.begin(), column.end()));
  return best;
}

TEST(Assignment, IsTheBestOfAllPermutations) {
  AssignmentSolver solver;
  Rng rng(1);
  for (const Kind& kind : kinds())
    for (int64_t n = 1; n <= 7; ++n)
      for (int trial = 0; trial < 4; ++trial) {
        const Gains gains = kind.make(n, rng);
        const Assignment& a = solver.solve(n, gains);
        expect_permutation(a, n, kind.name);
        EXPECT_EQ(a.objective, value(gains, a.column)) << kind.name;
        EXPECT_GE(a.objective, brute_force(gains, n) - 1e-12 * double(n) * largest(gains))
            << kind.name << " " << n;
      }
}

// No assignment is worth more than a feasible pair of duals; this one is worth as much.
void expect_proof(const Assignment& a, const Gains& gains, int64_t n, const std::string& what) {
  expect_permutation(a, n, what);
  const double tolerance = 1e-12 * double(n) * largest(gains);
  double bound = 0, worst = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < size_t(n); ++i) {
    bound += a.row_dual[i] + a.column_dual[i];
    for (size_t j = 0; j < size_t(n); ++j)
      worst = std::max(worst, gains[i * size_t(n) + j] - a.row_dual[i] - a.column_dual[j]);
  }
  EXPECT_LE(worst, tolerance) << what;
  EXPECT_LE(std::abs(bound - a.objective), tolerance) << what;
  EXPECT_EQ(a.objective, value(gains, a.column)) << what;
}

TEST(Assignment, ItsDualsProveIt) {
  AssignmentSolver solver;
  Rng rng(2);
  for (const Kind& kind : kinds())
    for (const int64_t n : {1, 2, 31, 32, 33, 150, 331, 650}) {
      const Gains gains = kind.make(n, rng);
      expect_proof(solver.solve(n, gains), gains, n, text("{} {}", kind.name, n));
    }
}

// Whatever the start is: its own end, the end of other gains, noise, numbers out of all proportion.
TEST(Assignment, AnyStartEndsOptimal) {
  AssignmentSolver solver;
  Rng rng(4);
  for (const Kind& kind : kinds())
    for (const int64_t n : {1, 2, 31, 150, 650}) {
      const Gains gains = kind.make(n, rng), other = kind.make(n, rng);
      const Assignment& cold = solver.solve(n, gains);
      const double best = cold.objective, tolerance = 1e-12 * double(n) * largest(gains);
      const std::vector<int32_t> column = cold.column;
      const auto check = [&](const WarmStart& start, const char* what) {
        const std::string name = text("{} {} {}", kind.name, n, what);
        const Assignment& a = solver.solve(n, gains, &start);
        expect_proof(a, gains, n, name);
        EXPECT_NEAR(a.objective, best, tolerance) << name;
      };
      const WarmStart own{cold.column_dual, cold.column};
      check(own, "own");
      EXPECT_EQ(solver.solve(n, gains, &own).column, column) << kind.name << " " << n;
      const Assignment& end = solver.solve(n, other);
      check({end.column_dual, end.column}, "other");
      std::vector<double> dual(static_cast<size_t>(n));
      for (double& d : dual) d = largest(gains) * rng.normal();
      check({dual, {}}, "noise");
      const std::vector<int32_t> nonsense(static_cast<size_t>(n), int32_t(n) + 5);
      check({dual, nonsense}, "nonsense");
      for (double& d : dual) d = 1e300 * rng.normal();
      check({dual, {}}, "huge");
      std::fill(dual.begin(), dual.end(), -1e300);
      check({dual, column}, "far away");
    }
}

TEST(Assignment, RefusesStartsThatDoNotFit) {
  AssignmentSolver solver;
  const Gains gains{1, 2, 3, 4};
  const std::vector<double> odd{0, std::numeric_limits<double>::quiet_NaN()}, two{0, 0}, three{0, 0, 0};
  const std::vector<int32_t> one{0};
  for (const auto& [start, kind] : {std::pair{WarmStart{odd, {}}, ErrorKind::bad_value},
                                    {WarmStart{three, {}}, ErrorKind::internal},
                                    {WarmStart{two, one}, ErrorKind::internal}})
    expect_error(kind, [&] { solver.solve(2, gains, &start); });
}

TEST(Assignment, TheSameBitsOnAnyNumberOfThreads) {
  Rng rng(5);
  const int before = threads();
  for (const Kind& kind : kinds()) {
    const int64_t n = 700;
    const Gains gains = kind.make(n, rng);
    std::vector<Assignment> results;
    for (const int count : {1, 3}) {
      set_threads(count);
      AssignmentSolver solver;
      results.push_back(solver.solve(n, gains));
    }
    EXPECT_EQ(results[0].column, results[1].column) << kind.name;
    EXPECT_EQ(results[0].row_dual, results[1].row_dual) << kind.name;
    EXPECT_EQ(results[0].column_dual, results[1].column_dual) << kind.name;
  }
  set_threads(before);
}

TEST(Assignment, TheSameGainsGiveTheSameColumnsWhateverWasSolvedBefore) {
  Rng rng(3);
  for (const Kind& kind : kinds()) {
    const Gains gains = kind.make(40, rng), other = kind.make(23, rng);
    AssignmentSolver fresh, used;
    used.solve(23, other);
    EXPECT_EQ(fresh.solve(40, gains).column, used.solve(40, gains).column) << kind.name;
  }
}

TEST(Assignment, OfNothing) {
  AssignmentSolver solver;
  EXPECT_TRUE(solver.solve(0, {}).column.empty());
  EXPECT_EQ(solver.solve(0, {}).objective, 0);
}

TEST(Assignment, RefusesGainsThatAreNotFinite) {
  AssignmentSolver solver;
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    const Gains gains{1, 2, 3, 4, bad, 6, 7, 8, 9};
    expect_error(
        ErrorKind::bad_value, [&] { solver.solve(3, gains); }, "row 1, column 1");
  }
  expect_error(
      ErrorKind::internal, [&] { solver.solve(3, Gains(8)); }, "8 gains");
}

}  // namespace
}  // namespace dws::align
