// The assignment solver against the answers of scipy.optimize.linear_sum_assignment
// (scripts/make_assignment_golden.py, which says what the matrices are), with the proof by duals.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "align/assignment.h"
#include "core/file.h"
#include "core/json.h"
#include "core/text.h"

namespace dws::align {
namespace {

uint64_t mixed(uint64_t seed, uint64_t index) {
  uint64_t z = index + seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

struct Maker {
  int64_t n, seed;

  int64_t whole(int64_t stream, int64_t index, int64_t below) const {
    return static_cast<int64_t>(mixed(static_cast<uint64_t>(seed + stream), static_cast<uint64_t>(index)) %
                                static_cast<uint64_t>(below));
  }
  template <class Gain>
  std::vector<float> fill(const Gain& gain) const {
    std::vector<float> gains(static_cast<size_t>(n * n));
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) gains[static_cast<size_t>(i * n + j)] = static_cast<float>(gain(i, j));
    return gains;
  }
  std::vector<float> structured() const {
    constexpr int64_t kInner = 32;
    std::vector<float> a(static_cast<size_t>(n * kInner)), b(a.size()), gains(static_cast<size_t>(n * n));
    for (int64_t i = 0; i < n; ++i)
      for (int64_t k = 0; k < kInner; ++k) {
        const auto at = static_cast<size_t>(i * kInner + k);
        a[at] = static_cast<float>((whole(0, i * kInner + k, 17) - 8) * (1 << whole(1, i, 4)) *
                                   (64 / (k + 1)));
        b[static_cast<size_t>(k * n + i)] =
            static_cast<float>((whole(2, i * kInner + k, 17) - 8) * (1 << whole(3, i, 4)));
      }
    // Exact in any order: integers below 2^24.
    for (int64_t i = 0; i < n; ++i)
      for (int64_t k = 0; k < kInner; ++k)
        for (int64_t j = 0; j < n; ++j)
          gains[static_cast<size_t>(i * n + j)] +=
              a[static_cast<size_t>(i * kInner + k)] * b[static_cast<size_t>(k * n + j)];
    return gains;
  }
  std::vector<float> make(const std::string& kind) const {
    if (kind == "random") return fill([&](auto i, auto j) { return whole(0, i * n + j, 1 << 24); });
    if (kind == "negative") return fill([&](auto i, auto j) { return -whole(0, i * n + j, 1 << 24); });
    if (kind == "tied") return fill([&](auto i, auto j) { return whole(0, i * n + j, 4); });
    if (kind == "equal") return fill([&](auto, auto) { return 7; });
    if (kind == "blocks")
      return fill([&](auto i, auto j) { return whole(0, i * 8 / n * 8 + j * 8 / n, 16); });
    if (kind == "product") return fill([&](auto i, auto j) { return (i + 1) * (j + 1); });
    if (kind == "rank_one")
      return fill([&](auto i, auto j) { return (whole(0, i, 4001) - 2000) * (whole(1, j, 4001) - 2000); });
    if (kind == "sparse")
      return fill([&](auto i, auto j) {
        const int64_t h = whole(0, i * n + j, 1 << 12);
        return h % 8 == 0 ? h : -1000000;
      });
    if (kind == "zero_rows")
      return fill(
          [&](auto i, auto j) { return i % 3 == 0 ? 0 : whole(0, i * n + j, 1 << 20) - (1 << 19); });
    if (kind == "wide")
      return fill([&](auto i, auto j) {
        const int64_t h = whole(0, i * n + j, 96);
        return std::ldexp(h % 2 == 0 ? 1.0 : -1.0, static_cast<int>(h / 2 - 24));
      });
    EXPECT_EQ(kind, "structured");
    return structured();
  }
};

std::string hash(const std::vector<int32_t>& columns) {
  uint64_t h = 0xCBF29CE484222325;
  for (const int32_t column : columns)
    for (int byte = 0; byte < 4; ++byte)
      h = (h ^ (static_cast<uint32_t>(column) >> 8 * byte & 0xff)) * 0x100000001B3;
  return text("{:016x}", h);
}

// The duals bound every sum from above, and the columns reach the bound.
void expect_proof(const Assignment& a, int64_t n, const std::vector<float>& gain, const std::string& what) {
  double scale = 0, worst = -1e300, bound = 0;
  for (const float g : gain) scale = std::max(scale, std::abs(double{g}));
  for (size_t i = 0; i < a.column.size(); ++i) {
    bound += a.row_dual[i] + a.column_dual[i];
    const float* row = gain.data() + static_cast<int64_t>(i) * n;
    for (size_t j = 0; j < a.column.size(); ++j)
      worst = std::max(worst, row[j] - a.row_dual[i] - a.column_dual[j]);
  }
  EXPECT_LE(worst, 1e-12 * scale) << what;
  EXPECT_NEAR(bound, a.objective, 1e-12 * scale * static_cast<double>(n)) << what;
}

TEST(AssignmentGolden, IsAsGoodAsScipys) {
  const Json answers = Json::parse(read_text(DWS_TEST_DATA "/golden/assignment.json"), "assignment.json");
  AssignmentSolver solver;
  int unique = 0;
  for (const Json& answer : answers.as_array()) {
    const std::string& kind = answer.at("kind").as_string();
    const int64_t n = answer.at("n").as_int();
    const std::string what = text("{} {}", kind, n);
    const std::vector<float> gain = Maker{n, answer.at("seed").as_int()}.make(kind);
    const double best = answer.at("objective").as_double();
    const auto check = [&](const Assignment& a) {
      EXPECT_NEAR(a.objective, best, 1e-9 * std::abs(best)) << what;
      if (const Json* columns = answer.find("columns")) {
        EXPECT_EQ(hash(a.column), columns->as_string()) << what;
        ++unique;
      }
      expect_proof(a, n, gain, what);
    };
    check(solver.solve(n, gain));
    if (n > 300) continue;
    // From duals that mean nothing, and from its own, which lie in the solver.
    std::vector<double> poor(static_cast<size_t>(n));
    double scale = 0;
    for (const float g : gain) scale = std::max(scale, std::abs(double{g}));
    for (size_t j = 0; j < poor.size(); ++j) poor[j] = scale * static_cast<double>(mixed(1, j) % 1000) / 1000;
    const WarmStart none{poor, {}};
    check(solver.solve(n, gain, &none));
    const WarmStart own{solver.solve(n, gain).column_dual, solver.solve(n, gain).column};
    check(solver.solve(n, gain, &own));
  }
  EXPECT_GT(unique, 90);
}

}  // namespace
}  // namespace dws::align
