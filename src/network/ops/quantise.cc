// Quantised numbers and their products.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "network/ops/broadcast.h"
#include "network/ops/families.h"
#include "network/ops/quantised.h"

namespace dws::network {

Bounds bounds(OnnxType type) {
  const int bits = onnx_type_bits(type);
  const bool is_signed = type == OnnxType::i8 || type == OnnxType::i16 || type == OnnxType::i32 ||
                         type == OnnxType::i4 || type == OnnxType::i2;
  if (is_signed) return {-(int64_t{1} << (bits - 1)), (int64_t{1} << (bits - 1)) - 1};
  return {0, (int64_t{1} << bits) - 1};
}
int64_t quantised(OnnxType type, double x, double scale, int64_t zero, Bounds b) {
  const double v = std::nearbyint(round_to(type, x / scale)) + static_cast<double>(zero);
  return static_cast<int64_t>(
      std::clamp(v == v ? v : 0.0, static_cast<double>(b.low), static_cast<double>(b.high)));
}

namespace {

// Which scale a number has: one for all, one along an axis, or one for a block along it.
class Scales {
 public:
  Scales(const Context& c, const Array& x, const Array& scale) {
    if (scale.size() == 1) return;
    const int axis = c.axis(c.node().attr_int("axis", 1), x.rank());
    const int64_t block = c.node().attr_int("block_size", 0);
    for (int a = x.rank() - 1; a > axis; --a) inner_ *= x.dims[static_cast<size_t>(a)];
    n_ = x.dims[static_cast<size_t>(axis)];
    block_ = std::max<int64_t>(block, 1);
    blocked_ = block > 0;
    groups_ = (n_ + block_ - 1) / block_;
    const int64_t expected = blocked_ ? x.size() / std::max<int64_t>(n_, 1) * groups_ : n_;
    if (scale.size() != expected) c.fail(text("scale: expected {} numbers, got {}", expected, scale.size()));
  }
  size_t at(int64_t i) const noexcept {
    const int64_t along = i / inner_ % n_;
    return static_cast<size_t>(blocked_ ? (i / (inner_ * n_) * groups_ + along / block_) * inner_ + i % inner_
                               : n_ == 1 ? 0
                                         : along);
  }

 private:
  int64_t inner_ = 1, n_ = 1, block_ = 1, groups_ = 1;
  bool blocked_ = false;
};

void check_zero_point(const Context& c, int input, const Array& scale) {
  if (c.has(input))
    c.require(!c.in(input).real() && c.in(input).size() == scale.size(),
              "zero point: as many numbers as scales");
}
int64_t zero_at(const Context& c, int input, size_t at) {
  return c.has(input) ? c.in(input).ints[at] : 0;
}

void dequantize_linear(Context& c) {
  const Array &x = c.in(0), &scale = c.in(1);
  c.require(!x.real() && scale.real(), "expected integers and a scale");
  const Scales scales(c, x, scale);
  check_zero_point(c, 2, scale);
  Array& y = c.make(0, scale.type, x.dims);
  if (!c.computing()) return;
  for (int64_t i = 0; i < y.size(); ++i) {
    const size_t s = scales.at(i);
    y.reals[static_cast<size_t>(i)] =
        static_cast<double>(x.ints[static_cast<size_t>(i)] - zero_at(c, 2, s)) * scale.reals[s];
  }
}
void quantize_linear(Context& c) {
  const Array &x = c.in(0), &scale = c.in(1);
  c.require(scale.real() && x.real(), "expected floating point numbers and a scale");
  const Scales scales(c, x, scale);
  check_zero_point(c, 2, scale);
  const OnnxType type = c.has(2) ? c.in(2).type : OnnxType::u8;
  Array& y = c.make(0, type, x.dims);
  if (!c.computing()) return;
  const Bounds b = bounds(type);
  for (int64_t i = 0; i < y.size(); ++i) {
    const size_t s = scales.at(i);
    y.ints[static_cast<size_t>(i)] =
        quantised(x.type, x.reals[static_cast<size_t>(i)], scale.reals[s], zero_at(c, 2, s), b);
  }
}
// One scale for all numbers, so that 0 and the extremes are held by 8 bits.
void dynamic_quantize_linear(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real(), "expected floating point numbers");
  Array& y = c.make(0, OnnxType::u8, x.dims);
  Array& scale = c.make(1, x.type, {});
  Array& zero = c.make(2, OnnxType::u8, {});
  if (!c.computing()) return;
  double low = 0, high = 0;
  for (const double v : x.reals) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  const double s = round_to(x.type, high > low ? (high - low) / 255 : 1);
  scale.reals[0] = s;
  zero.ints[0] = quantised(x.type, -low, s, 0, {0, 255});
  for (size_t i = 0; i < y.ints.size(); ++i)
    y.ints[i] = quantised(x.type, x.reals[i], s, zero.ints[0], {0, 255});
}

// Integers y (.., m, n) of a (.., m, k) and b (.., k, n), whose batches are stretched to one another.
struct Matrices {
  const Array &a, &b;
  int64_t m = 0, k = 0, n = 0;
  std::vector<int64_t> batch_a, batch_b, batch, dims;

  Matrices(const Context& c, const Array& left, const Array& right) : a(left), b(right) {
    c.require(!a.real() && !b.real() && a.rank() >= 2 && b.rank() >= 2, "expected two matrices of integers");
    m = a.dims[a.dims.size() - 2];
    k = a.dims.back();
    n = b.dims.back();
    c.require(b.dims[b.dims.size() - 2] == k, "the shapes do not fit");
    batch_a.assign(a.dims.begin(), a.dims.end() - 2);
    batch_b.assign(b.dims.begin(), b.dims.end() - 2);
    batch = broadcast_dims(c, batch_a, batch_b);
    dims = batch;
    dims.insert(dims.end(), {m, n});
  }
  // set(place in y, sum over the k of term(a's integer, its row, b's integer, its column))
  template <class Number, class Term, class Set>
  void run(const Term& term, const Set& set) const {
    Stretched p(batch_a, batch), q(batch_b, batch);
    const int64_t products = elements(batch);
    size_t to = 0;
    for (int64_t i = 0; i < products; ++i, p.next(), q.next())
      for (int64_t r = 0; r < m; ++r)
        for (int64_t col = 0; col < n; ++col) {
          Number sum = 0;
          for (int64_t t = 0; t < k; ++t)
            sum += term(a.ints[static_cast<size_t>((p.at() * m + r) * k + t)], r,
                        b.ints[static_cast<size_t>((q.at() * k + t) * n + col)], col);
          set(to++, sum);
        }
  }
};

void matmul_integer(Context& c) {
  const Array &a = c.in(0), &b = c.in(1);
  const Matrices of(c, a, b);
  for (const auto& [input, size] : {std::pair(2, of.m), std::pair(3, of.n)})
    if (c.has(input))
      c.require(!c.in(input).real() && (c.in(input).size() == 1 || c.in(input).size() == size),
                "zero points do not fit");
  Array& y = c.make(0, OnnxType::i32, of.dims);
  if (!c.computing()) return;
  const auto zero = [&](int input, int64_t at) {
    return c.has(input) ? c.in(input).ints[c.in(input).size() == 1 ? 0 : static_cast<size_t>(at)] : 0;
  };
  of.run<int64_t>(
      [&](int64_t p, int64_t row, int64_t q, int64_t col) { return (p - zero(2, row)) * (q - zero(3, col)); },
      [&](size_t to, int64_t sum) { y.ints[to] = wrap_to(OnnxType::i32, sum); });
}

// One scale and zero point for all, or one for each item of an axis of `size`.
struct Affine {
  const Array &scale, &zero;
  Affine(const Context& c, int scale_input, int zero_input, int64_t size)
      : scale(c.in(scale_input)), zero(c.in(zero_input)) {
    c.require(scale.real() && !zero.real() && zero.size() == scale.size() &&
                  (scale.size() == 1 || scale.size() == size),
              "a scale or zero point does not fit");
  }
  double value(int64_t q, int64_t item) const {
    const auto at = static_cast<size_t>(scale.size() == 1 ? 0 : item);
    return scale.reals[at] * static_cast<double>(q - zero.ints[at]);
  }
};
// y (.., m, n) = a (.., m, k) b (.., k, n), all quantised. Inputs: a, its scale and zero point, b and its, y's.
void qlinear_matmul(Context& c) {
  const Array &a = c.in(0), &b = c.in(3);
  const Matrices of(c, a, b);
  const Affine of_a(c, 1, 2, of.m), of_b(c, 4, 5, of.n), of_y(c, 6, 7, 1);
  Array& y = c.make(0, of_y.zero.type, of.dims);
  if (!c.computing()) return;
  const Bounds limits = bounds(y.type);
  of.run<double>(
      [&](int64_t p, int64_t row, int64_t q, int64_t col) { return of_a.value(p, row) * of_b.value(q, col); },
      [&](size_t to, double sum) {
        y.ints[to] = quantised(of_y.scale.type, sum, of_y.scale.reals[0], of_y.zero.ints[0], limits);
      });
}
// c = a + b or a b, each with a scale and zero point of its own (com.microsoft).
template <auto f>
void qlinear_binary(Context& c) {
  const Array &a = c.in(0), &b = c.in(3);
  c.require(!a.real() && !b.real(), "expected integers");
  const Affine of_a(c, 1, 2, 1), of_b(c, 4, 5, 1), of_y(c, 6, 7, 1);
  Array& y = c.make(0, a.type, broadcast_dims(c, a.dims, b.dims));
  if (!c.computing()) return;
  const Bounds limits = bounds(y.type);
  Stretched p(a.dims, y.dims), q(b.dims, y.dims);
  for (size_t i = 0; i < y.ints.size(); ++i, p.next(), q.next())
    y.ints[i] = quantised(of_y.scale.type,
                          f(of_a.value(a.ints[static_cast<size_t>(p.at())], 0),
                            of_b.value(b.ints[static_cast<size_t>(q.at())], 0)),
                          of_y.scale.reals[0], of_y.zero.ints[0], limits);
}

constexpr OperatorRow kRows[] = {
    {"DequantizeLinear", dequantize_linear},
    {"QuantizeLinear", quantize_linear},
    {"DynamicQuantizeLinear", dynamic_quantize_linear},
    {"MatMulInteger", matmul_integer},
    {"QLinearMatMul", qlinear_matmul},
    {"QLinearAdd", qlinear_binary<[](double a, double b) { return a + b; }>, "com.microsoft"},
    {"QLinearMul", qlinear_binary<[](double a, double b) { return a * b; }>, "com.microsoft"},
};

}  // namespace

std::span<const OperatorRow> quantise_operators() {
  return kRows;
}

}  // namespace dws::network
