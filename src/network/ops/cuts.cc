// Cutting apart, putting together, padding.
#include <algorithm>
#include <cmath>

#include "core/shape.h"
#include "core/text.h"
#include "network/ops/broadcast.h"
#include "network/ops/families.h"
#include "network/ops/pick.h"

namespace dws::network {
namespace {

constexpr int64_t kHuge = int64_t{1} << 40;

void concat(Context& c) {
  const Array& first = c.in(0);
  const int axis = c.axis(c.node().attr_int("axis", 0), first.rank());
  const auto a = static_cast<size_t>(axis);
  std::vector<int64_t> dims = first.dims;
  dims[a] = 0;
  for (int i = 0; i < c.count(); ++i) {
    std::vector<int64_t> other = c.in(i).dims;
    c.require(c.in(i).type == first.type && other.size() == dims.size(),
              "expected inputs of one type and rank");
    dims[a] += other[a];
    other[a] = first.dims[a];
    if (other != first.dims)
      c.fail(text("input {} of shape {} beside {}", i, shape_text(c.in(i).dims), shape_text(first.dims)));
  }
  Array& y = c.make(0, first.type, dims);
  if (!c.computing()) return;
  int64_t outer = 1, inner = 1;
  for (size_t k = 0; k < dims.size(); ++k) (k < a ? outer : inner) *= k == a ? 1 : dims[k];
  int64_t begin = 0;
  for (int i = 0; i < c.count(); ++i) {
    const Array& x = c.in(i);
    const int64_t block = x.dims[a] * inner, stride = dims[a] * inner;
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t k = 0; k < block; ++k) copy_item(x, o * block + k, y, o * stride + begin + k);
    begin += block;
  }
}

// [begin, begin + count step) of an array along several axes.
void take(const Array& x, Array& y, const std::vector<int64_t>& begins, const std::vector<int64_t>& step) {
  std::vector<int64_t> strides = strides_of(x.dims);
  int64_t first = 0;
  for (size_t a = 0; a < strides.size(); ++a) {
    first += begins[a] * strides[a];
    strides[a] *= step[a];
  }
  pick(x, y, first, strides);
}

void split(Context& c) {
  const Array& x = c.in(0);
  const int axis = c.axis(c.node().attr_int("axis", 0), x.rank());
  const int64_t whole = x.dims[static_cast<size_t>(axis)];
  std::vector<int64_t> sizes;
  if (c.version() < 13)
    sizes = c.node().attr_ints("split").value_or(std::vector<int64_t>{});
  else if (c.has(1))
    sizes = c.ints(1);
  const auto parts = static_cast<int64_t>(c.outputs());
  c.require(parts > 0, "no outputs");
  if (sizes.empty()) {
    const int64_t each = (whole + parts - 1) / parts;  // the last may be smaller
    for (int64_t i = 0, left = whole; i < parts; ++i, left -= sizes.back())
      sizes.push_back(std::min(each, left));
  }
  int64_t sum = 0;
  for (const int64_t n : sizes) {
    c.require(n >= 0 && n <= whole, "a part larger than the axis");
    sum += n;
  }
  if (sum != whole || static_cast<int64_t>(sizes.size()) != parts)
    c.fail(text("{} parts of {} items in all on an axis of {}", sizes.size(), sum, whole));
  std::vector<int64_t> begins(x.dims.size(), 0);
  const std::vector<int64_t> steps(x.dims.size(), 1);
  for (int64_t i = 0; i < parts; ++i) {
    std::vector<int64_t> dims = x.dims;
    dims[static_cast<size_t>(axis)] = sizes[static_cast<size_t>(i)];
    Array& y = c.make(static_cast<int>(i), x.type, dims);
    if (c.computing()) take(x, y, begins, steps);
    begins[static_cast<size_t>(axis)] += sizes[static_cast<size_t>(i)];
  }
}

// Starts, ends, axes, steps: attributes up to operator set 9, inputs after.
void slice(Context& c) {
  const Array& x = c.in(0);
  std::vector<int64_t> starts, ends, axes, steps;
  if (c.version() < 10) {
    starts = c.node().attr_ints("starts").value_or(starts);
    ends = c.node().attr_ints("ends").value_or(ends);
    axes = c.node().attr_ints("axes").value_or(axes);
  } else {
    starts = c.ints(1);
    ends = c.ints(2);
    if (c.has(3)) axes = c.ints(3);
    if (c.has(4)) steps = c.ints(4);
  }
  c.require(starts.size() == ends.size() && (axes.empty() || axes.size() == starts.size()) &&
                (steps.empty() || steps.size() == starts.size()),
            "starts, ends, axes and steps are of different lengths");
  std::vector<int64_t> dims = x.dims, begins(x.dims.size(), 0), by(x.dims.size(), 1);
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto a = static_cast<size_t>(c.axis(axes.empty() ? static_cast<int64_t>(i) : axes[i], x.rank()));
    const int64_t n = x.dims[a], step = steps.empty() ? 1 : steps[i];
    c.require(step != 0 && step > -kHuge && step < kHuge, "a step of 0, or beyond all sizes");
    const auto place = [&](int64_t p, int64_t low, int64_t high) {
      return std::clamp(p < 0 && p >= -n ? p + n : p < 0 ? int64_t{-1} : p, low, high);
    };
    const int64_t begin =
        step > 0 ? place(starts[i] < -n ? 0 : starts[i], 0, n) : place(starts[i], -1, n - 1);
    const int64_t end = step > 0 ? place(ends[i] < -n ? 0 : ends[i], 0, n) : place(ends[i], -1, n - 1);
    const int64_t span = step > 0 ? end - begin : begin - end, size = step > 0 ? step : -step;
    dims[a] = span > 0 ? (span + size - 1) / size : 0;
    begins[a] = begin;
    by[a] = step;
  }
  Array& y = c.make(0, x.type, dims);
  if (c.computing() && y.size() > 0) take(x, y, begins, by);
}

int64_t outside(int64_t p, int64_t n, const std::string& mode) {
  if (p >= 0 && p < n) return p;
  if (n == 0 || mode == "constant") return -1;
  if (mode == "edge") return p < 0 ? 0 : n - 1;
  if (mode == "wrap") return ((p % n) + n) % n;
  if (n == 1) return 0;
  const int64_t period = 2 * (n - 1), q = ((p % period) + period) % period;  // reflect
  return q < n ? q : period - q;
}
void pad(Context& c) {
  const Array& x = c.in(0);
  const bool attributes = c.version() < 11;
  const std::vector<int64_t> given =
      attributes ? c.node().attr_ints("pads").value_or(std::vector<int64_t>{}) : c.ints(1);
  std::vector<int64_t> axes;
  if (c.has(3))
    axes = c.ints(3);
  else
    for (int64_t a = 0; a < x.rank(); ++a) axes.push_back(a);
  c.require(given.size() == 2 * axes.size(), "pads: two numbers an axis");
  std::vector<int64_t> dims = x.dims, before(x.dims.size(), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto a = static_cast<size_t>(c.axis(axes[i], x.rank()));
    before[a] = given[i];
    const int64_t after = given[axes.size() + i];
    c.require(before[a] > -kHuge && before[a] < kHuge && after > -kHuge && after < kHuge &&
                  dims[a] + before[a] + after >= 0,
              "pads out of range");
    dims[a] += before[a] + after;
  }
  const std::string mode = c.node().attr_string("mode", "constant");
  Array& y = c.make(0, x.type, dims);
  if (!c.computing()) return;
  double fill = attributes ? c.node().attr_float("value", 0) : 0;
  int64_t fill_int = 0;
  if (!attributes && c.has(2) && c.in(2).size() == 1) {
    if (c.in(2).real())
      fill = c.in(2).reals[0];
    else
      fill_int = c.in(2).ints[0];
  }
  const std::vector<int64_t> strides = strides_of(x.dims);
  std::vector<int64_t> index(dims.size(), 0);
  for (int64_t i = 0; i < y.size(); ++i, next_index(index, dims)) {
    int64_t from = 0;
    for (size_t a = 0; a < dims.size() && from >= 0; ++a) {
      const int64_t p = outside(index[a] - before[a], x.dims[a], mode);
      from = p < 0 ? -1 : from + p * strides[a];
    }
    if (from >= 0)
      copy_item(x, from, y, i);
    else if (y.real())
      y.reals[static_cast<size_t>(i)] = fill;
    else
      y.ints[static_cast<size_t>(i)] = fill_int;
  }
}

void trilu(Context& c) {
  const Array& x = c.in(0);
  c.require(x.rank() >= 2, "expected a matrix");
  const bool upper = c.node().attr_int("upper", 1) != 0;
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  const int64_t k = c.has(1) && c.in(1).size() == 1 ? c.in(1).ints[0] : 0;
  const int64_t columns = x.dims.back(), rows = x.dims[x.dims.size() - 2];
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t r = i / columns % rows, col = i % columns;
    if (upper ? col - r >= k : col - r <= k) copy_item(x, i, y, i);
  }
}
constexpr OperatorRow kRows[] = {
    {"Concat", concat}, {"Split", split}, {"Slice", slice}, {"Pad", pad}, {"Trilu", trilu},
};

}  // namespace

std::span<const OperatorRow> cut_operators() {
  return kRows;
}

}  // namespace dws::network
