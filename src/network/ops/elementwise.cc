// Operators that treat each element alone, of one input or of several stretched to one shape.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "network/ops/broadcast.h"
#include "network/ops/families.h"

namespace dws::network {
namespace {

// y = f(x), real numbers only.
template <double (*f)(double)>
void real_unary(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real(), "expected floating point numbers");
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  for (size_t i = 0; i < y.reals.size(); ++i) y.reals[i] = f(x.reals[i]);
}

// y = f(a, b) on both kinds of numbers, each kind with its own f.
template <double (*f)(double, double), int64_t (*g)(int64_t, int64_t)>
void binary(Context& c) {
  const Array &a = c.in(0), &b = c.in(1);
  c.require(a.type == b.type, "expected two inputs of one type");
  Array& y = c.make(0, a.type, broadcast_dims(c));
  if (!c.computing()) return;
  Stretched ia(a.dims, y.dims), ib(b.dims, y.dims);
  for (int64_t i = 0; i < y.size(); ++i, ia.next(), ib.next()) {
    const auto at = static_cast<size_t>(i), p = static_cast<size_t>(ia.at()),
               q = static_cast<size_t>(ib.at());
    if (y.real())
      y.reals[at] = f(a.reals[p], b.reals[q]);
    else
      y.ints[at] = wrap_to(y.type, g(a.ints[p], b.ints[q]));
  }
}

double relu(double x) {
  return x > 0 ? x : x == x ? 0 : x;
}
double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
double add(double a, double b) {
  return a + b;
}
int64_t add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

constexpr OperatorRow kRows[] = {
    {"Relu", real_unary<relu>},
    {"Sigmoid", real_unary<sigmoid>},
    {"Tanh", real_unary<std::tanh>},
    {"Add", binary<add, add>},
};

}  // namespace

std::span<const OperatorRow> elementwise_operators() {
  return kRows;
}

}  // namespace dws::network
