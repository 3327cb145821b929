#include "symmetry/scale_rules.h"

#include <algorithm>
#include <numbers>
#include <string_view>

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;

// The only place of the leaf in a value; kNone: there is none. `clear` becomes false where there are several.
int single(LeafScales& s, int value, bool& clear) {
  const auto& places = s.places(value);
  if (places.size() > 1) clear = false;
  return places.empty() ? kNone : places.front().unknown;
}
struct Singles {
  std::vector<int> in, out;  // unknowns, kNone where the leaf is not
  bool clear = true;
};
Singles singles(LeafScales& s, const Node& node) {
  Singles found;
  for (const int value : node.inputs) found.in.push_back(single(s, value, found.clear));
  for (const int value : node.outputs) found.out.push_back(single(s, value, found.clear));
  return found;
}

// Whatever the numbers are.
void shape_alone(LeafScales&, const Node&) {}

// Items put in, of one kind with what they are put among: replaced or added.
void scatter(LeafScales& s, const Node& node) {
  const std::string how = node.attr_string("reduction", "none");
  const Singles u = singles(s, node);
  if (!u.clear || (how != "none" && how != "add") || u.in[0] == kNone || u.in[2] == kNone)
    return s.one_all(node);
  linear_scale(s, node);
}
// Zeros beside the items stay zeros.
void pad(LeafScales& s, const Node& node) {
  const network::Array* fill = s.discovery().numbers(s.discovery().input(node, 2));
  const bool zero = node.version < 11
                        ? node.attr_float("value", 0) == 0
                        : s.discovery().input(node, 2) == kNone ||
                              (fill && fill->real() && fill->size() == 1 && fill->reals[0] == 0);
  zero || node.attr_string("mode", "constant") != "constant" ? linear_scale(s, node) : s.one_all(node);
}
void resize(LeafScales& s, const Node& node) {
  node.attr_float("extrapolation_value", 0) == 0 ? linear_scale(s, node) : s.one_all(node);
}
void cast(LeafScales& s, const Node& node) {
  const int y = node.outputs[0];
  const auto type = s.discovery().known(y) ? s.discovery().type(y) : OnnxType::i64;
  network::is_real(type) ? linear_scale(s, node) : s.one_all(node);
}
// Sums: every term must take the factor; one that does not lie along the leaf holds all at 1.
void sum(LeafScales& s, const Node& node) {
  if (std::ranges::any_of(node.inputs, [&](int value) { return s.places(value).empty(); }))
    return s.one_all(node);
  linear_scale(s, node);
}
void reduce_linear(LeafScales& s, const Node& node) {
  const Singles u = singles(s, node);
  if (u.out.empty() || u.out[0] == kNone) return s.one_all(node);
  linear_scale(s, node);
}
// f(s x) = s f(x) for s > 0.
void homogeneous(LeafScales& s, const Node& node) {
  const Singles u = singles(s, node);
  if (!u.clear || u.in[0] == kNone || u.out[0] == kNone) return s.one_all(node);
  s.positive.same(u.in[0], u.out[0]);
  s.signs.one(u.in[0]);
  s.signs.one(u.out[0]);
  for (size_t i = 1; i < u.in.size(); ++i) s.one(u.in[i]);  // slopes
}
// f(-x) = -f(x).
void odd(LeafScales& s, const Node& node) {
  const Singles u = singles(s, node);
  if (!u.clear || u.in[0] == kNone || u.out[0] == kNone) return s.one_all(node);
  s.signs.same(u.in[0], u.out[0]);
  s.positive.one(u.in[0]);
  s.positive.one(u.out[0]);
}
// f(-x) = f(x): any sign may go in, none comes out.
void even(LeafScales& s, const Node& node) {
  const Singles u = singles(s, node);
  if (!u.clear) return s.one_all(node);
  for (const int x : u.in)
    if (x != kNone) s.positive.one(x);
  for (const int y : u.out) s.one(y);
}
void power(LeafScales& s, const Node& node) {
  const network::Array* exponent = s.discovery().numbers(s.discovery().input(node, 1));
  if (exponent && exponent->size() == 1 &&
      (exponent->real() ? exponent->reals[0] == 2 : exponent->ints[0] == 2))
    return even(s, node);
  s.one_all(node);
}

bool constant(LeafScales& s, int value) {
  return s.discovery().network().constant_of(value) != nullptr;
}
void multiply(LeafScales& s, const Node& node) {
  if (node.inputs[0] == node.inputs[1]) return even(s, node);
  const Singles u = singles(s, node);
  if (!u.clear || u.out[0] == kNone) return s.one_all(node);
  if (u.in[0] == kNone) return s.same(u.out[0], u.in[1]);
  if (u.in[1] == kNone) return s.same(u.out[0], u.in[0]);
  const bool first = constant(s, node.inputs[0]);
  s.product(u.out[0], u.in[first ? 1 : 0], u.in[first ? 0 : 1], true);
}
void divide(LeafScales& s, const Node& node) {
  const Singles u = singles(s, node);
  if (!u.clear || u.out[0] == kNone) return s.one_all(node);
  if (u.in[1] == kNone) return s.same(u.out[0], u.in[0]);
  if (u.in[0] == kNone) return s.inverse(u.out[0], u.in[1]);
  s.product(u.in[0], u.out[0], u.in[1], constant(s, node.inputs[1]));
}

// Rows and columns of a product, from the last axes: y (.., m, n) = a (.., m, k) b (.., k, n).
void product(LeafScales& s, const Node& node, int a, int b, int y, bool turn_a, bool turn_b) {
  Discovery& d = s.discovery();
  const int ra = d.rank(a), rb = d.rank(b), ry = d.known(y) ? d.rank(y) : 0;
  if (ra < 2 || rb < 2 || ry < 2) return s.one_all(node);
  // Along batch axes the leaf would have to be split among three.
  for (const auto& [value, rank] : {std::pair(a, ra), std::pair(b, rb), std::pair(y, ry)})
    for (const auto& p : s.places(value))
      if (p.axis < rank - 2) return s.one_all(node);
  const auto place = [&](int value, int rank, int from_last) { return s.all_at(value, rank - from_last); };
  const auto m = place(a, ra, turn_a ? 1 : 2), k = place(a, ra, turn_a ? 2 : 1);
  const auto k2 = place(b, rb, turn_b ? 1 : 2), n = place(b, rb, turn_b ? 2 : 1);
  s.inverse(k, k2);
  s.same(m, place(y, ry, 2));
  s.same(n, place(y, ry, 1));
}
void matmul(LeafScales& s, const Node& node) {
  product(s, node, node.inputs[0], node.inputs[1], node.outputs[0], false, false);
}
void fused_matmul(LeafScales& s, const Node& node) {
  if (node.attr_int("transBatchA", 0) || node.attr_int("transBatchB", 0)) return s.one_all(node);
  product(s, node, node.inputs[0], node.inputs[1], node.outputs[0], node.attr_int("transA", 0) != 0,
          node.attr_int("transB", 0) != 0);
}
void gemm(LeafScales& s, const Node& node) {
  product(s, node, node.inputs[0], node.inputs[1], node.outputs[0], node.attr_int("transA", 0) != 0,
          node.attr_int("transB", 0) != 0);
  Discovery& d = s.discovery();
  const int c = d.input(node, 2), y = node.outputs[0];
  if (c == kNone) return;
  for (const int axis : {0, 1})
    if (const auto out = s.all_at(y, axis); !out.empty()) s.same(out, s.all_at(c, axis - 2 + d.rank(c)));
  for (const auto& p : s.places(c))
    if (s.all_at(y, p.axis + 2 - d.rank(c)).empty()) s.one(p.unknown);
}

// The leaf as channels in (held together with the weight's) or out; as groups it is in all three.
void convolution(LeafScales& s, const Node& node) {
  Discovery& d = s.discovery();
  const int x = node.inputs[0], w = node.inputs[1], y = node.outputs[0], bias = d.input(node, 2);
  const bool transposed = node.op == "ConvTranspose";
  for (const int value : {x, y})
    for (const auto& p : s.places(value))
      if (p.axis != 1) return s.one_all(node);
  for (const auto& p : s.places(w))
    if (p.axis > 1) return s.one_all(node);
  const int in = s.at(x, 1), out = s.at(y, 1);
  const int w_in = s.at(w, transposed ? 0 : 1), w_out = s.at(w, transposed ? 1 : 0);
  // Where the leaf is groups, one axis of the weight has it for both; the other has channels within a group, in or out, which
  // may be one leaf (what goes in is added to what comes out).
  const int shared = transposed ? w_in : w_out, within = transposed ? w_out : w_in;
  if (node.attr_int("group", 1) != 1 && in != kNone && out != kNone && within == kNone) {
    if (shared == kNone) return s.one_all(node);
    s.product(out, in, shared, true);
  } else {
    s.inverse(in, w_in);
    s.same(out, w_out);
  }
  if (bias != kNone) s.same(out, s.at(bias, 0));
}

// Through a rectifier a positive factor goes; through others none.
void fused_convolution(LeafScales& s, const Node& node) {
  convolution(s, node);
  Discovery& d = s.discovery();
  const std::string f = node.attr_string("activation", "");
  const int y = node.outputs[0], z = d.input(node, 3);
  for (const auto& p : s.places(y)) {
    if (f != "Relu" && f != "LeakyRelu" && !f.empty()) s.positive.one(p.unknown);
    if (!f.empty() && f != "Tanh") s.signs.one(p.unknown);
    if (z != kNone) s.same(p.unknown, s.at(z, p.axis));
  }
  if (z != kNone && s.places(y).empty())
    for (const auto& p : s.places(z)) s.one(p.unknown);
}

// What goes in is divided by statistics, and an epsilon beside them: it is held, what comes out is as its scale and bias.
void normalise(LeafScales& s, const Node& node) {
  const Singles u = singles(s, node);
  if (!u.clear) return s.one_all(node);
  for (size_t i = 0; i < u.in.size(); ++i)
    if (i != 1 && i != 2) s.one(u.in[i]);
  const int scale = u.in.size() > 1 ? u.in[1] : kNone, bias = u.in.size() > 2 ? u.in[2] : kNone;
  s.same(u.out[0], scale);
  if (node.inputs.size() > 2 && node.inputs[2] != kNone) s.same(u.out[0], bias);
  for (size_t i = 1; i < u.out.size(); ++i) s.one(u.out[i]);
}
// A channel normalised by itself: its sign goes through, and the running mean takes it too. Inputs: x, scale, bias, and of batch
// norms mean and variance.
void normalise_channel(LeafScales& s, const Node& node) {
  const Singles u = singles(s, node);
  const bool all = u.in.size() >= 3 && std::ranges::all_of(u.in, [](int x) { return x != kNone; });
  if (!u.clear || !all || u.out[0] == kNone) return s.one_all(node);
  s.positive.one(u.in[0]);
  s.product(u.out[0], u.in[0], u.in[1], true);
  s.same(u.out[0], u.in[2]);
  if (u.in.size() > 3) {
    s.positive.one(u.in[3]);
    s.signs.same(u.in[0], u.in[3]);
  }
  if (u.in.size() > 4) s.one(u.in[4]);
}
// Mean squares do not see signs.
void rms_norm(LeafScales& s, const Node& node) {
  const Singles u = singles(s, node);
  if (!u.clear || u.in.size() < 2 || u.in[0] == kNone || u.in[1] == kNone || u.out[0] == kNone)
    return s.one_all(node);
  s.positive.one(u.in[0]);
  s.product(u.out[0], u.in[0], u.in[1], true);
}

// Input and skip (and bias) are added, then normalised, their sum is the last output: held as the input of a norm is; of an
// RMS norm all take one sign.
void skip_normalise(LeafScales& s, const Node& node) {
  const bool centred = node.op == "SkipLayerNormalization";
  const Singles u = singles(s, node);
  if (!u.clear || u.in.size() < 3 || u.in[0] == kNone || u.in[1] == kNone || u.in[2] == kNone ||
      u.out[0] == kNone)
    return s.one_all(node);
  const size_t bias = centred ? 4 : 3;
  std::vector<int> added = {u.in[0], u.in[1]};
  if (s.discovery().input(node, bias) != kNone) added.push_back(u.in[bias]);
  if (s.discovery().output(node, 3) != kNone) added.push_back(u.out[3]);
  for (const int x : added) {
    if (x == kNone) return s.one_all(node);
    s.positive.one(x);
    if (centred)
      s.signs.one(x);
    else
      s.signs.same(x, added.front());
  }
  if (!centred) return s.product(u.out[0], u.in[0], u.in[2], true);
  s.same(u.out[0], u.in[2]);
  if (s.discovery().input(node, 3) != kNone) s.same(u.out[0], u.in[3]);
}

// sin(z + pi) = -sin(z): a half turn, where z has a bias of its own to be turned by.
void sine(LeafScales& s, const Node& node) {
  const Singles u = singles(s, node);
  if (!u.clear || u.in[0] == kNone || u.out[0] == kNone) return s.one_all(node);
  s.positive.one(u.in[0]);
  s.positive.one(u.out[0]);
  LeafScales::Sine found{u.in[0], u.out[0]};
  Discovery& d = s.discovery();
  double omega = 1;
  std::vector<std::pair<int, double>> shifted;
  for (int value = node.inputs[0]; value != kNone;) {
    bool one_place = true;
    shifted.emplace_back(single(s, value, one_place), std::numbers::pi / omega);
    const Node* maker = s.uses->maker(value);
    if (!maker || s.uses->readers(value) != 1) break;
    const auto number = [&](size_t i) -> const network::Array* {
      const network::Array* a = d.numbers(d.input(*maker, i));
      return a && a->real() && a->size() == 1 ? a : nullptr;
    };
    int bias = kNone;
    if (maker->op == "Mul" && (number(0) || number(1))) {
      const size_t scalar = number(1) ? 1 : 0;
      omega *= number(scalar)->reals[0];
      value = maker->inputs[1 - scalar];
      continue;
    }
    if (maker->op == "Add") bias = constant(s, maker->inputs[1]) ? maker->inputs[1] : maker->inputs[0];
    if ((maker->op == "Gemm" && maker->attr_float("beta", 1) == 1) || maker->op == "Conv")
      bias = d.input(*maker, 2);
    if (bias == kNone || !constant(s, bias) || s.uses->readers(bias) != 1 || omega == 0) break;
    bool clear = true;
    const int place = single(s, bias, clear);
    if (clear && place != kNone && d.rank(bias) >= 1)
      found = {u.in[0], u.out[0], place, std::numbers::pi / omega, std::move(shifted)};
    break;
  }
  s.sines.push_back(found);
}

using ScaleRule = void (*)(LeafScales&, const Node&);
struct Row {
  std::string_view op;
  ScaleRule rule;
  bool several = false;  // knows of several places along one axis
};
constexpr Row kRows[] = {
    {"Identity", linear_scale, true},
    {"Cast", cast},
    {"Neg", linear_scale, true},
    {"Dropout", linear_scale, true},
    {"Transpose", linear_scale, true},
    {"Reshape", linear_scale, true},
    {"Flatten", linear_scale, true},
    {"Squeeze", linear_scale, true},
    {"Unsqueeze", linear_scale, true},
    {"Concat", concat_scale, true},
    {"Split", split_scale, true},
    {"Slice", slice_scale, true},
    {"Expand", linear_scale},
    {"Tile", linear_scale},
    {"AveragePool", linear_scale},
    {"GlobalAveragePool", reduce_linear},
    {"DepthToSpace", linear_scale},
    {"SpaceToDepth", linear_scale},
    {"Gather", pick_scale},
    {"GatherND", pick_scale},
    {"ScatterND", scatter},
    {"ReverseSequence", linear_scale},
    {"GridSample", linear_scale},
    {"RoiAlign", linear_scale},
    {"Pad", pad},
    {"Resize", resize},
    {"Upsample", linear_scale},
    {"Add", sum, true},
    {"Sub", sum, true},
    {"Sum", sum, true},
    {"Mean", sum, true},
    {"ReduceSum", reduce_linear},
    {"ReduceMean", reduce_linear},
    {"Relu", homogeneous},
    {"LeakyRelu", homogeneous},
    {"PRelu", homogeneous},
    {"MaxPool", homogeneous},
    {"GlobalMaxPool", homogeneous},
    {"Tanh", odd},
    {"Sinh", odd},
    {"Asin", odd},
    {"Asinh", odd},
    {"Atan", odd},
    {"Tan", odd},
    {"Erf", odd},
    {"Softsign", odd},
    {"Cos", even},
    {"Cosh", even},
    {"Abs", even},
    {"Pow", power},
    {"ReduceL2", even},
    {"ReduceSumSquare", even},
    {"ReduceL1", even},
    {"Mul", multiply},
    {"Div", divide},
    {"MatMul", matmul, true},
    {"FusedMatMul", fused_matmul, true},
    {"MatMulNBits", matmul_nbits_scale},
    {"Attention", attention_scale, true},
    {"MultiHeadAttention", attention_scale, true},
    {"GroupQueryAttention", attention_scale, true},
    {"RotaryEmbedding", linear_scale},
    {"Gemm", gemm, true},
    {"Conv", convolution},
    {"ConvTranspose", convolution},
    {"FusedConv", fused_convolution},
    {"BatchNormalization", normalise_channel},
    {"InstanceNormalization", normalise_channel},
    {"LayerNormalization", normalise},
    {"GroupNormalization", normalise},
    {"RMSNormalization", rms_norm},
    {"SimplifiedLayerNormalization", rms_norm},
    {"SkipLayerNormalization", skip_normalise},
    {"SkipSimplifiedLayerNormalization", skip_normalise},
    {"Sin", sine},
    {"Shape", shape_alone, true},
    {"Size", shape_alone, true},
    {"If", branch_scale},
    {"Loop", round_scale},
    {"Scan", round_scale},
};

}  // namespace

Uses::Uses(const network::Network& network) : maker_(network.values.size()), readers_(network.values.size()) {
  see(network.graph);
  for (const int output : network.graph.outputs) ++readers_[static_cast<size_t>(output)];
}
void Uses::see(const network::Graph& graph) {
  for (const Node& node : graph.nodes) {
    for (const int value : node.inputs)
      if (value != kNone) ++readers_[static_cast<size_t>(value)];
    for (const int value : node.outputs)
      if (value != kNone) maker_[static_cast<size_t>(value)] = &node;
    for (const auto& [name, body] : node.bodies) {
      see(body);
      for (const int output : body.outputs) ++readers_[static_cast<size_t>(output)];
    }
  }
}

void apply_scale_rule(LeafScales& s, const Node& node) {
  for (const Row& row : kRows)
    if (row.op == node.op && (node.domain.empty() || node.domain == "com.microsoft"))
      return !row.several && s.several(node) ? s.one_all(node) : row.rule(s, node);
  s.one_all(node);
}

}  // namespace dws::symmetry
