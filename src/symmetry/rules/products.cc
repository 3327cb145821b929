// Sums of products: contracted axes are joined, the others go through.
#include <algorithm>
#include <map>

#include "symmetry/rules/families.h"

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;

// The axes in front of the last two, stretched to one another.
Axes batch_axes(Discovery& d, const Node& node, const Axes& a, const Axes& b) {
  const size_t n = std::max(a.size(), b.size());
  Axes batch(n);
  for (size_t k = 0; k < n; ++k) {  // from the last
    const bool in_a = k < a.size(), in_b = k < b.size();
    const FactorId x = in_a ? a[a.size() - 1 - k] : -1, y = in_b ? b[b.size() - 1 - k] : -1;
    FactorId& f = batch[n - 1 - k];
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
  Axes out = batch_axes(d, node, {a.begin(), a.end() - 2}, {b.begin(), b.end() - 2});
  if (!vector_a) out.push_back(a[a.size() - 2]);
  if (!vector_b) out.push_back(b.back());
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

void gemm(Discovery& d, const Node& node) {
  Axes a = d.axes(node.inputs[0]), b = d.axes(node.inputs[1]);
  if (a.size() != 2 || b.size() != 2) return d.pin_all(node);
  if (node.attr_int("transA", 0)) std::swap(a[0], a[1]);
  if (node.attr_int("transB", 0)) std::swap(b[0], b[1]);
  d.unify(node, a[1], b[0]);
  const Axes out = {a[0], b[1]};
  if (const int c = d.input(node, 2); c != kNone) {
    const Axes bias = d.axes(c);
    for (size_t k = 0; k < bias.size() && k < 2; ++k)
      d.unify_stretched(node, out[1 - k], bias[bias.size() - 1 - k]);
  }
  d.make(node, d.output(node, 0), out);
}

// Labels of one operand of an equation; axes under an ellipsis get labels of their own, counted from the last.
std::vector<int> labels_of(std::string_view part, int rank) {
  const auto letters = static_cast<int>(std::ranges::count_if(part, [](char c) { return c != '.'; }));
  std::vector<int> labels;
  bool dots = false;
  for (const char c : part) {
    if (c != '.')
      labels.push_back(c);
    else if (!dots) {
      dots = true;
      for (int k = rank - letters; k > 0; --k) labels.push_back(-k);
    }
  }
  return labels;
}

void einsum(Discovery& d, const Node& node) {
  std::string equation = node.attr_string("equation", "");
  std::erase(equation, ' ');
  const size_t arrow = equation.find("->");
  std::string_view left = std::string_view(equation).substr(0, arrow);
  std::map<int, FactorId> found;
  std::map<int, int> times;
  size_t input = 0;
  int widest = 0;
  while (true) {
    const size_t comma = left.find(',');
    const std::string_view part = left.substr(0, comma);
    if (input >= node.inputs.size()) return d.pin_all(node);
    const Axes axes = d.axes(node.inputs[input++]);
    const std::vector<int> labels = labels_of(part, static_cast<int>(axes.size()));
    if (labels.size() != axes.size()) return d.pin_all(node);
    for (size_t k = 0; k < axes.size(); ++k) {
      widest = std::max(widest, -labels[k]);
      ++times[labels[k]];
      const auto [at, fresh] = found.emplace(labels[k], axes[k]);
      if (fresh) continue;
      if (d.factors.size(at->second) == 1)
        at->second = axes[k];
      else
        d.unify_stretched(node, at->second, axes[k]);
    }
    if (comma == std::string_view::npos) break;
    left.remove_prefix(comma + 1);
  }
  std::vector<int> out;
  if (arrow != std::string::npos) {
    const std::string_view right = std::string_view(equation).substr(arrow + 2);
    const auto letters = static_cast<int>(std::ranges::count_if(right, [](char c) { return c != '.'; }));
    out = labels_of(right, letters + (right.find('.') == std::string_view::npos ? 0 : widest));
  } else {  // letters used once, in alphabetical order, behind the ellipsis
    for (int k = widest; k > 0; --k) out.push_back(-k);
    for (const auto& [label, n] : times)
      if (label > 0 && n == 1) out.push_back(label);
  }
  Axes axes;
  for (const int label : out) {
    const auto at = found.find(label);
    if (at == found.end()) return d.pin_all(node);
    axes.push_back(at->second);
  }
  d.make(node, d.output(node, 0), axes);
}

constexpr RuleRow kRows[] = {
    {"MatMul", matmul},
    {"Gemm", gemm},
    {"Einsum", einsum},
    {"MatMulInteger", matmul_integer},
    {"FusedMatMul", fused_matmul, "com.microsoft"},
};

}  // namespace

std::span<const RuleRow> product_rules() {
  return kRows;
}

}  // namespace dws::symmetry
