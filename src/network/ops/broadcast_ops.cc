// Operators on two and more inputs that are stretched to one shape.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "network/ops/broadcast.h"
#include "network/ops/families.h"

namespace dws::network {
namespace {

// y[i] = f(a[.], b[.]), the kind of number by `pick`.
template <class Out, class In, class F>
void zip(const Array& a, const Array& b, const std::vector<int64_t>& dims, std::vector<Out>& y,
         const std::vector<In>& x0, const std::vector<In>& x1, F f) {
  if (a.dims == b.dims) {
    for (size_t i = 0; i < y.size(); ++i) y[i] = f(x0[i], x1[i]);
    return;
  }
  Stretched p(a.dims, dims), q(b.dims, dims);
  for (size_t i = 0; i < y.size(); ++i, p.next(), q.next())
    y[i] = f(x0[static_cast<size_t>(p.at())], x1[static_cast<size_t>(q.at())]);
}

template <auto f, auto g>
void binary(Context& c) {
  const Array &a = c.in(0), &b = c.in(1);
  if (a.type != b.type)
    c.fail(text("expected two inputs of one type, got {} and {}", onnx_type_name(a.type),
                onnx_type_name(b.type)));
  Array& y = c.make(0, a.type, broadcast_dims(c));
  if (!c.computing()) return;
  if (y.real())
    zip(a, b, y.dims, y.reals, a.reals, b.reals, f);
  else
    zip(a, b, y.dims, y.ints, a.ints, b.ints, [&](int64_t p, int64_t q) { return wrap_to(y.type, g(p, q)); });
}
// Of any number of inputs, one after the other.
template <auto f, auto g, bool mean = false>
void variadic(Context& c) {
  const std::vector<int64_t> dims = broadcast_dims(c);
  Array& y = c.make(0, c.in(0).type, dims);
  for (int i = 1; i < c.count(); ++i) c.require(c.in(i).type == y.type, "expected inputs of one type");
  if (!c.computing()) return;
  for (int i = 0; i < c.count(); ++i) {
    const Array& x = c.in(i);
    Stretched at(x.dims, dims);
    for (int64_t k = 0; k < y.size(); ++k, at.next()) {
      const auto to = static_cast<size_t>(k), from = static_cast<size_t>(at.at());
      if (y.real())
        y.reals[to] = i == 0 ? x.reals[from] : f(y.reals[to], x.reals[from]);
      else
        y.ints[to] = i == 0 ? x.ints[from] : wrap_to(y.type, g(y.ints[to], x.ints[from]));
    }
  }
  if (mean)
    for (double& v : y.reals) v /= c.count();
}
template <auto f, auto g>
void compare(Context& c) {
  const Array &a = c.in(0), &b = c.in(1);
  c.require(a.real() == b.real(), "expected two inputs of one type");
  Array& y = c.make(0, OnnxType::boolean, broadcast_dims(c));
  if (!c.computing()) return;
  if (a.real())
    zip(a, b, y.dims, y.ints, a.reals, b.reals, [](double p, double q) { return int64_t{f(p, q)}; });
  else
    zip(a, b, y.dims, y.ints, a.ints, b.ints, [](int64_t p, int64_t q) { return int64_t{g(p, q)}; });
}

int64_t wrapping(int64_t a, int64_t b, uint64_t (*f)(uint64_t, uint64_t)) {
  return static_cast<int64_t>(f(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
}
int64_t add(int64_t a, int64_t b) {
  return wrapping(a, b, [](uint64_t x, uint64_t y) { return x + y; });
}
int64_t sub(int64_t a, int64_t b) {
  return wrapping(a, b, [](uint64_t x, uint64_t y) { return x - y; });
}
int64_t mul(int64_t a, int64_t b) {
  return wrapping(a, b, [](uint64_t x, uint64_t y) { return x * y; });
}
// A division by zero gives 0; runtimes differ there.
int64_t divide(int64_t a, int64_t b) {
  if (b == 0) return 0;
  return b == -1 ? sub(0, a) : a / b;
}
int64_t remainder(int64_t a, int64_t b) {
  return b == 0 || b == -1 ? 0 : a % b;
}
int64_t modulo(int64_t a, int64_t b) {
  const int64_t r = remainder(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
double smaller(double a, double b) {
  return std::isnan(a) || a < b ? a : b;
}
double larger(double a, double b) {
  return std::isnan(a) || a > b ? a : b;
}
int64_t power(int64_t a, int64_t b) {
  return static_cast<int64_t>(std::pow(static_cast<double>(a), static_cast<double>(b)));
}

void mod(Context& c) {
  if (c.node().attr_int("fmod", 0))
    binary<[](double a, double b) { return std::fmod(a, b); }, remainder>(c);
  else
    binary<[](double a, double b) { return a - b * std::floor(a / b); }, modulo>(c);
}
// The exponent may be of another type than the base.
void pow_op(Context& c) {
  const Array &a = c.in(0), &b = c.in(1);
  Array& y = c.make(0, a.type, broadcast_dims(c));
  if (!c.computing()) return;
  Stretched p(a.dims, y.dims), q(b.dims, y.dims);
  for (int64_t i = 0; i < y.size(); ++i, p.next(), q.next()) {
    const auto at = static_cast<size_t>(i), x = static_cast<size_t>(p.at()), e = static_cast<size_t>(q.at());
    const double exponent = b.real() ? b.reals[e] : static_cast<double>(b.ints[e]);
    if (y.real())
      y.reals[at] = std::pow(a.reals[x], exponent);
    else if (b.real())
      y.ints[at] = wrap_to(y.type, static_cast<int64_t>(std::pow(static_cast<double>(a.ints[x]), exponent)));
    else
      y.ints[at] = wrap_to(y.type, power(a.ints[x], b.ints[e]));
  }
}
void bit_shift(Context& c) {
  const auto shift = [](int64_t a, int64_t b, bool left) {
    const auto x = static_cast<uint64_t>(a);
    if (b < 0 || b > 63) return int64_t{0};
    return static_cast<int64_t>(left ? x << b : x >> b);
  };
  const bool left = c.node().attr_string("direction", "LEFT") == "LEFT";
  const Array &a = c.in(0), &b = c.in(1);
  c.require(!a.real() && !b.real(), "expected integers");
  Array& y = c.make(0, a.type, broadcast_dims(c));
  if (!c.computing()) return;
  zip(a, b, y.dims, y.ints, a.ints, b.ints,
      [&](int64_t p, int64_t q) { return wrap_to(y.type, shift(p, q, left)); });
}

void where(Context& c) {
  const Array &condition = c.in(0), &a = c.in(1), &b = c.in(2);
  c.require(a.type == b.type && !condition.real(), "expected a condition and two inputs of one type");
  Array& y = c.make(0, a.type, broadcast_dims(c));
  if (!c.computing()) return;
  Stretched r(condition.dims, y.dims), p(a.dims, y.dims), q(b.dims, y.dims);
  for (int64_t i = 0; i < y.size(); ++i, r.next(), p.next(), q.next()) {
    const bool first = condition.ints[static_cast<size_t>(r.at())] != 0;
    const auto from = static_cast<size_t>(first ? p.at() : q.at()), to = static_cast<size_t>(i);
    if (y.real())
      y.reals[to] = (first ? a : b).reals[from];
    else
      y.ints[to] = (first ? a : b).ints[from];
  }
}
// The slope is stretched to the input; before operator set 7 it stands along the channels.
void prelu(Context& c) {
  const Array &x = c.in(0), &slope = c.in(1);
  c.require(x.real() && slope.real(), "expected floating point numbers");
  std::vector<int64_t> stretched = slope.dims;
  if (slope.rank() == 1 && c.version() < 7 && x.rank() > 2)
    stretched.resize(static_cast<size_t>(x.rank()) - 1, 1);
  if (broadcast_dims(c, x.dims, stretched) != x.dims) c.fail("the slope is larger than the input");
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  Stretched at(stretched, x.dims);
  for (size_t i = 0; i < y.reals.size(); ++i, at.next())
    y.reals[i] = x.reals[i] < 0 ? slope.reals[static_cast<size_t>(at.at())] * x.reals[i] : x.reals[i];
}

// x + bias through an activation (com.microsoft); a bias may be left out.
double gelu(double x) {
  return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
}
double fast_gelu(double x) {
  return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}
template <double (*f)(double)>
void biased(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real(), "expected floating point numbers");
  Array& y = c.make(0, x.type, x.dims);
  const int64_t n = c.has(1) ? c.in(1).size() : 1;
  c.require(n > 0 && x.size() % n == 0, "the bias does not fit");
  if (!c.computing()) return;
  for (size_t i = 0; i < y.reals.size(); ++i)
    y.reals[i] = f(x.reals[i] + (c.has(1) ? c.in(1).reals[i % static_cast<size_t>(n)] : 0));
}

constexpr OperatorRow kRows[] = {
    {"Add", binary<[](double a, double b) { return a + b; }, add>},
    {"Sub", binary<[](double a, double b) { return a - b; }, sub>},
    {"Mul", binary<[](double a, double b) { return a * b; }, mul>},
    {"Div", binary<[](double a, double b) { return a / b; }, divide>},
    {"Mod", mod},
    {"Pow", pow_op},
    {"BitShift", bit_shift},
    {"Where", where},
    {"PRelu", prelu},
    {"Max", variadic<larger, [](int64_t a, int64_t b) { return std::max(a, b); }>},
    {"Min", variadic<smaller, [](int64_t a, int64_t b) { return std::min(a, b); }>},
    {"Sum", variadic<[](double a, double b) { return a + b; }, add>},
    {"Mean", variadic<[](double a, double b) { return a + b; }, add, true>},
    {"And", binary<[](double a, double) { return a; }, [](int64_t a, int64_t b) { return int64_t{a && b}; }>},
    {"Or", binary<[](double a, double) { return a; }, [](int64_t a, int64_t b) { return int64_t{a || b}; }>},
    {"Xor", binary<[](double a, double) { return a; }, [](int64_t a, int64_t b) { return a ^ b; }>},
    {"BitwiseAnd", binary<[](double a, double) { return a; }, [](int64_t a, int64_t b) { return a & b; }>},
    {"BitwiseOr", binary<[](double a, double) { return a; }, [](int64_t a, int64_t b) { return a | b; }>},
    {"BitwiseXor", binary<[](double a, double) { return a; }, [](int64_t a, int64_t b) { return a ^ b; }>},
    {"Equal",
     compare<[](double a, double b) { return a == b; }, [](int64_t a, int64_t b) { return a == b; }>},
    {"Less", compare<[](double a, double b) { return a < b; }, [](int64_t a, int64_t b) { return a < b; }>},
    {"LessOrEqual",
     compare<[](double a, double b) { return a <= b; }, [](int64_t a, int64_t b) { return a <= b; }>},
    {"Greater",
     compare<[](double a, double b) { return (a > b); }, [](int64_t a, int64_t b) { return (a > b); }>},
    {"GreaterOrEqual",
     compare<[](double a, double b) { return (a >= b); }, [](int64_t a, int64_t b) { return (a >= b); }>},
    {"BiasGelu", biased<gelu>, "com.microsoft"},
    {"FastGelu", biased<fast_gelu>, "com.microsoft"},
};

}  // namespace

std::span<const OperatorRow> broadcast_operators() {
  return kRows;
}

}  // namespace dws::network
