// Losses, as networks exported with their criterion have them at the end.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "network/ops/families.h"

namespace dws::network {
namespace {

// x (N, C, d1, ...) as (N, C, places).
struct Classes {
  int64_t batch, classes, places;
  size_t at(int64_t n, int64_t k, int64_t p) const {
    return static_cast<size_t>((n * classes + k) * places + p);
  }
};
Classes classes_of(const Context& c) {
  const Array &x = c.in(0), &target = c.in(1);
  c.require(x.real() && x.rank() >= 2 && !target.real(), "expected (N, C, ...) and integer classes");
  std::vector<int64_t> dims = x.dims;
  dims.erase(dims.begin() + 1);
  c.require(target.dims == dims, "one class for each item of (N, ...)");
  if (c.has(2)) c.require(c.in(2).real() && c.in(2).size() == x.dims[1], "weights: one number a class");
  int64_t places = 1;
  for (size_t a = 2; a < x.dims.size(); ++a) places *= x.dims[a];
  return {x.dims[0], x.dims[1], places};
}
// - w[t] x[t] of each item, then as `reduction` says; `log_p` in the order of the input.
void negative_log(Context& c, const Classes& s, const std::vector<double>& log_p) {
  const Array& target = c.in(1);
  const std::string reduction = c.node().attr_string("reduction", "mean");
  c.require(reduction == "mean" || reduction == "sum" || reduction == "none", "reduction: no such");
  const bool none = reduction == "none";
  Array& y = c.make(0, c.in(0).type, none ? target.dims : std::vector<int64_t>{});
  if (!c.computing()) return;
  const OnnxAttribute* ignored = c.node().find("ignore_index", OnnxAttribute::Kind::i);
  double sum = 0, weights = 0;
  for (int64_t i = 0; i < target.size(); ++i) {
    const int64_t k = target.ints[static_cast<size_t>(i)];
    if (ignored && k == ignored->i) continue;
    if (k < 0 || k >= s.classes) c.fail(ErrorKind::bad_value, text("class {} of {}", k, s.classes));
    const double w = c.has(2) ? c.in(2).reals[static_cast<size_t>(k)] : 1;
    const double loss = -w * log_p[s.at(i / s.places, k, i % s.places)];
    if (none) y.reals[static_cast<size_t>(i)] = loss;
    sum += loss;
    weights += w;
  }
  if (!none) y.reals[0] = reduction == "sum" ? sum : sum / weights;
}
void negative_log_likelihood(Context& c) {
  const Classes s = classes_of(c);
  negative_log(c, s, c.in(0).reals);
}
void softmax_cross_entropy(Context& c) {
  const Classes s = classes_of(c);
  const Array& x = c.in(0);
  Array& log_p = c.make(1, x.type, x.dims);
  if (c.computing())
    for (int64_t n = 0; n < s.batch; ++n)
      for (int64_t p = 0; p < s.places; ++p) {
        double top = x.reals[s.at(n, 0, p)], sum = 0;
        for (int64_t k = 1; k < s.classes; ++k) top = std::max(top, x.reals[s.at(n, k, p)]);
        for (int64_t k = 0; k < s.classes; ++k) sum += std::exp(x.reals[s.at(n, k, p)] - top);
        for (int64_t k = 0; k < s.classes; ++k)
          log_p.reals[s.at(n, k, p)] = x.reals[s.at(n, k, p)] - top - std::log(sum);
      }
  negative_log(c, s, std::vector<double>(log_p.reals));
}

constexpr OperatorRow kRows[] = {
    {"NegativeLogLikelihoodLoss", negative_log_likelihood},
    {"SoftmaxCrossEntropyLoss", softmax_cross_entropy},
};

}  // namespace

std::span<const OperatorRow> loss_operators() {
  return kRows;
}

}  // namespace dws::network
