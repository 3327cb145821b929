// MatMul, Gemm, Einsum.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "core/error.h"
#include "core/shape.h"
#include "core/text.h"
#include "network/equation.h"
#include "network/ops/broadcast.h"
#include "network/ops/families.h"
#include "network/ops/gemm.h"

namespace dws::network {
namespace {

std::vector<double> transposed(const double* x, int64_t rows, int64_t columns) {
  std::vector<double> y(static_cast<size_t>(rows * columns));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) y[static_cast<size_t>(c * rows + r)] = x[r * columns + c];
  return y;
}

// numpy's rule: a vector is a row on the left and a column on the right, leading axes are stretched.
void product(Context& c, const Array& a, const Array& b, bool turn_a, bool turn_b, double alpha) {
  c.require(a.real() && b.real() && a.type == b.type, "expected two inputs of one floating point type");
  if (a.dims.empty() || b.dims.empty()) c.fail("expected at least one axis");
  std::vector<int64_t> da = a.dims, db = b.dims;
  const bool row = da.size() == 1, column = db.size() == 1;
  if (row) da.insert(da.begin(), 1);
  if (column) db.push_back(1);
  if (turn_a && !row) std::swap(da[da.size() - 1], da[da.size() - 2]);
  if (turn_b && !column) std::swap(db[db.size() - 1], db[db.size() - 2]);
  const int64_t m = da[da.size() - 2], k = da.back(), n = db.back();
  if (k != db[db.size() - 2])
    c.fail(text("a product of shapes {} and {}", shape_text(a.dims), shape_text(b.dims)));
  const std::vector<int64_t> batch_a(da.begin(), da.end() - 2), batch_b(db.begin(), db.end() - 2);
  const std::vector<int64_t> batch = broadcast_dims(c, batch_a, batch_b);
  std::vector<int64_t> dims = batch;
  if (!row) dims.push_back(m);
  if (!column) dims.push_back(n);
  Array& y = c.make(0, a.type, dims);
  if (!c.computing()) return;
  Stretched p(batch_a, batch), q(batch_b, batch);
  const int64_t products = elements(batch);
  for (int64_t i = 0; i < products; ++i, p.next(), q.next()) {
    const double *x = a.reals.data() + p.at() * m * k, *w = b.reals.data() + q.at() * k * n;
    std::vector<double> turned_x, turned_w;
    if (turn_a && !row) {
      turned_x = transposed(x, k, m);
      x = turned_x.data();
    }
    if (turn_b && !column) {
      turned_w = transposed(w, n, k);
      w = turned_w.data();
    }
    gemm_add(m, n, k, x, k, w, n, y.reals.data() + i * m * n, n);
  }
  if (alpha != 1)
    for (double& v : y.reals) v *= alpha;
}
void matmul(Context& c) {
  const Array &a = c.in(0), &b = c.in(1);
  if (a.real()) return product(c, a, b, false, false, 1);
  // Integers: a product of doubles is exact up to 2^53.
  c.require(!b.real() && a.type == b.type, "expected two inputs of one type");
  c.fail(ErrorKind::mismatch, "products of integers cannot be run");
}
void fused_matmul(Context& c) {
  if (c.node().attr_int("transBatchA", 0) || c.node().attr_int("transBatchB", 0))
    c.fail(ErrorKind::mismatch, "transposed batches cannot be run");
  product(c, c.in(0), c.in(1), c.node().attr_int("transA", 0), c.node().attr_int("transB", 0),
          c.node().attr_float("alpha", 1));
}

void gemm(Context& c) {
  const Array &a = c.in(0), &b = c.in(1);
  c.require(a.real() && b.real() && a.rank() == 2 && b.rank() == 2,
            "expected two matrices of floating point numbers");
  const bool turn_a = c.node().attr_int("transA", 0), turn_b = c.node().attr_int("transB", 0);
  const double alpha = c.node().attr_float("alpha", 1), beta = c.node().attr_float("beta", 1);
  const int64_t m = a.dims[turn_a ? 1 : 0], k = a.dims[turn_a ? 0 : 1], n = b.dims[turn_b ? 0 : 1];
  if (k != b.dims[turn_b ? 1 : 0])
    c.fail(text("a product of shapes {} and {}", shape_text(a.dims), shape_text(b.dims)));
  Array& y = c.make(0, a.type, {m, n});
  if (c.has(2) && broadcast_dims(c, y.dims, c.in(2).dims) != y.dims)
    c.fail(text("C has shape {}, expected one that stretches to {}", shape_text(c.in(2).dims),
                shape_text(y.dims)));
  if (!c.computing()) return;
  const std::vector<double> x = turn_a ? transposed(a.reals.data(), k, m) : std::vector<double>();
  const std::vector<double> w = turn_b ? transposed(b.reals.data(), n, k) : std::vector<double>();
  gemm_add(m, n, k, turn_a ? x.data() : a.reals.data(), k, turn_b ? w.data() : b.reals.data(), n,
           y.reals.data(), n);
  for (double& v : y.reals) v *= alpha;
  if (!c.has(2)) return;
  Stretched at(c.in(2).dims, y.dims);
  for (double& v : y.reals) {
    v += beta * c.in(2).reals[static_cast<size_t>(at.at())];
    at.next();
  }
}

// The plain definition: a loop over all labels. Slow, and the judge of faster ones.
void einsum(Context& c) {
  std::vector<int> ranks;
  for (int i = 0; i < c.count(); ++i) {
    c.require(c.in(i).real(), "expected floating point numbers");
    ranks.push_back(c.in(i).rank());
  }
  Equation equation;
  try {
    equation = parse_equation(c.node().attr_string("equation", ""), ranks);
  } catch (const Error& e) {
    c.fail(e.what());
  }
  const std::vector<std::vector<int>>& operands = equation.inputs;
  const std::vector<int>& out = equation.output;
  std::map<int, int64_t> extent;
  for (size_t o = 0; o < operands.size(); ++o)
    for (size_t k = 0; k < operands[o].size(); ++k) {
      const int64_t size = c.in(static_cast<int>(o)).dims[k];
      int64_t& e = extent.emplace(operands[o][k], 1).first->second;
      if (e != 1 && size != 1 && e != size) c.fail(text("sizes {} and {} of one label do not fit", e, size));
      if (e == 1) e = size;
    }
  std::vector<int64_t> dims;
  for (const int label : out) dims.push_back(extent[label]);
  Array& y = c.make(0, c.in(0).type, dims);
  if (!c.computing()) return;
  // All labels: the output's outside, the summed ones inside.
  std::vector<int> labels = out;
  for (const auto& [label, n] : extent)
    if (std::ranges::find(out, label) == out.end()) labels.push_back(label);
  std::vector<int64_t> all;
  for (const int label : labels) all.push_back(extent[label]);
  const int64_t total = elements(all);
  if (total > (int64_t{1} << 36)) c.fail(ErrorKind::resource_limit, "an equation of more than 2^36 terms");
  std::vector<std::vector<int64_t>> strides(operands.size(), std::vector<int64_t>(labels.size(), 0));
  for (size_t o = 0; o < operands.size(); ++o) {
    int64_t stride = 1;
    const Array& x = c.in(static_cast<int>(o));
    for (size_t k = operands[o].size(); k-- > 0;) {
      const auto at = std::ranges::find(labels, operands[o][k]) - labels.begin();
      if (x.dims[k] != 1) strides[o][static_cast<size_t>(at)] += stride;
      stride *= x.dims[k];
    }
  }
  std::vector<int64_t> index(labels.size(), 0), at(operands.size(), 0);
  const int64_t summed = y.size() > 0 ? total / y.size() : 0;
  for (int64_t i = 0; i < total; ++i) {
    double term = 1;
    for (size_t o = 0; o < operands.size(); ++o)
      term *= c.in(static_cast<int>(o)).reals[static_cast<size_t>(at[o])];
    y.reals[static_cast<size_t>(i / summed)] += term;
    for (size_t axis = labels.size(); axis-- > 0;) {
      for (size_t o = 0; o < operands.size(); ++o) at[o] += strides[o][axis];
      if (++index[axis] < all[axis]) break;
      for (size_t o = 0; o < operands.size(); ++o) at[o] -= strides[o][axis] * all[axis];
      index[axis] = 0;
    }
  }
}

// Of square matrices, by elimination with the largest pivot.
void determinant(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real() && x.rank() >= 2 && x.dims.back() == x.dims[x.dims.size() - 2],
            "expected square matrices of floating point numbers");
  const int64_t n = x.dims.back();
  Array& y = c.make(0, x.type, {x.dims.begin(), x.dims.end() - 2});
  if (!c.computing()) return;
  for (int64_t i = 0; i < y.size(); ++i) {
    std::vector<double> m(x.reals.begin() + i * n * n, x.reals.begin() + (i + 1) * n * n);
    const auto at = [&](int64_t r, int64_t k) -> double& { return m[static_cast<size_t>(r * n + k)]; };
    double product = 1;
    for (int64_t k = 0; k < n && product != 0; ++k) {
      int64_t best = k;
      for (int64_t r = k + 1; r < n; ++r)
        if (std::abs(at(r, k)) > std::abs(at(best, k))) best = r;
      if (best != k) {
        for (int64_t col = 0; col < n; ++col) std::swap(at(k, col), at(best, col));
        product = -product;
      }
      product *= at(k, k);
      for (int64_t r = k + 1; r < n && product != 0; ++r) {
        const double factor = at(r, k) / at(k, k);
        for (int64_t col = k; col < n; ++col) at(r, col) -= factor * at(k, col);
      }
    }
    y.reals[static_cast<size_t>(i)] = product;
  }
}

constexpr OperatorRow kRows[] = {
    {"MatMul", matmul},
    {"Gemm", gemm},
    {"Einsum", einsum},
    {"Det", determinant},
    {"FusedMatMul", fused_matmul, "com.microsoft"},
};

}  // namespace

std::span<const OperatorRow> product_operators() {
  return kRows;
}

}  // namespace dws::network
