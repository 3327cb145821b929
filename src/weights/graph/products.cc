// MatMul, Gemm, Einsum: of activations with parameters a linear map, of two activations attention.
#include <algorithm>

#include "core/error.h"
#include "network/equation.h"
#include "weights/graph/builder.h"

namespace dws::weights {
namespace {

using Kind = Flow::Kind;

bool context_alone(const Builder& b, const network::Array& ids) {
  bool any = false;
  for (const int64_t id : ids.ints) {
    if (id == 0) continue;
    if (!b.is_context(id)) return false;
    any = true;
  }
  return any;
}

// Inputs 0 and 1 with labels.
void product(Builder& b, const std::vector<int>& a, const std::vector<int>& c, const std::vector<int>& out) {
  Flow x = b.in(0), y = b.in(1);
  std::vector<int> lx = a, ly = c;
  size_t second = 1;
  if (x.kind != Kind::activation && y.kind != Kind::activation) {
    if (x.kind != Kind::parameters || y.kind != Kind::parameters) return;
    x = {.kind = Kind::activation,
         .ids = b.activation_of(x, false, "learned")};  // learned queries and the like
  }
  if (x.kind != Kind::activation) {
    std::swap(x, y);
    std::swap(lx, ly);
    second = 0;
  }
  Ids ids;
  if (y.kind == Kind::activation) {
    ids = attend(b, {x.ids.get(), lx}, {y.ids.get(), ly}, out);
  } else {
    if (y.kind == Kind::plain) y.ids = filled(*b.dims_in(second), 0);
    const EdgeType type = y.derived                  ? EdgeType::other
                          : context_alone(b, *x.ids) ? EdgeType::output
                                                     : EdgeType::linear;
    ids = contract(b, {x.ids.get(), lx}, {y.ids.get(), ly}, out, type, "linear");
  }
  if (!ids) return b.unknown();
  b.out(0, ids);
}

// numpy's rule, with the last two axes of either turned where asked. Labels: rows 1, summed 2, columns 3, batches below 0.
void matrices(Builder& b, bool turn_a, bool turn_b) {
  const std::vector<int64_t>*da = b.dims_in(0), *db = b.dims_in(1);
  if (!da || !db || da->empty() || db->empty()) return b.unknown();
  const auto labels = [](size_t rank, int first, int second) {
    std::vector<int> l;
    for (size_t k = 0; k + 2 < rank; ++k) l.push_back(static_cast<int>(k) + 2 - static_cast<int>(rank));
    l.insert(l.end(), {first, second});
    return l;
  };
  std::vector<int> la = da->size() == 1 ? std::vector<int>{2} : labels(da->size(), 1, 2),
                   lb = db->size() == 1 ? std::vector<int>{2} : labels(db->size(), 2, 3);
  if (turn_a && la.size() > 1) std::swap(la[la.size() - 1], la[la.size() - 2]);
  if (turn_b && lb.size() > 1) std::swap(lb[lb.size() - 1], lb[lb.size() - 2]);
  std::vector<int> out = labels(std::max({da->size(), db->size(), size_t{2}}), 1, 3);
  if (da->size() == 1) std::erase(out, 1);
  if (db->size() == 1) std::erase(out, 3);
  product(b, la, lb, out);
}
void matmul(Builder& b) {
  matrices(b, false, false);
}
void fused_matmul(Builder& b) {
  if (b.node().attr_int("transBatchA", 0) || b.node().attr_int("transBatchB", 0)) return b.unknown();
  matrices(b, b.node().attr_int("transA", 0), b.node().attr_int("transB", 0));
}
void gemm(Builder& b) {
  matrices(b, b.node().attr_int("transA", 0), b.node().attr_int("transB", 0));
  if (!b.has(2)) return;
  const Ids y = b.made(0);
  if (!y) return;
  if (b.parameters(2))
    b.attach(b.in(2).ids, y, NodeType::bias, EdgeType::bias, "linear", b.in(2).derived);
  else if (b.activation(2))
    b.out(0, b.join(y, b.in(2).ids, y->dims, EdgeType::residual, "linear"));
}

void einsum(Builder& b) {
  if (b.node().inputs.size() != 2 || !b.dims_in(0) || !b.dims_in(1)) return b.unknown();
  network::Equation e;
  try {
    e = network::parse_equation(
        b.node().attr_string("equation", ""),
        {static_cast<int>(b.dims_in(0)->size()), static_cast<int>(b.dims_in(1)->size())});
  } catch (const Error&) {
    return b.unknown();
  }
  product(b, e.inputs[0], e.inputs[1], e.output);
}

constexpr GraphRuleRow kRows[] = {
    {"MatMul", matmul},
    {"MatMulInteger", matmul},
    {"Gemm", gemm},
    {"Einsum", einsum},
    {"FusedMatMul", fused_matmul, "com.microsoft"},
};

}  // namespace

std::span<const GraphRuleRow> graph_product_rules() {
  return kRows;
}

}  // namespace dws::weights
