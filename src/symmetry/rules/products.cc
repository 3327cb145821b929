// Sums of products: contracted axes are joined, the others go through.
#include <algorithm>
#include <map>

#include "network/equation.h"
#include "symmetry/rules/families.h"

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;

// The axes in front of the last two, stretched to one another; those that only one has are added to `apart`.
Axes batch_axes(Discovery& d, const Node& node, const Axes& a, const Axes& b, Axes& apart) {
  const size_t n = std::max(a.size(), b.size());
  Axes batch(n);
  for (size_t k = 0; k < n; ++k) {  // from the last
    const bool in_a = k < a.size(), in_b = k < b.size();
    const FactorId x = in_a ? a[a.size() - 1 - k] : -1, y = in_b ? b[b.size() - 1 - k] : -1;
    FactorId& f = batch[n - 1 - k];
    if (!in_a || !in_b || d.factors.size(x) == 1 || d.factors.size(y) == 1)
      for (const FactorId own : {x, y})
        if (own >= 0) apart.push_back(own);
    if (!in_a || !in_b)
      f = in_a ? x : y;
    else if (d.factors.size(x) == 1)
      f = y;
    else {
      d.unify_stretched(node, x, y);
      f = x;
    }
  }
  return batch;
}

void product(Discovery& d, const Node& node, Axes a, Axes b) {
  const bool vector_a = a.size() == 1, vector_b = b.size() == 1;
  if (a.empty() || b.empty()) return d.pin_all(node);
  if (vector_a) a.insert(a.begin(), d.factors.leaf(1));
  if (vector_b) b.push_back(d.factors.leaf(1));
  d.unify(node, a.back(), b[b.size() - 2]);
  Axes apart = {a[a.size() - 2], b.back()};
  Axes out = batch_axes(d, node, {a.begin(), a.end() - 2}, {b.begin(), b.end() - 2}, apart);
  if (!vector_a) out.push_back(a[a.size() - 2]);
  if (!vector_b) out.push_back(b.back());
  d.contract(a.back(), out, apart);
  d.make(node, d.output(node, 0), out);
}
void matmul(Discovery& d, const Node& node) {
  product(d, node, d.axes(node.inputs[0]), d.axes(node.inputs[1]));
}
void fused_matmul(Discovery& d, const Node& node) {
  if (node.attr_int("transBatchA", 0) || node.attr_int("transBatchB", 0)) return d.pin_all(node);
  Axes a = d.axes(node.inputs[0]), b = d.axes(node.inputs[1]);
  if (node.attr_int("transA", 0) && a.size() > 1) std::swap(a[a.size() - 1], a[a.size() - 2]);
  if (node.attr_int("transB", 0) && b.size() > 1) std::swap(b[b.size() - 1], b[b.size() - 2]);
  product(d, node, a, b);
}

// Zero points of a row or column each; scalars give way by themselves.
void along(Discovery& d, const Node& node, size_t input, FactorId f) {
  const int value = d.input(node, input);
  if (value == kNone) return;
  for (const FactorId own : d.axes(value))
    if (d.factors.size(own) == d.factors.size(f))
      d.unify(node, own, f);
    else if (d.factors.size(own) != 1)
      d.pin(node, own);
}
void matmul_integer(Discovery& d, const Node& node) {
  const Axes a = d.axes(node.inputs[0]), b = d.axes(node.inputs[1]);
  if (a.size() >= 2) along(d, node, 2, a[a.size() - 2]);
  if (b.size() >= 2) along(d, node, 3, b.back());
  product(d, node, a, b);
}

// Inputs a, its scale and zero point, b and its, the output's.
void qlinear_matmul(Discovery& d, const Node& node) {
  if (node.inputs.size() < 8 || node.inputs[3] == kNone) return d.pin_all(node);
  const Axes a = d.axes(node.inputs[0]), b = d.axes(node.inputs[3]);
  if (a.size() < 2 || b.size() < 2) return d.pin_all(node);
  for (const size_t i : {1, 2}) along(d, node, i, a[a.size() - 2]);
  for (const size_t i : {4, 5}) along(d, node, i, b.back());
  for (const size_t i : {6, 7}) d.pin_value(node.inputs[i], d.why(node));
  product(d, node, a, b);
}

void gemm(Discovery& d, const Node& node) {
  Axes a = d.axes(node.inputs[0]), b = d.axes(node.inputs[1]);
  if (a.size() != 2 || b.size() != 2) return d.pin_all(node);
  if (node.attr_int("transA", 0)) std::swap(a[0], a[1]);
  if (node.attr_int("transB", 0)) std::swap(b[0], b[1]);
  d.unify(node, a[1], b[0]);
  const Axes out = {a[0], b[1]};
  d.contract(a[1], out, out);
  if (const int c = d.input(node, 2); c != kNone) {
    const Axes bias = d.axes(c);
    for (size_t k = 0; k < bias.size() && k < 2; ++k)
      d.unify_stretched(node, out[1 - k], bias[bias.size() - 1 - k]);
  }
  d.make(node, d.output(node, 0), out);
}

// x (.., K), W's bytes (N, blocks, bytes), scales and zero points a row of blocks for each of N, bias (N): the numbers of a block
// stay, blocks move with what is theirs where each has bytes of its own.
void matmul_nbits(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  const int w = d.input(node, 1), scales = d.input(node, 2), zeros = d.input(node, 3),
            bias = d.input(node, 5);
  if (w == kNone || scales == kNone || d.rank(w) != 3 || x.empty() || d.input(node, 4) != kNone)
    return d.pin_all(node);
  const Axes bytes = d.axes(w);
  const FactorId rows = bytes[0], blocks = bytes[1];
  const int64_t n = d.factors.size(rows), count = d.factors.size(blocks);
  d.pin(node, bytes[2]);
  const auto per_row = [&](int value, const FactorId* along) {
    const Axes own = d.axes(value);
    std::optional<std::pair<FactorId, FactorId>> halves;
    if (own.size() == 2) halves = {own[0], own[1]};
    if (own.size() == 1) halves = d.factors.divide(own[0], n);
    if (!halves || d.factors.size(halves->first) != n) return d.pin_value(value, d.why(node));
    d.unify(node, halves->first, rows);
    if (along)
      d.unify(node, halves->second, *along);
    else
      d.pin(node, halves->second);
  };
  const bool packed_zeros = zeros != kNone && !network::is_real(d.type(zeros));
  per_row(scales, &blocks);
  if (zeros != kNone) per_row(zeros, packed_zeros ? nullptr : &blocks);
  if (packed_zeros && count > 1) d.pin(node, blocks);
  if (bias != kNone && d.rank(bias) == 1) d.unify(node, rows, d.axis(bias, 0));
  const auto summed = d.factors.size(x.back()) % std::max<int64_t>(count, 1) == 0 &&
                              d.factors.size(x.back()) == count * node.attr_int("block_size", 0)
                          ? d.factors.divide(x.back(), count)
                          : std::nullopt;
  if (summed) {
    d.unify(node, summed->first, blocks);
    d.pin(node, summed->second);
  } else {
    d.pin(node, x.back());
    d.pin(node, blocks);
  }
  Axes out = x;
  out.back() = rows;
  d.contract(x.back(), out, out);
  d.make(node, d.output(node, 0), out);
}

void einsum(Discovery& d, const Node& node) {
  std::vector<int> ranks;
  for (const int input : node.inputs) ranks.push_back(d.rank(input));
  // The executor has read it when it worked out the shapes.
  const network::Equation equation = network::parse_equation(node.attr_string("equation", ""), ranks);
  std::map<int, FactorId> found;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Axes axes = d.axes(node.inputs[i]);
    for (size_t k = 0; k < axes.size(); ++k) {
      const auto [at, fresh] = found.emplace(equation.inputs[i][k], axes[k]);
      if (fresh) continue;
      if (d.factors.size(at->second) == 1)
        at->second = axes[k];
      else
        d.unify_stretched(node, at->second, axes[k]);
    }
  }
  Axes out;
  for (const int label : equation.output) out.push_back(found.at(label));
  // Whether all inputs that have a label have the other too.
  const auto together = [&](int label, int other) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      bool has = false, beside = false;
      for (size_t k = 0; k < equation.inputs[i].size(); ++k) {
        has = has || equation.inputs[i][k] == label;
        beside = beside || (equation.inputs[i][k] == other &&
                            d.factors.size(d.axis(node.inputs[i], static_cast<int>(k))) > 1);
      }
      if (has && !beside) return false;
    }
    return true;
  };
  for (const auto& [label, f] : found) {
    if (std::ranges::find(equation.output, label) != equation.output.end()) continue;
    Axes apart;
    for (const auto& [other, g] : found)
      if (other != label && !together(label, other)) apart.push_back(g);
    d.contract(f, out, apart);
  }
  d.make(node, d.output(node, 0), out);
}

constexpr RuleRow kRows[] = {
    {"MatMul", matmul},
    {"Gemm", gemm},
    {"Einsum", einsum},
    {"MatMulInteger", matmul_integer},
    {"QLinearMatMul", qlinear_matmul},
    {"FusedMatMul", fused_matmul, "com.microsoft"},
    {"MatMulNBits", matmul_nbits, "com.microsoft"},
};

}  // namespace

std::span<const RuleRow> product_rules() {
  return kRows;
}

}  // namespace dws::symmetry
