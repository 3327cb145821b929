// Convolution over any number of places.
#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "core/shape.h"
#include "core/text.h"
#include "network/ops/families.h"
#include "network/ops/gemm.h"
#include "network/ops/quantised.h"
#include "network/ops/windows.h"

namespace dws::network {
namespace {

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
    const int64_t places = elements(win.out), kernel = elements(win.kernel), in_places = elements(win.in);
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

Array& convolve(Context& c) {
  const Array &x = c.in(0), &w = c.in(1);
  c.require(x.real() && w.real(), "expected floating point numbers");
  const Convolution convolution(c, x, w);
  Array& y = c.make(0, x.type, convolution.dims);
  if (c.has(2))
    c.require(c.in(2).real() && c.in(2).size() == convolution.filters, "bias: one number a filter");
  if (!c.computing()) return y;
  convolution.check_room(c);
  convolution.run(x.reals.data(), w.reals.data(), y.reals.data());
  if (!c.has(2)) return y;
  const auto places = static_cast<size_t>(elements(convolution.win.out)),
             filters = static_cast<size_t>(convolution.filters);
  for (size_t i = 0; i < y.reals.size(); ++i) y.reals[i] += c.in(2).reals[i / places % filters];
  return y;
}
void conv(Context& c) {
  convolve(c);
}
// A convolution, a second term and an activation in one (com.microsoft).
void fused_conv(Context& c) {
  Array& y = convolve(c);
  if (c.has(3) && c.in(3).dims != y.dims) c.fail("the second term has another shape than the output");
  const std::string f = c.node().attr_string("activation", "");
  const OnnxAttribute* given = c.node().find("activation_params", OnnxAttribute::Kind::floats);
  const auto parameter = [&](size_t i, double otherwise) {
    return given && i < given->floats.size() ? given->floats[i] : otherwise;
  };
  const double a = parameter(0, f == "LeakyRelu"     ? 0.01
                                : f == "HardSigmoid" ? 0.2
                                                     : 0),
               b = parameter(1, 0.5);
  c.require(f.empty() || f == "Relu" || f == "Tanh" || f == "Sigmoid" || f == "LeakyRelu" ||
                f == "HardSigmoid" || (f == "Clip" && given && given->floats.size() == 2),
            "activation: no such");
  if (!c.computing()) return;
  for (size_t i = 0; i < y.reals.size(); ++i) {
    double& v = y.reals[i];
    if (c.has(3)) v += c.in(3).reals[i];
    if (f == "Relu") v = std::max(v, 0.0);
    if (f == "Tanh") v = std::tanh(v);
    if (f == "Sigmoid") v = 1 / (1 + std::exp(-v));
    if (f == "LeakyRelu" && v < 0) v *= a;
    if (f == "HardSigmoid") v = std::clamp(a * v + b, 0.0, 1.0);
    if (f == "Clip") v = std::min(std::max(v, a), b);
  }
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

// All quantised; the weight by one scale or one a filter, the bias as 32-bit integers. Inputs: x, its scale and zero point, w
// and its, y's, the bias.
void qlinear_conv(Context& c) {
  const Array &x = c.in(0), &w = c.in(3), &scales = c.in(4), &zeros = c.in(5);
  c.require(!x.real() && !w.real(), "expected integers");
  const Convolution convolution(c, x, w);
  for (const int i : {1, 6}) c.require(c.in(i).real() && c.in(i).size() == 1, "a scale does not fit");
  for (const int i : {2, 7}) c.require(!c.in(i).real() && c.in(i).size() == 1, "a zero point does not fit");
  c.require(scales.real() && (scales.size() == 1 || scales.size() == convolution.filters) && !zeros.real() &&
                zeros.size() == scales.size(),
            "the weight's scale or zero point does not fit");
  if (c.has(8))
    c.require(!c.in(8).real() && c.in(8).size() == convolution.filters, "bias: one number a filter");
  Array& y = c.make(0, c.in(7).type, convolution.dims);
  if (!c.computing()) return;
  convolution.check_room(c);
  const auto filters = static_cast<size_t>(std::max<int64_t>(convolution.filters, 1));
  const auto of = [&](size_t filter) { return scales.size() == 1 ? 0 : filter; };
  std::vector<double> a(x.ints.begin(), x.ints.end()), b(w.ints.begin(), w.ints.end()), sums(y.ints.size());
  for (double& v : a) v -= static_cast<double>(c.in(2).ints[0]);
  for (size_t i = 0; i < b.size(); ++i) b[i] -= static_cast<double>(zeros.ints[of(i / (b.size() / filters))]);
  convolution.run(a.data(), b.data(), sums.data());
  const auto places = static_cast<size_t>(elements(convolution.win.out));
  for (size_t i = 0; i < sums.size(); ++i) {
    const size_t filter = i / places % filters;
    if (c.has(8)) sums[i] += static_cast<double>(c.in(8).ints[filter]);
    const double scale = c.in(1).reals[0] * scales.reals[of(filter)];
    y.ints[i] = quantised(c.in(6).type, scale * sums[i], c.in(6).reals[0], c.in(7).ints[0], bounds(y.type));
  }
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
  const int64_t places = elements(win.out), kernel = elements(win.kernel), out_places = elements(win.in);
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

constexpr OperatorRow kRows[] = {
    {"Conv", conv},
    {"ConvInteger", conv_integer},
    {"QLinearConv", qlinear_conv},
    {"FusedConv", fused_conv, "com.microsoft"},
    {"ConvTranspose", conv_transpose},
};

}  // namespace

std::span<const OperatorRow> convolution_operators() {
  return kRows;
}

}  // namespace dws::network
