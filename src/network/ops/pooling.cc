// Pooling over any number of places.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/parallel.h"
#include "core/text.h"
#include "network/ops/families.h"
#include "network/ops/pick.h"
#include "network/ops/windows.h"

namespace dws::network {
namespace {

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
  const int64_t places = elements(win.out), kernel = elements(win.kernel), in_places = elements(win.in);
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
// The places of maxima count through the whole input, its spatial axes row by row, or with storage_order 1 column by column.
void max_pool(Context& c) {
  const Array& x = c.in(0);
  c.require(x.rank() >= 3, "expected (N, C, ...)");
  const Windows win = windows(c, x.dims, kernel_shape(c), c.node().attr_int("ceil_mode", 0) != 0);
  std::vector<int64_t> dims = {x.dims[0], x.dims[1]};
  dims.insert(dims.end(), win.out.begin(), win.out.end());
  Array& y = c.make(0, x.type, dims);
  Array& where = c.make(1, OnnxType::i64, dims);
  if (!c.computing()) return;
  const int64_t places = elements(win.out), kernel = elements(win.kernel), in_places = elements(win.in);
  const std::vector<int64_t> from = win.table();
  const bool columns_first = c.node().attr_int("storage_order", 0) != 0;
  const auto numbered = [&](int64_t place) {
    if (!columns_first) return place;
    int64_t number = 0, stride = in_places;
    for (size_t a = win.in.size(); a-- > 0; place /= win.in[a]) {
      stride /= win.in[a];
      number += place % win.in[a] * stride;
    }
    return number;
  };
  const auto fold = [&](const auto& in, auto& out, auto lowest) {
    for (int64_t plane = 0; plane < x.dims[0] * x.dims[1]; ++plane)
      for (int64_t p = 0; p < places; ++p) {
        auto top = lowest;
        int64_t best = -1;
        for (int64_t k = 0; k < kernel; ++k) {
          const int64_t at = from[static_cast<size_t>(k * places + p)];
          if (at < 0) continue;
          const auto v = in[static_cast<size_t>(plane * in_places + at)];
          if (best >= 0 && !(v > top)) continue;
          top = v;
          best = at;
        }
        const auto to = static_cast<size_t>(plane * places + p);
        out[to] = top;
        where.ints[to] = best < 0 ? -1 : plane * in_places + numbered(best);
      }
  };
  if (x.real())
    fold(x.reals, y.reals, -std::numeric_limits<double>::infinity());
  else
    fold(x.ints, y.ints, std::numeric_limits<int64_t>::min());
}
// Each number back to the place that it was the maximum of; 0 elsewhere.
void max_unpool(Context& c) {
  const Array &x = c.in(0), &where = c.in(1);
  c.require(x.rank() >= 3 && !where.real() && where.dims == x.dims,
            "expected (N, C, ...) and as many places");
  const std::vector<int64_t> kernel = kernel_shape(c);
  const size_t axes = x.dims.size() - 2;
  const std::vector<int64_t> strides = c.node().attr_ints("strides").value_or(std::vector<int64_t>(axes, 1)),
                             pads = c.node().attr_ints("pads").value_or(std::vector<int64_t>(2 * axes, 0));
  c.require(kernel.size() == axes && strides.size() == axes && pads.size() == 2 * axes,
            "kernel_shape, strides or pads of another number of axes");
  std::vector<int64_t> inner = {x.dims[0], x.dims[1]};
  for (size_t a = 0; a < axes; ++a) {
    for (const int64_t v : {kernel[a], strides[a], pads[a], pads[axes + a]})
      if (v < 0 || v > (int64_t{1} << 31)) c.fail(text("a kernel, stride or pad of {}", v));
    inner.push_back((x.dims[a + 2] - 1) * strides[a] - pads[a] - pads[axes + a] + kernel[a]);
    c.require(inner.back() > 0, "an output of no places");
  }
  const std::vector<int64_t> dims = c.has(2) ? c.ints(2) : inner;
  c.require(dims.size() == inner.size(), "output_shape: one size an axis");
  for (size_t a = 0; a < dims.size(); ++a) c.require(dims[a] >= inner[a], "output_shape is too small");
  Array& y = c.make(0, x.type, dims);
  if (!c.computing()) return;
  const std::vector<int64_t> from = strides_of(inner), to = strides_of(dims);
  const int64_t count = elements(inner);
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t place = where.ints[static_cast<size_t>(i)];
    if (place < 0 || place >= count) c.fail(ErrorKind::bad_value, text("place {} of {}", place, count));
    int64_t at = 0;
    for (size_t a = 0; a < dims.size(); ++a) at += place / from[a] % inner[a] * to[a];
    copy_item(x, i, y, at);
  }
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
void global_lp(Context& c) {
  const auto p = static_cast<double>(c.node().attr_int("p", 2));
  c.require(p > 0, "p is at least 1");
  global(c, [&](const double* x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += std::pow(std::abs(x[i]), p);
    return std::pow(sum, 1 / p);
  });
}

constexpr OperatorRow kRows[] = {
    {"MaxPool", max_pool},
    {"MaxUnpool", max_unpool},
    {"AveragePool", average_pool},
    {"LpPool", lp_pool},
    {"GlobalAveragePool", global_average},
    {"GlobalMaxPool", global_max},
    {"GlobalLpPool", global_lp},
};

}  // namespace

std::span<const OperatorRow> pooling_operators() {
  return kRows;
}

}  // namespace dws::network
