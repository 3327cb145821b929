// Operators that treat each number of one input alone.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "network/ops/families.h"

namespace dws::network {
namespace {

// y = f(x) on real numbers.
template <auto f>
void real_unary(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real(), "expected floating point numbers");
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  for (size_t i = 0; i < y.reals.size(); ++i) y.reals[i] = f(x.reals[i]);
}
// The same on both kinds of numbers.
template <auto f, auto g>
void unary(Context& c) {
  const Array& x = c.in(0);
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  for (size_t i = 0; i < y.reals.size(); ++i) y.reals[i] = f(x.reals[i]);
  for (size_t i = 0; i < y.ints.size(); ++i) y.ints[i] = wrap_to(y.type, g(x.ints[i]));
}
// A property of each number.
template <auto f>
void test(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real(), "expected floating point numbers");
  Array& y = c.make(0, OnnxType::boolean, x.dims);
  if (!c.computing()) return;
  for (size_t i = 0; i < y.ints.size(); ++i) y.ints[i] = f(x.reals[i]);
}
// y = f(x, alpha, beta) with attributes.
template <auto f>
void with_attributes(Context& c, const char* alpha_name, double alpha_default, const char* beta_name = "",
                     double beta_default = 0) {
  const Array& x = c.in(0);
  c.require(x.real(), "expected floating point numbers");
  const double alpha = c.node().attr_float(alpha_name, alpha_default),
               beta = c.node().attr_float(beta_name, beta_default);
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  for (size_t i = 0; i < y.reals.size(); ++i) y.reals[i] = f(x.reals[i], alpha, beta);
}

double relu(double x) {
  return x > 0 ? x : x == x ? 0 : x;
}
double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}
double gelu(double x) {
  return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
}
double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}
double sign(double x) {
  return x > 0 ? 1 : x < 0 ? -1 : x;
}

void leaky_relu(Context& c) {
  with_attributes<[](double x, double a, double) { return x < 0 ? a * x : x; }>(c, "alpha", 0.01);
}
void elu(Context& c) {
  with_attributes<[](double x, double a, double) { return x < 0 ? a * std::expm1(x) : x; }>(c, "alpha", 1);
}
void celu(Context& c) {
  with_attributes<[](double x, double a, double) {
    return std::max(0.0, x) + std::min(0.0, a * std::expm1(x / a));
  }>(c, "alpha", 1);
}
void selu(Context& c) {
  with_attributes<[](double x, double a, double g) { return g * (x > 0 ? x : a * std::expm1(x)); }>(
      c, "alpha", 1.67326319217681884765625, "gamma", 1.05070102214813232421875);
}
void hard_sigmoid(Context& c) {
  with_attributes<[](double x, double a, double b) { return std::clamp(a * x + b, 0.0, 1.0); }>(
      c, "alpha", 0.2, "beta", 0.5);
}
void thresholded_relu(Context& c) {
  with_attributes<[](double x, double a, double) { return (x > a) ? x : 0.0; }>(c, "alpha", 1);
}
void shrink(Context& c) {
  with_attributes<[](double x, double lambda, double bias) {
    return x < -lambda ? x + bias : (x > lambda) ? x - bias : 0.0;
  }>(c, "lambd", 0.5, "bias", 0);
}
void swish(Context& c) {
  with_attributes<[](double x, double a, double) { return x * sigmoid(a * x); }>(c, "alpha", 1);
}
void quick_gelu(Context& c) {
  with_attributes<[](double x, double a, double) { return x * sigmoid(a * x); }>(c, "alpha", 1.702);
}
void is_inf(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real(), "expected floating point numbers");
  const bool up = c.node().attr_int("detect_positive", 1), down = c.node().attr_int("detect_negative", 1);
  Array& y = c.make(0, OnnxType::boolean, x.dims);
  if (!c.computing()) return;
  for (size_t i = 0; i < y.ints.size(); ++i)
    y.ints[i] = std::isinf(x.reals[i]) && (x.reals[i] > 0 ? up : down);
}
void any_gelu(Context& c) {
  c.node().attr_string("approximate", "none") == "tanh" ? real_unary<gelu_tanh>(c) : real_unary<gelu>(c);
}

// Bounds are attributes up to operator set 10, inputs after.
void clip(Context& c) {
  const Array& x = c.in(0);
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  const auto bound = [&](int input, double otherwise, auto pick) {
    return c.has(input) ? pick(c.in(input)) : otherwise;
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (y.real()) {
    const auto first = [&](const Array& a) {
      c.require(a.reals.size() == 1, "a bound is one number");
      return a.reals[0];
    };
    const bool attributes = c.version() < 11;
    const double low = attributes ? c.node().attr_float("min", -kInfinity) : bound(1, -kInfinity, first);
    const double high = attributes ? c.node().attr_float("max", kInfinity) : bound(2, kInfinity, first);
    for (size_t i = 0; i < y.reals.size(); ++i) y.reals[i] = std::min(std::max(x.reals[i], low), high);
    return;
  }
  for (int b : {1, 2}) c.require(!c.has(b) || c.in(b).ints.size() == 1, "a bound is one number");
  for (size_t i = 0; i < y.ints.size(); ++i) {
    int64_t v = x.ints[i];
    if (c.has(1)) v = std::max(v, c.in(1).ints[0]);
    if (c.has(2)) v = std::min(v, c.in(2).ints[0]);
    y.ints[i] = v;
  }
}

// At inference the input itself; the mask, where asked for, keeps everything.
void dropout(Context& c) {
  c.pass(0, c.in_ptr(0));
  if (!c.wants(1)) return;
  Array& mask = c.make(1, OnnxType::boolean, c.in(0).dims);
  if (c.computing()) std::ranges::fill(mask.ints, 1);
}
void identity(Context& c) {
  c.require(c.has(0), "input 0 is missing");
  c.pass(0, c.in_ptr(0));
}

constexpr OperatorRow kRows[] = {
    {"Abs", unary<[](double x) { return std::abs(x); }, [](int64_t x) { return x < 0 ? -x : x; }>},
    {"Neg", unary<[](double x) { return -x; }, [](int64_t x) { return -x; }>},
    {"Sign",
     unary<sign, [](int64_t x) { return static_cast<int64_t>((x > 0)) - static_cast<int64_t>((x < 0)); }>},
    {"Not", unary<[](double x) { return x; }, [](int64_t x) { return int64_t{x == 0}; }>},
    {"BitwiseNot", unary<[](double x) { return x; }, [](int64_t x) { return ~x; }>},
    {"Relu", unary<relu, [](int64_t x) { return std::max<int64_t>(x, 0); }>},
    {"Acos", real_unary<[](double x) { return std::acos(x); }>},
    {"Acosh", real_unary<[](double x) { return std::acosh(x); }>},
    {"Asin", real_unary<[](double x) { return std::asin(x); }>},
    {"Asinh", real_unary<[](double x) { return std::asinh(x); }>},
    {"Atan", real_unary<[](double x) { return std::atan(x); }>},
    {"Atanh", real_unary<[](double x) { return std::atanh(x); }>},
    {"Ceil", real_unary<[](double x) { return std::ceil(x); }>},
    {"Cos", real_unary<[](double x) { return std::cos(x); }>},
    {"Cosh", real_unary<[](double x) { return std::cosh(x); }>},
    {"Erf", real_unary<[](double x) { return std::erf(x); }>},
    {"Exp", real_unary<[](double x) { return std::exp(x); }>},
    {"Floor", real_unary<[](double x) { return std::floor(x); }>},
    {"Log", real_unary<[](double x) { return std::log(x); }>},
    {"Reciprocal", real_unary<[](double x) { return 1 / x; }>},
    {"Round", real_unary<[](double x) { return std::nearbyint(x); }>},  // ties to even
    {"Sin", real_unary<[](double x) { return std::sin(x); }>},
    {"Sinh", real_unary<[](double x) { return std::sinh(x); }>},
    {"Sqrt", real_unary<[](double x) { return std::sqrt(x); }>},
    {"Tan", real_unary<[](double x) { return std::tan(x); }>},
    {"Tanh", real_unary<[](double x) { return std::tanh(x); }>},
    {"Sigmoid", real_unary<sigmoid>},
    {"Softplus", real_unary<softplus>},
    {"Softsign", real_unary<[](double x) { return x / (1 + std::abs(x)); }>},
    {"Mish", real_unary<[](double x) { return x * std::tanh(softplus(x)); }>},
    {"HardSwish", real_unary<[](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }>},
    {"IsNaN", test<[](double x) { return int64_t{std::isnan(x)}; }>},
    {"IsInf", is_inf},
    {"LeakyRelu", leaky_relu},
    {"Elu", elu},
    {"Celu", celu},
    {"Selu", selu},
    {"HardSigmoid", hard_sigmoid},
    {"ThresholdedRelu", thresholded_relu},
    {"Shrink", shrink},
    {"Swish", swish},
    {"Gelu", any_gelu},
    {"Clip", clip},
    {"Dropout", dropout},
    {"Identity", identity},
    {"Gelu", real_unary<gelu>, "com.microsoft"},
    {"QuickGelu", quick_gelu, "com.microsoft"},
};

}  // namespace

std::span<const OperatorRow> elementwise_operators() {
  return kRows;
}

}  // namespace dws::network
