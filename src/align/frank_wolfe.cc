#include "align/frank_wolfe.h"

#include <algorithm>
#include <cmath>

#include "core/interrupt.h"

namespace dws::align {
namespace {

double at(std::span<const double> c, double x) {
  double sum = 0;
  for (size_t k = c.size(); k-- > 0;) sum = sum * x + c[k];
  return sum;
}

// The places in (0, 1) where the polynomial changes sign, rising: between the neighbouring places where it turns, by bisection.
std::vector<double> roots_on_unit(std::span<const double> c) {
  if (c.size() < 2) return {};
  std::vector<double> slope;
  for (size_t k = 1; k < c.size(); ++k) slope.push_back(static_cast<double>(k) * c[k]);
  std::vector<double> ends = {0};
  for (const double x : roots_on_unit(slope)) ends.push_back(x);
  ends.push_back(1);
  std::vector<double> roots;
  for (size_t i = 0; i + 1 < ends.size(); ++i) {
    double low = ends[i], high = ends[i + 1];
    const bool rises = at(c, low) < 0;
    if (at(c, low) == 0 || rises != (at(c, high) > 0)) continue;
    for (double middle = (low + high) / 2; middle > low && middle < high; middle = (low + high) / 2)
      ((at(c, middle) < 0) == rises ? low : high) = middle;
    roots.push_back(high);
  }
  return roots;
}

// The polynomial of degree d with f(0) = c[0], f'(0) = c[1] and these values at k / (d - 1), k = 1 ... d - 1: Newton's divided
// differences of (f - c[0] - c[1] x) / x².
std::vector<double> through(double c0, double c1, const std::vector<double>& x,
                            const std::vector<double>& f) {
  std::vector<double> rest;
  for (size_t i = 0; i < x.size(); ++i) rest.push_back((f[i] - c0 - c1 * x[i]) / (x[i] * x[i]));
  for (size_t order = 1; order < rest.size(); ++order)
    for (size_t i = rest.size(); i-- > order;) rest[i] = (rest[i] - rest[i - 1]) / (x[i] - x[i - order]);
  std::vector<double> c(x.size(), 0);  // of the rest, by Horner
  for (size_t i = rest.size(); i-- > 0;) {
    for (size_t k = c.size(); k-- > 0;) c[k] = (k > 0 ? c[k - 1] : 0) - x[i] * c[k];
    c[0] += rest[i];
  }
  c.insert(c.begin(), {c0, c1});
  return c;
}

std::vector<SoftElement> all_between(const std::vector<SoftElement>& p, const std::vector<SoftElement>& q,
                                     double step) {
  std::vector<SoftElement> r;
  for (size_t i = 0; i < p.size(); ++i) r.push_back(between(p[i], q[i], step));
  return r;
}

}  // namespace

double maximiser_on_unit(std::span<const double> c) {
  std::vector<double> slope, places = {0};
  for (size_t k = 1; k < c.size(); ++k) slope.push_back(static_cast<double>(k) * c[k]);
  for (const double x : roots_on_unit(slope)) places.push_back(x);
  places.push_back(1);
  return *std::ranges::max_element(places, {}, [&](double x) { return at(c, x); });
}

double PairObjective::value(const std::vector<SoftElement>& p) const {
  return inner_product(pair_.scored, pair_.a, action_.act(p[0], pair_.b));
}
double PairObjective::gradient(const std::vector<SoftElement>& p, std::vector<SoftElement>& gradient) const {
  gradient = {action_.zero()};
  return action_.add_gradient(p[0], pair_.a, pair_.b, gradient[0]);
}

FrankWolfeResult frank_wolfe(const SoftObjective& objective,
                             const std::vector<symmetry::NetworkElement>& start,
                             const FrankWolfeOptions& options) {
  constexpr int kIdle = 5;  // steps in a row that gain little
  const SoftAction& action = objective.action();
  FrankWolfeResult result;
  for (const symmetry::NetworkElement& g : start) result.point.push_back(action.corner(g));
  std::vector<SoftElement> slope;
  double value = objective.gradient(result.point, slope);
  result.objective = {value};
  for (int step = 0, idle = 0; step < options.max_steps && idle < kIdle; ++step) {
    check_interrupt();
    std::vector<SoftElement> corner;
    double gap = 0;
    for (size_t i = 0; i < slope.size(); ++i) {
      corner.push_back(action.corner(action.best_corner(slope[i])));
      gap += inner_product(slope[i], corner[i]) - inner_product(slope[i], result.point[i]);
    }
    if (!(gap > options.tolerance * std::abs(value))) break;
    const int degree = objective.degree();
    std::vector<double> x, f;
    for (int k = 1; k < degree; ++k) {
      x.push_back(static_cast<double>(k) / (degree - 1));
      f.push_back(objective.value(k + 1 == degree ? corner : all_between(result.point, corner, x.back())));
    }
    const double length = maximiser_on_unit(through(value, gap, x, f));
    std::vector<SoftElement> next = length == 1 ? corner : all_between(result.point, corner, length);
    std::vector<SoftElement> next_slope;
    const double reached = objective.gradient(next, next_slope);
    if (!(reached > value)) break;
    idle = reached - value < options.tolerance * std::abs(value) ? idle + 1 : 0;
    value = reached;
    result.point = std::move(next);
    slope = std::move(next_slope);
    result.objective.push_back(value);
  }
  for (const SoftElement& p : result.point) result.rounded.push_back(action.best_corner(p));
  return result;
}

}  // namespace dws::align
