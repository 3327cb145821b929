// Operators on each number by itself: activations, sums and products with parameters and with one another.
#include <algorithm>
#include <numeric>

#include "weights/graph/builder.h"

namespace dws::weights {
namespace {

using Kind = Flow::Kind;

// Parameters through arithmetic stay themselves, one for each number, where the shape allows.
void derive(Builder& b, std::initializer_list<size_t> inputs) {
  const std::vector<int64_t>& to = *b.dims_out(0);
  for (const size_t i : inputs)
    if (b.parameters(i) && b.in(i).ids->dims == to)
      return b.out(0, {.kind = Kind::parameters, .ids = b.in(i).ids, .derived = true});
}

void unary(Builder& b) {
  if (b.parameters(0)) return derive(b, {0});
  b.out(0, b.in(0));
}
void activated(Builder& b) {
  if (b.activation(0)) {
    b.activate(b.in(0).ids, b.node().op == "FastGelu" ? "Gelu" : b.node().op);
    b.layer("activation");
  }
  unary(b);
}
void bias_gelu(Builder& b) {
  if (b.activation(0) && b.parameters(1))
    b.attach(b.in(1).ids, b.in(0).ids, NodeType::bias, EdgeType::bias, "bias", b.in(1).derived);
  activated(b);
}

struct With {  // what an operator does with parameters and with other activations
  NodeType node;
  EdgeType parameter;
  const char* kind;
  EdgeType pair;
  const char* pair_kind;
};
constexpr With kSum{NodeType::bias, EdgeType::bias, "bias", EdgeType::residual, "residual"};
constexpr With kBeta{NodeType::beta, EdgeType::beta, "beta", EdgeType::residual, "residual"};
constexpr With kProduct{NodeType::gamma, EdgeType::gamma, "gamma", EdgeType::gate, "gate"};
constexpr With kSlope{NodeType::slope, EdgeType::slope, "slope", EdgeType::gate, "gate"};
constexpr With kChoice{NodeType::parameter, EdgeType::other, "other", EdgeType::residual, "residual"};
constexpr With kOther{NodeType::parameter, EdgeType::other, "other", EdgeType::gate, "gate"};

// One number for each feature made out of one: a product in which nothing is summed.
bool widened(Builder& b, size_t x, size_t w) {
  const std::vector<int64_t>&a = b.in(x).ids->dims, &f = b.in(w).ids->dims, &to = *b.dims_out(0);
  if (to.empty() || f.empty() || to.back() < 2 || f.back() != to.back() || (!a.empty() && a.back() != 1))
    return false;
  std::vector<int> all(to.size());
  std::iota(all.begin(), all.end(), 0);
  const auto last = [&](size_t rank) {
    return std::vector<int>(all.end() - static_cast<std::ptrdiff_t>(rank), all.end());
  };
  b.out(0, contract(b, {b.in(x).ids.get(), last(a.size())}, {b.in(w).ids.get(), last(f.size())}, all,
                    EdgeType::linear, "linear"));
  return true;
}

void combine(Builder& b, size_t first, size_t last, const With& with) {
  const std::vector<int64_t>& to = *b.dims_out(0);
  std::vector<size_t> activations, parameters;
  for (size_t i = first; i < last; ++i) {
    if (b.activation(i)) activations.push_back(i);
    if (b.parameters(i)) parameters.push_back(i);
  }
  if (activations.empty()) {
    for (const size_t i : parameters)
      if (b.in(i).ids->dims == to)
        return b.out(0, {.kind = Kind::parameters, .ids = b.in(i).ids, .derived = true});
    return;
  }
  const bool product = with.pair == EdgeType::gate;
  if (product && with.parameter == EdgeType::gamma && activations.size() == 1 && parameters.size() == 1 &&
      widened(b, activations[0], parameters[0]))
    return;
  Flow flow = b.in(activations[0]);
  bool same = activations.size() > 1;
  for (size_t k = 1; k < activations.size(); ++k) {
    const Ids& other = b.in(activations[k]).ids;
    same = same && flow.ids->ints == other->ints;
    flow.ids = b.join(flow.ids, other, to, with.pair, with.pair_kind);
  }
  flow.ids = stretched(flow.ids, to);
  if (same && product) b.activate(flow.ids, "*");
  if (activations.size() > 1 && !product) b.mark_context(flow.ids, false);
  const bool beta = with.parameter == EdgeType::bias && flow.scaled;
  flow.scaled = false;
  for (const size_t i : parameters) {
    const With& how = beta ? kBeta : with;
    b.attach(b.in(i).ids, flow.ids, how.node, how.parameter, how.kind, b.in(i).derived);
    if (with.parameter == EdgeType::gamma && b.in(i).ids->size() > 1) flow.scaled = true;
  }
  b.out(0, flow);
}
template <const With& with>
void binary(Builder& b) {
  combine(b, 0, b.node().inputs.size(), with);
}
void where(Builder& b) {
  combine(b, 1, 3, kChoice);
}
void prelu(Builder& b) {
  if (b.activation(0)) b.activate(b.in(0).ids, "PRelu");
  combine(b, 0, 2, kSlope);
}
void dequantize(Builder& b) {
  b.out(0, b.in(0));  // the integers are the parameters; scales and zero points are `other`
}

constexpr GraphRuleRow kRows[] = {
    {"Abs", unary},
    {"Neg", unary},
    {"Sign", unary},
    {"Not", unary},
    {"BitwiseNot", unary},
    {"Ceil", unary},
    {"Floor", unary},
    {"Round", unary},
    {"Sqrt", unary},
    {"Reciprocal", unary},
    {"IsNaN", unary},
    {"IsInf", unary},
    {"LpNormalization", unary},
    {"LRN", unary},
    {"QuantizeLinear", unary},
    {"DynamicQuantizeLinear", unary},
    {"DequantizeLinear", dequantize},
    {"Relu", activated},
    {"Acos", activated},
    {"Acosh", activated},
    {"Asin", activated},
    {"Asinh", activated},
    {"Atan", activated},
    {"Atanh", activated},
    {"Cos", activated},
    {"Cosh", activated},
    {"Erf", activated},
    {"Exp", activated},
    {"Log", activated},
    {"Sin", activated},
    {"Sinh", activated},
    {"Tan", activated},
    {"Tanh", activated},
    {"Sigmoid", activated},
    {"Softplus", activated},
    {"Softsign", activated},
    {"Mish", activated},
    {"HardSwish", activated},
    {"LeakyRelu", activated},
    {"Elu", activated},
    {"Celu", activated},
    {"Selu", activated},
    {"HardSigmoid", activated},
    {"ThresholdedRelu", activated},
    {"Shrink", activated},
    {"Swish", activated},
    {"Gelu", activated},
    {"Clip", activated},
    {"Softmax", activated},
    {"LogSoftmax", activated},
    {"Hardmax", activated},
    {"Gelu", activated, "com.microsoft"},
    {"QuickGelu", activated, "com.microsoft"},
    {"BiasGelu", bias_gelu, "com.microsoft"},
    {"FastGelu", bias_gelu, "com.microsoft"},
    {"Add", binary<kSum>},
    {"Sub", binary<kSum>},
    {"Sum", binary<kSum>},
    {"Mean", binary<kSum>},
    {"Max", binary<kChoice>},
    {"Min", binary<kChoice>},
    {"Where", where},
    {"Mul", binary<kProduct>},
    {"Div", binary<kProduct>},
    {"PRelu", prelu},
    {"Pow", binary<kOther>},
    {"Mod", binary<kOther>},
    {"BitShift", binary<kOther>},
    {"And", binary<kOther>},
    {"Or", binary<kOther>},
    {"Xor", binary<kOther>},
    {"BitwiseAnd", binary<kOther>},
    {"BitwiseOr", binary<kOther>},
    {"BitwiseXor", binary<kOther>},
    {"Equal", binary<kOther>},
    {"Less", binary<kOther>},
    {"LessOrEqual", binary<kOther>},
    {"Greater", binary<kOther>},
    {"GreaterOrEqual", binary<kOther>},
};

}  // namespace

std::span<const GraphRuleRow> graph_elementwise_rules() {
  return kRows;
}

}  // namespace dws::weights
