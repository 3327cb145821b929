// Reductions over named axes, softmax and its relations, running sums, places of extremes.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/text.h"
#include "network/ops/families.h"

namespace dws::network {
namespace {

// The axes a reduction names: attribute, or input 1. None named: all, or with noop_with_empty_axes none.
std::vector<bool> reduced_axes(const Context& c, int rank) {
  std::optional<std::vector<int64_t>> named = c.node().attr_ints("axes");
  if (!named && c.has(1)) named = c.ints(1);
  std::vector<bool> gone(static_cast<size_t>(rank), !named || named->empty());
  if (!named || named->empty()) {
    if (c.node().attr_int("noop_with_empty_axes", 0)) gone.assign(gone.size(), false);
    return gone;
  }
  for (const int64_t a : *named) gone[static_cast<size_t>(c.axis(a, rank))] = true;
  return gone;
}

struct Reduction {
  double start = 0;
  double (*step)(double sum, double x) = nullptr;
  double (*end)(double sum, double count) = [](double sum, double) { return sum; };
};

void reduce(Context& c, const Reduction& r) {
  const Array& x = c.in(0);
  const std::vector<bool> gone = reduced_axes(c, x.rank());
  const bool keep = c.node().attr_int("keepdims", 1) != 0;
  std::vector<int64_t> dims, kept_strides(gone.size(), 0);
  for (size_t a = 0; a < gone.size(); ++a)
    if (!gone[a])
      dims.push_back(x.dims[a]);
    else if (keep)
      dims.push_back(1);
  Array& y = c.make(0, x.type, dims);
  if (!c.computing()) return;
  int64_t stride = 1;
  for (size_t a = gone.size(); a-- > 0;)
    if (!gone[a]) {
      kept_strides[a] = stride;
      stride *= x.dims[a];
    }
  std::vector<double> sums(static_cast<size_t>(y.size()), r.start);
  std::vector<int64_t> index(gone.size(), 0);
  int64_t at = 0;
  for (int64_t i = 0; i < x.size(); ++i) {
    double& sum = sums[static_cast<size_t>(at)];
    sum = r.step(sum, x.real() ? x.reals[static_cast<size_t>(i)]
                               : static_cast<double>(x.ints[static_cast<size_t>(i)]));
    for (size_t a = gone.size(); a-- > 0;) {
      at += kept_strides[a];
      if (++index[a] < x.dims[a]) break;
      at -= kept_strides[a] * x.dims[a];
      index[a] = 0;
    }
  }
  const double count = y.size() > 0 ? static_cast<double>(x.size()) / static_cast<double>(y.size()) : 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    const double v = r.end(sums[i], count);
    if (y.real())
      y.reals[i] = v;
    else
      y.ints[i] = static_cast<int64_t>(v);
  }
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();
double sum_step(double s, double x) {
  return s + x;
}
double square_step(double s, double x) {
  return s + x * x;
}
double abs_step(double s, double x) {
  return s + std::abs(x);
}
double exp_step(double s, double x) {
  return s + std::exp(x);
}
double root_end(double s, double) {
  return std::sqrt(s);
}
double log_end(double s, double) {
  return std::log(s);
}

void reduce_sum(Context& c) {
  reduce(c, {0, sum_step});
}
void reduce_mean(Context& c) {
  reduce(c, {0, sum_step, [](double s, double n) { return s / n; }});
}
void reduce_max(Context& c) {
  reduce(c, {-kInfinity, [](double s, double x) { return std::max(s, x); }});
}
void reduce_min(Context& c) {
  reduce(c, {kInfinity, [](double s, double x) { return std::min(s, x); }});
}
void reduce_prod(Context& c) {
  reduce(c, {1, [](double s, double x) { return s * x; }});
}
void reduce_l1(Context& c) {
  reduce(c, {0, abs_step});
}
void reduce_l2(Context& c) {
  reduce(c, {0, square_step, root_end});
}
void reduce_sum_square(Context& c) {
  reduce(c, {0, square_step});
}
void reduce_log_sum(Context& c) {
  reduce(c, {0, sum_step, log_end});
}
void reduce_log_sum_exp(Context& c) {
  reduce(c, {0, exp_step, log_end});
}

// An array seen as (outer, n, inner) around one axis, or around all axes from one on.
struct Around {
  int64_t outer = 1, n = 1, inner = 1;
};
Around around(const Array& x, int axis, bool to_the_end = false) {
  Around s;
  for (int a = 0; a < x.rank(); ++a) {
    const int64_t e = x.dims[static_cast<size_t>(a)];
    (a < axis ? s.outer : a == axis || to_the_end ? s.n : s.inner) *= e;
  }
  return s;
}
// line(x, y, n, stride) for every line along the axis.
template <class Line>
void along(const Around& s, const std::vector<double>& x, std::vector<double>& y, const Line& line) {
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t i = 0; i < s.inner; ++i) {
      const int64_t first = o * s.n * s.inner + i;
      line(x.data() + first, y.data() + first, s.n, s.inner);
    }
}

// Up to operator set 12 over all axes from `axis` on (default 1), after over one axis (default the last).
template <class Line>
void over_axis(Context& c, const Line& line) {
  const Array& x = c.in(0);
  c.require(x.real(), "expected floating point numbers");
  const bool old = c.version() < 13;
  const int64_t named = c.node().attr_int("axis", old ? 1 : -1);
  const int axis = x.rank() == 0 || (old && named == x.rank()) ? x.rank() : c.axis(named, x.rank());
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  along(around(x, axis, old), x.reals, y.reals, line);
}
double softmax_sum(const double* x, int64_t n, int64_t stride, double& top) {
  top = -kInfinity;
  for (int64_t i = 0; i < n; ++i) top = std::max(top, x[i * stride]);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(x[i * stride] - top);
  return sum;
}
void softmax(Context& c) {
  over_axis(c, [](const double* x, double* y, int64_t n, int64_t stride) {
    double top;
    const double sum = softmax_sum(x, n, stride, top);
    for (int64_t i = 0; i < n; ++i) y[i * stride] = std::exp(x[i * stride] - top) / sum;
  });
}
void log_softmax(Context& c) {
  over_axis(c, [](const double* x, double* y, int64_t n, int64_t stride) {
    double top;
    const double log_sum = std::log(softmax_sum(x, n, stride, top));
    for (int64_t i = 0; i < n; ++i) y[i * stride] = x[i * stride] - top - log_sum;
  });
}
void hardmax(Context& c) {
  over_axis(c, [](const double* x, double* y, int64_t n, int64_t stride) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; ++i)
      if (x[i * stride] > x[best * stride]) best = i;
    if (n > 0) y[best * stride] = 1;
  });
}
void lp_normalization(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real(), "expected floating point numbers");
  const int axis = c.axis(c.node().attr_int("axis", -1), x.rank());
  const bool one = c.node().attr_int("p", 2) == 1;
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  along(around(x, axis), x.reals, y.reals, [&](const double* in, double* out, int64_t n, int64_t stride) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += one ? std::abs(in[i * stride]) : in[i * stride] * in[i * stride];
    const double norm = one ? sum : std::sqrt(sum);
    for (int64_t i = 0; i < n; ++i) out[i * stride] = norm > 0 ? in[i * stride] / norm : 0;
  });
}

template <bool largest>
void arg(Context& c) {
  const Array& x = c.in(0);
  const int axis = c.axis(c.node().attr_int("axis", 0), x.rank());
  const bool last = c.node().attr_int("select_last_index", 0) != 0;
  std::vector<int64_t> dims = x.dims;
  if (c.node().attr_int("keepdims", 1))
    dims[static_cast<size_t>(axis)] = 1;
  else
    dims.erase(dims.begin() + axis);
  c.require(x.dims[static_cast<size_t>(axis)] > 0, "the axis is empty");
  Array& y = c.make(0, OnnxType::i64, dims);
  if (!c.computing()) return;
  const Around s = around(x, axis);
  const auto at = [&](int64_t i) {
    return x.real() ? x.reals[static_cast<size_t>(i)] : static_cast<double>(x.ints[static_cast<size_t>(i)]);
  };
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t i = 0; i < s.inner; ++i) {
      int64_t best = 0;
      for (int64_t k = 1; k < s.n; ++k) {
        const double now = at((o * s.n + k) * s.inner + i), so_far = at((o * s.n + best) * s.inner + i);
        if (largest ? now > so_far : now < so_far) best = k;
        if (last && now == so_far) best = k;
      }
      y.ints[static_cast<size_t>(o * s.inner + i)] = best;
    }
}

void cum_sum(Context& c) {
  const Array& x = c.in(0);
  const std::vector<int64_t> named = c.ints(1);
  c.require(named.size() == 1, "expected one axis");
  const int axis = c.axis(named[0], x.rank());
  const bool exclusive = c.node().attr_int("exclusive", 0), reverse = c.node().attr_int("reverse", 0);
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  const Around s = around(x, axis);
  const auto run = [&](const auto& in, auto& out) {
    for (int64_t o = 0; o < s.outer; ++o)
      for (int64_t i = 0; i < s.inner; ++i) {
        std::decay_t<decltype(in[0])> sum = 0;
        for (int64_t k = 0; k < s.n; ++k) {
          const auto at = static_cast<size_t>((o * s.n + (reverse ? s.n - 1 - k : k)) * s.inner + i);
          if (exclusive) out[at] = sum;
          sum += in[at];
          if (!exclusive) out[at] = sum;
        }
      }
  };
  x.real() ? run(x.reals, y.reals) : run(x.ints, y.ints);
}

void top_k(Context& c) {
  const Array& x = c.in(0);
  const std::vector<int64_t> count =
      c.version() < 10 ? std::vector<int64_t>{c.node().attr_int("k", -1)} : c.ints(1);
  const int axis = c.axis(c.node().attr_int("axis", -1), x.rank());
  const Around s = around(x, axis);
  c.require(count.size() == 1 && count[0] >= 0 && count[0] <= s.n, "k is larger than the axis");
  const bool largest = c.node().attr_int("largest", 1) != 0;
  std::vector<int64_t> dims = x.dims;
  dims[static_cast<size_t>(axis)] = count[0];
  Array& values = c.make(0, x.type, dims);
  Array& places = c.make(1, OnnxType::i64, dims);
  if (!c.computing()) return;
  std::vector<int64_t> order(static_cast<size_t>(s.n));
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t i = 0; i < s.inner; ++i) {
      const auto from = [&](int64_t k) { return static_cast<size_t>((o * s.n + k) * s.inner + i); };
      std::iota(order.begin(), order.end(), 0);
      std::ranges::stable_sort(order, [&](int64_t a, int64_t b) {
        if (x.real())
          return largest ? x.reals[from(a)] > x.reals[from(b)] : x.reals[from(a)] < x.reals[from(b)];
        return largest ? x.ints[from(a)] > x.ints[from(b)] : x.ints[from(a)] < x.ints[from(b)];
      });
      for (int64_t k = 0; k < count[0]; ++k) {
        const auto to = static_cast<size_t>((o * count[0] + k) * s.inner + i);
        const int64_t best = order[static_cast<size_t>(k)];
        if (x.real())
          values.reals[to] = x.reals[from(best)];
        else
          values.ints[to] = x.ints[from(best)];
        places.ints[to] = best;
      }
    }
}

constexpr OperatorRow kRows[] = {
    {"ReduceSum", reduce_sum},
    {"ReduceMean", reduce_mean},
    {"ReduceMax", reduce_max},
    {"ReduceMin", reduce_min},
    {"ReduceProd", reduce_prod},
    {"ReduceL1", reduce_l1},
    {"ReduceL2", reduce_l2},
    {"ReduceSumSquare", reduce_sum_square},
    {"ReduceLogSum", reduce_log_sum},
    {"ReduceLogSumExp", reduce_log_sum_exp},
    {"Softmax", softmax},
    {"LogSoftmax", log_softmax},
    {"Hardmax", hardmax},
    {"LpNormalization", lp_normalization},
    {"ArgMax", arg<true>},
    {"ArgMin", arg<false>},
    {"CumSum", cum_sum},
    {"TopK", top_k},
};

}  // namespace

std::span<const OperatorRow> reduction_operators() {
  return kRows;
}

}  // namespace dws::network
