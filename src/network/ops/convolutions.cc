// Convolution and pooling over any number of places.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/parallel.h"
#include "core/shape.h"
#include "core/text.h"
#include "network/ops/families.h"
#include "network/ops/gemm.h"
#include "network/ops/windows.h"

namespace dws::network {
namespace {

int64_t product_of(const std::vector<int64_t>& v) {
  int64_t n = 1;
  for (const int64_t x : v) n *= x;
  return n;
}

// y (N, M, ...) of x (N, C, ...) and w (M, C / group, ...): both as doubles, so that integers below 2^53 are summed exactly.
struct Convolution {
  int64_t groups, channels, filters;
  Windows win;
  std::vector<int64_t> dims;

  Convolution(const Context& c, const Array& x, const Array& w)
      : groups(c.node().attr_int("group", 1)), channels(0), filters(0) {
    c.require(x.rank() >= 3 && w.rank() == x.rank(), "expected (N, C, ...) and (M, C / group, ...)");
    channels = x.dims[1];
    filters = w.dims[0];
    if (groups < 1 || channels % groups || filters % groups || w.dims[1] != channels / groups)
      c.fail(text("a convolution of {} by {} in {} groups", shape_text(x.dims), shape_text(w.dims), groups));
    win = windows(c, x.dims, {w.dims.begin() + 2, w.dims.end()});
    dims = {x.dims[0], filters};
    dims.insert(dims.end(), win.out.begin(), win.out.end());
  }
  // What run() spreads out for its products, in numbers.
  void check_room(const Context& c) const {
    int64_t room = channels / groups;
    for (const auto* list : {&win.kernel, &win.out})
      for (const int64_t x : *list)
        if (__builtin_mul_overflow(room, x, &room) || room > (int64_t{1} << 28))
          c.fail(ErrorKind::resource_limit, "a convolution that takes more than 2 GiB");
  }
  // Numbers in the padding are 0. Adds to y.
  void run(const double* x, const double* w, double* y) const {
    const int64_t places = product_of(win.out), kernel = product_of(win.kernel),
                  in_places = product_of(win.in);
    const int64_t cin = channels / groups, cout = filters / groups;
    const std::vector<int64_t> from = win.table();  // (kernel, places)
    std::vector<double> columns(static_cast<size_t>(cin * kernel * places));
    for (int64_t n = 0; n < dims[0]; ++n)
      for (int64_t g = 0; g < groups; ++g) {
        const double* in = x + (n * channels + g * cin) * in_places;
        parallel_for(cin, [&](int64_t ch) {
          for (int64_t k = 0; k < kernel * places; ++k) {
            const int64_t at = from[static_cast<size_t>(k)];
            columns[static_cast<size_t>(ch * kernel * places + k)] = at < 0 ? 0 : in[ch * in_places + at];
          }
        });
        gemm_add(cout, places, cin * kernel, w + g * cout * cin * kernel, cin * kernel, columns.data(),
                 places, y + (n * filters + g * cout) * places, places);
      }
  }
};

void conv(Context& c) {
  const Array &x = c.in(0), &w = c.in(1);
  c.require(x.real() && w.real(), "expected floating point numbers");
  const Convolution convolution(c, x, w);
  Array& y = c.make(0, x.type, convolution.dims);
  if (c.has(2))
    c.require(c.in(2).real() && c.in(2).size() == convolution.filters, "bias: one number a filter");
  if (!c.computing()) return;
  convolution.check_room(c);
  convolution.run(x.reals.data(), w.reals.data(), y.reals.data());
  if (!c.has(2)) return;
  const auto places = static_cast<size_t>(product_of(convolution.win.out)),
             filters = static_cast<size_t>(convolution.filters);
  for (size_t i = 0; i < y.reals.size(); ++i) y.reals[i] += c.in(2).reals[i / places % filters];
}

// Less the zero points; those of the weight may be one a filter.
void conv_integer(Context& c) {
  const Array &x = c.in(0), &w = c.in(1);
  c.require(!x.real() && !w.real(), "expected integers");
  const Convolution convolution(c, x, w);
  Array& y = c.make(0, OnnxType::i32, convolution.dims);
  for (int i : {2, 3})
    if (c.has(i))
      c.require(!c.in(i).real() && (c.in(i).size() == 1 || (i == 3 && c.in(i).size() == convolution.filters)),
                "zero points do not fit");
  if (!c.computing()) return;
  convolution.check_room(c);
  std::vector<double> a(x.ints.begin(), x.ints.end()), b(w.ints.begin(), w.ints.end()), sums(y.ints.size());
  if (c.has(2))
    for (double& v : a) v -= static_cast<double>(c.in(2).ints[0]);
  const size_t each = b.size() / std::max<size_t>(static_cast<size_t>(convolution.filters), 1);
  if (c.has(3))
    for (size_t i = 0; i < b.size(); ++i)
      b[i] -= static_cast<double>(c.in(3).ints[c.in(3).size() == 1 ? 0 : i / each]);
  convolution.run(a.data(), b.data(), sums.data());
  for (size_t i = 0; i < sums.size(); ++i) y.ints[i] = wrap_to(OnnxType::i32, static_cast<int64_t>(sums[i]));
}

// The transpose of a convolution from y to x: every input number is spread over its window.
void conv_transpose(Context& c) {
  const Array &x = c.in(0), &w = c.in(1);
  c.require(x.real() && w.real(), "expected floating point numbers");
  c.require(x.rank() >= 3 && w.rank() == x.rank(), "expected (N, C, ...) and (C, M / group, ...)");
  const int64_t groups = c.node().attr_int("group", 1), channels = x.dims[1];
  if (groups < 1 || channels % groups || w.dims[0] != channels)
    c.fail(text("a transposed convolution of {} by {} in {} groups", shape_text(x.dims), shape_text(w.dims),
                groups));
  const int64_t cout = w.dims[1], filters = cout * groups, cin = channels / groups;
  const Windows win = transposed_windows(c, x.dims, {w.dims.begin() + 2, w.dims.end()});
  std::vector<int64_t> dims = {x.dims[0], filters};
  dims.insert(dims.end(), win.in.begin(), win.in.end());
  Array& y = c.make(0, x.type, dims);
  if (c.has(2)) c.require(c.in(2).real() && c.in(2).size() == filters, "bias: one number a filter");
  if (!c.computing()) return;
  const int64_t places = product_of(win.out), kernel = product_of(win.kernel),
                out_places = product_of(win.in);
  const std::vector<int64_t> to = win.table();
  // columns (cout kernel, places) = W^T (cout kernel, cin) x (cin, places).
  std::vector<double> turned(static_cast<size_t>(cout * kernel * cin)),
      columns(static_cast<size_t>(cout * kernel * places));
  for (int64_t n = 0; n < x.dims[0]; ++n)
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t i = 0; i < cin; ++i)
        for (int64_t o = 0; o < cout * kernel; ++o)
          turned[static_cast<size_t>(o * cin + i)] =
              w.reals[static_cast<size_t>((g * cin + i) * cout * kernel + o)];
      std::ranges::fill(columns, 0);
      gemm_add(cout * kernel, places, cin, turned.data(), cin,
               x.reals.data() + (n * channels + g * cin) * places, places, columns.data(), places);
      double* out = y.reals.data() + (n * filters + g * cout) * out_places;
      for (int64_t o = 0; o < cout; ++o)
        for (int64_t k = 0; k < kernel * places; ++k)
          if (const int64_t at = to[static_cast<size_t>(k)]; at >= 0)
            out[o * out_places + at] += columns[static_cast<size_t>(o * kernel * places + k)];
    }
  if (c.has(2))
    for (size_t i = 0; i < y.reals.size(); ++i)
      y.reals[i] += c.in(2).reals[i / static_cast<size_t>(out_places) % static_cast<size_t>(filters)];
}

std::vector<int64_t> kernel_shape(const Context& c) {
  const auto kernel = c.node().attr_ints("kernel_shape");
  if (!kernel || kernel->empty()) c.fail("kernel_shape is missing");
  return *kernel;
}
// fold(numbers of a window in the picture, how many places the window has with padding)
template <class Fold>
void pool(Context& c, const Fold& fold) {
  const Array& x = c.in(0);
  c.require(x.real() && x.rank() >= 3, "expected (N, C, ...) of floating point numbers");
  const Windows win = windows(c, x.dims, kernel_shape(c), c.node().attr_int("ceil_mode", 0) != 0);
  std::vector<int64_t> dims = {x.dims[0], x.dims[1]};
  dims.insert(dims.end(), win.out.begin(), win.out.end());
  Array& y = c.make(0, x.type, dims);
  if (!c.computing()) return;
  const int64_t places = product_of(win.out), kernel = product_of(win.kernel), in_places = product_of(win.in);
  const std::vector<int64_t> from = win.table();
  const std::vector<int64_t> padded = win.padded_counts();
  parallel_for(x.dims[0] * x.dims[1], [&](int64_t plane) {
    const double* in = x.reals.data() + plane * in_places;
    std::vector<double> window;
    for (int64_t p = 0; p < places; ++p) {
      window.clear();
      for (int64_t k = 0; k < kernel; ++k)
        if (const int64_t at = from[static_cast<size_t>(k * places + p)]; at >= 0) window.push_back(in[at]);
      y.reals[static_cast<size_t>(plane * places + p)] = fold(window, padded[static_cast<size_t>(p)]);
    }
  });
}
void max_pool(Context& c) {
  if (c.wants(1)) c.fail(ErrorKind::mismatch, "indices of maxima cannot be run");
  pool(c, [](const std::vector<double>& w, int64_t) {
    double top = -std::numeric_limits<double>::infinity();
    for (const double v : w) top = std::max(top, v);
    return top;
  });
}
void average_pool(Context& c) {
  const bool with_padding = c.node().attr_int("count_include_pad", 0) != 0;
  pool(c, [&](const std::vector<double>& w, int64_t padded) {
    double sum = 0;
    for (const double v : w) sum += v;
    const auto n = with_padding ? padded : static_cast<int64_t>(w.size());
    return n > 0 ? sum / static_cast<double>(n) : 0;
  });
}
void lp_pool(Context& c) {
  const auto p = static_cast<double>(c.node().attr_int("p", 2));
  c.require(p > 0, "p is at least 1");
  pool(c, [&](const std::vector<double>& w, int64_t) {
    double sum = 0;
    for (const double v : w) sum += std::pow(std::abs(v), p);
    return std::pow(sum, 1 / p);
  });
}
// fold(first, count)
template <class Fold>
void global(Context& c, const Fold& fold) {
  const Array& x = c.in(0);
  c.require(x.real() && x.rank() >= 2, "expected (N, C, ...) of floating point numbers");
  std::vector<int64_t> dims(x.dims.size(), 1);
  dims[0] = x.dims[0];
  dims[1] = x.dims[1];
  Array& y = c.make(0, x.type, dims);
  if (!c.computing() || y.size() == 0) return;
  const int64_t n = x.size() / y.size();
  c.require(n > 0, "no places to pool");
  for (int64_t i = 0; i < y.size(); ++i) y.reals[static_cast<size_t>(i)] = fold(x.reals.data() + i * n, n);
}
void global_average(Context& c) {
  global(c, [](const double* x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += x[i];
    return sum / static_cast<double>(n);
  });
}
void global_max(Context& c) {
  global(c, [](const double* x, int64_t n) { return *std::max_element(x, x + n); });
}

constexpr OperatorRow kRows[] = {
    {"Conv", conv},
    {"ConvInteger", conv_integer},
    {"ConvTranspose", conv_transpose},
    {"MaxPool", max_pool},
    {"AveragePool", average_pool},
    {"LpPool", lp_pool},
    {"GlobalAveragePool", global_average},
    {"GlobalMaxPool", global_max},
};

}  // namespace

std::span<const OperatorRow> convolution_operators() {
  return kRows;
}

}  // namespace dws::network
