#include "align/unit_choice.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "align/assignment.h"

namespace dws::align {
namespace {

constexpr float kHint = 1.f / 1024;
constexpr float kStill = 1.f / (1 << 20);  // of items that do not vary, but stand at a number with a sign

}  // namespace

Evidence::Evidence(const symmetry::NetworkGroup& group, const symmetry::Draw& kinds)
    : group_(group), kinds_(kinds), items_(group.blocks * group.size), combinations_{0} {}

void Evidence::add(const Site& site, const CrossSums& sums, const std::vector<float>& scores) {
  std::vector<float>& all = scores_[site.flips];
  all.resize(scores.size());
  const float weight = site.hint ? kHint : 1;
  for (size_t k = 0; k < all.size(); ++k) all[k] += weight * scores[k];
  weight_ += double{weight};
  Shown shown{.site = site, .mean_a = {}, .mean_b = {}, .deviation_a = {}, .deviation_b = {}};
  for (int64_t i = 0; i < items_; ++i) {
    shown.mean_a.push_back(sums.mean_a(i));
    shown.mean_b.push_back(sums.mean_b(i));
    shown.deviation_a.push_back(std::sqrt(sums.variance_a(i)));
    shown.deviation_b.push_back(std::sqrt(sums.variance_b(i)));
  }
  for (size_t i = 0; i < shown.mean_a.size(); ++i) {
    if (shown.deviation_a[i] > 0) continue;
    for (size_t j = 0; j < shown.mean_b.size(); ++j)
      if (const double both = shown.mean_a[i] * shown.mean_b[j]; shown.deviation_b[j] == 0 && both != 0)
        all[i * shown.mean_b.size() + j] += both > 0 ? kStill : -kStill;
  }
  sites_.push_back(std::move(shown));

  uint32_t allowed = 0;
  for (const auto& [flips, matrix] : scores_) allowed |= flips;
  const uint32_t signs = (uint32_t{1} << group_.signs.size()) - 1;
  if (!kinds_.sign) allowed &= ~signs;
  if (!kinds_.phase) allowed &= signs;
  combinations_.clear();
  // All subsets of the generators, the empty one first: a tie flips nothing.
  for (uint32_t z = 0;; z = (z - allowed) & allowed) {
    combinations_.push_back(z);
    if (z == allowed) break;
  }
}

bool Evidence::dead() const noexcept {
  for (int64_t i = 0; i < items_; ++i) {
    const auto still = [&](auto deviations) {
      return std::ranges::all_of(sites_, [&](const Shown& s) {
        return s.site.hint || (s.*deviations)[static_cast<size_t>(i)] == 0;
      });
    };
    if (still(&Shown::deviation_a) || still(&Shown::deviation_b)) return true;
  }
  return false;
}
uint32_t Evidence::best_flips(int64_t i, int64_t j, double& value) const {
  const auto at = static_cast<size_t>(i * items_ + j);
  uint32_t best = 0;
  bool first = true;
  for (const uint32_t z : combinations_) {
    double sum = 0;
    for (const auto& [flips, scores] : scores_)
      sum += std::popcount(flips & z) % 2 == 0 ? double{scores[at]} : -double{scores[at]};
    if (first || sum > value) {
      value = sum;
      best = z;
    }
    first = false;
  }
  return best;
}
double Evidence::worth(int64_t i, int64_t j) const {
  double value = 0;
  best_flips(i, j, value);
  return value;
}
double Evidence::plain(int64_t i, int64_t j) const {
  double value = 0;
  for (const auto& [flips, scores] : scores_) value += double{scores[static_cast<size_t>(i * items_ + j)]};
  return value;
}

Evidence::Partners Evidence::match(int64_t block_a, int64_t block_b) const {
  const int64_t n = group_.size;
  Partners found;
  if (!kinds_.order) {
    for (int64_t i = 0; i < n; ++i) {
      found.order.push_back(static_cast<int32_t>(i));
      found.worth += worth(block_a * n + i, block_b * n + i);
    }
    return found;
  }
  std::vector<float> gain(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      gain[static_cast<size_t>(i * n + j)] = static_cast<float>(worth(block_a * n + i, block_b * n + j));
  AssignmentSolver solver;
  const Assignment& best = solver.solve(n, gain);
  found.order = best.column;
  found.worth = best.objective;
  return found;
}

void Evidence::fill(int64_t i, int64_t j, symmetry::GroupElement& element) const {
  const auto to = static_cast<size_t>(i), from = static_cast<size_t>(j);
  double value = 0;
  const uint32_t flips = best_flips(i, j, value);
  for (size_t k = 0; k < element.signs.size(); ++k) element.signs[k][to] = (flips >> k) % 2 == 0 ? 1 : -1;
  for (size_t k = 0; kinds_.scale && k < element.scales.size(); ++k) {
    double sum = 0;
    int count = 0;
    for (const Shown& s : sites_) {
      const int exponent = s.site.exponents[k];
      const bool still = s.deviation_a[to] == 0 && s.deviation_b[from] == 0;
      const double of_a = still ? std::abs(s.mean_a[to]) : s.deviation_a[to];
      const double of_b = still ? std::abs(s.mean_b[from]) : s.deviation_b[from];
      if (exponent == 0 || of_a == 0 || of_b == 0) continue;
      sum += exponent * std::log(of_a / of_b);
      ++count;
    }
    if (count > 0) element.scales[k][to] = std::exp(sum / count);
  }
  for (size_t p = 0; kinds_.phase && p < element.turns.size(); ++p) {
    const auto parity = static_cast<double>((flips >> (element.signs.size() + p)) % 2);
    element.turns[p][to] = static_cast<int32_t>(parity);
    for (const Shown& s : sites_) {
      if (s.site.phase != static_cast<int>(p)) continue;
      double factor = 1;
      for (size_t k = 0; k < element.signs.size(); ++k)
        if ((s.site.flips >> k) % 2 != 0) factor *= element.signs[k][to];
      // a = factor b + turns * half_turn, turns of the parity that the outputs ask for.
      const double turns = (s.mean_a[to] - factor * s.mean_b[from]) / s.site.half_turn;
      element.turns[p][to] = static_cast<int32_t>(parity + 2 * std::round((turns - parity) / 2));
    }
  }
}

}  // namespace dws::align
