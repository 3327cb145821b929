#include "align/stream_rules.h"

#include <algorithm>

#include "core/text.h"

namespace dws::align {
namespace {

using network::kNone;
using network::Node;

int input(const Node& node, size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : kNone;
}
int wrapped(int64_t axis, int rank) {
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}
int64_t before(const std::vector<int64_t>& dims, int axis) {
  int64_t product = 1;
  for (int a = 0; a < axis; ++a) product *= dims[static_cast<size_t>(a)];
  return product;
}

// The axes that a sum or mean is over; none where they are not known.
std::optional<std::vector<int64_t>> axes_of(const StreamWalk& w, const Node& node) {
  return input(node, 1) != kNone ? w.ints(input(node, 1)) : node.attr_ints("axes");
}
bool sums_axis(const StreamWalk& w, const Node& node, int rank, int axis) {
  const auto axes = axes_of(w, node);
  return axes && std::ranges::any_of(*axes, [&](int64_t a) { return wrapped(a, rank) == axis; });
}

void same(StreamWalk& w, const Node& node) {
  const int x = node.inputs[0], y = node.outputs[0];
  if (w.in(x)) w.mark(node, y, w.axis(x));
  if (w.in(y)) w.mark(node, x, w.axis(y));
}

// x * x, x^2, and sums of them.
void square(StreamWalk& w, const Node& node) {
  const int x = node.inputs[0], y = node.outputs[0];
  if (std::ranges::none_of(node.inputs, [&](int v) { return w.in(v); }) && !w.in(y)) return;
  if (!w.in(x) || w.in(y) || !w.is_square(node)) return w.refuse(node, "is not linear along the features");
  if (node.op == "Mul" || node.op == "Pow") return w.mark_squares(node, y, w.axis(x));
  if (!sums_axis(w, node, w.rank(x), w.axis(x))) w.refuse(node, "keeps squares of features apart");
}

// How far from the end the stream's axis is in any of the values; -1 where it is in none.
int from_end(const StreamWalk& w, const std::vector<int>& values) {
  for (const int v : values)
    if (w.in(v)) return w.rank(v) - w.axis(v);
  return -1;
}
bool has_width(const StreamWalk& w, int value, int end) {
  return w.rank(value) >= end && w.dims(value)[static_cast<size_t>(w.rank(value) - end)] == w.width();
}

void sum(StreamWalk& w, const Node& node) {
  std::vector<int> all = node.inputs;
  all.push_back(node.outputs[0]);
  const int end = from_end(w, all);
  if (end < 0) return;
  for (const int v : all) {
    if (!w.known(v)) return w.refuse(node, "has a shape that is not known");
    // One number for all features: a mean that is taken away, for one.
    if (!has_width(w, v, end))
      w.keep_ones();
    else
      w.mark(node, v, w.rank(v) - end);
  }
}
// By numbers that do not differ along the stream; or by a norm's scale, which is seen to by who asks.
void scaled(StreamWalk& w, const Node& node) {
  if (w.is_square(node)) return square(w, node);
  const std::vector<int> all = {node.inputs[0], node.inputs[1], node.outputs[0]};
  const int end = from_end(w, all);
  if (end < 0) return;
  for (const int v : all)
    if (!w.known(v)) return w.refuse(node, "has a shape that is not known");
  const int gain = w.gain_input(node);
  const bool first = gain != 0 && has_width(w, node.inputs[0], end),
             second = gain != 1 && has_width(w, node.inputs[1], end);
  if (first && second) return w.refuse(node, "multiplies each feature by a number of its own");
  if (!first && !second) return w.refuse(node, "repeats one number for all features");
  if (second && node.op == "Div") return w.refuse(node, "divides by the stream");
  const int stream = node.inputs[first ? 0 : 1];
  w.mark(node, stream, w.rank(stream) - end);
  w.mark(node, node.outputs[0], w.rank(node.outputs[0]) - end);
}

// left (.., rows, inner) times right (.., inner, columns); axes as they lie in the values.
struct Product {
  int left_rows, left_inner, right_inner, right_columns, out_rows, out_columns;
};
std::optional<Product> product_of(const StreamWalk& w, const Node& node) {
  const int a = node.inputs[0], b = node.inputs[1], y = node.outputs[0];
  if (!w.known(a) || !w.known(b) || !w.known(y) || w.rank(a) < 2 || w.rank(b) < 2) return {};
  const int ra = w.rank(a), rb = w.rank(b), ry = w.rank(y);
  if (node.op == "MatMul") return Product{ra - 2, ra - 1, rb - 2, rb - 1, ry - 2, ry - 1};
  const bool ta = node.attr_int("transA", 0) != 0, tb = node.attr_int("transB", 0) != 0;
  return Product{ta ? 1 : 0, ta ? 0 : 1, tb ? 1 : 0, tb ? 0 : 1, 0, 1};
}
void multiply(StreamWalk& w, const Node& node) {
  std::vector<int> all = {node.inputs[0], node.inputs[1], node.outputs[0]};
  const int bias = node.op == "Gemm" ? input(node, 2) : kNone;
  if (bias != kNone) all.push_back(bias);
  if (from_end(w, all) < 0) return;
  const auto p = product_of(w, node);
  if (!p) return w.refuse(node, "has operands that are no matrices");
  const int a = node.inputs[0], b = node.inputs[1], y = node.outputs[0];
  const auto pair = [&](int v, int axis, int other, int to) {
    if (w.in(v) && w.axis(v) == axis) w.mark(node, other, to);
    if (w.in(other) && w.axis(other) == to) w.mark(node, v, axis);
  };
  pair(a, p->left_inner, b, p->right_inner);
  pair(b, p->right_columns, y, p->out_columns);
  pair(a, p->left_rows, y, p->out_rows);
  if (bias != kNone && (w.in(bias) || w.in(y))) {
    if (!w.known(bias)) return w.refuse(node, "has a shape that is not known");
    const int end = w.in(y) ? w.rank(y) - w.axis(y) : w.rank(bias) - w.axis(bias);
    if (!has_width(w, bias, end)) return w.refuse(node, "adds one number to all features");
    w.mark(node, bias, w.rank(bias) - end);
    w.mark(node, y, w.rank(y) - end);
  }
  for (const int v : {a, b, y}) {
    const int axis = w.in(v) ? w.axis(v) : -1;
    const bool batch = axis >= 0 && axis < w.rank(v) - 2;
    if (batch) w.refuse(node, "has the stream as a batch");
  }
}

void gather(StreamWalk& w, const Node& node) {
  const int x = node.inputs[0], i = node.inputs[1], y = node.outputs[0];
  if (!w.in(x) && !w.in(y)) return;
  if (!w.known(x) || !w.known(i)) return w.refuse(node, "has a shape that is not known");
  const int axis = wrapped(node.attr_int("axis", 0), w.rank(x)), more = w.rank(i) - 1;
  if (w.in(x)) {
    if (w.axis(x) == axis) return w.refuse(node, "picks features");
    w.mark(node, y, w.axis(x) < axis ? w.axis(x) : w.axis(x) + more);
  } else if (w.axis(y) < axis) {
    w.mark(node, x, w.axis(y));
  } else if (w.axis(y) > axis + more) {
    w.mark(node, x, w.axis(y) - more);
  } else {
    w.refuse(node, "makes the stream of what it looks up");
  }
}

void joined(StreamWalk& w, const Node& node) {
  std::vector<int> all = node.inputs;
  all.insert(all.end(), node.outputs.begin(), node.outputs.end());
  const auto at = std::ranges::find_if(all, [&](int v) { return w.in(v); });
  if (at == all.end()) return;
  const int axis = w.axis(*at);
  if (axis == wrapped(node.attr_int("axis", 0), w.rank(*at))) return w.refuse(node, "joins or cuts features");
  const size_t count = node.op == "Split" ? 1 : node.inputs.size();  // Split's second input says sizes
  for (size_t i = 0; i < count; ++i) w.mark(node, node.inputs[i], axis);
  for (const int v : node.outputs)
    if (v != kNone) w.mark(node, v, axis);
}
void slice(StreamWalk& w, const Node& node) {
  const int x = node.inputs[0], y = node.outputs[0];
  if (!w.in(x) && !w.in(y)) return;
  const int axis = w.in(x) ? w.axis(x) : w.axis(y);
  const auto axes = node.version >= 10 ? w.ints(input(node, 3)) : node.attr_ints("axes");
  if (!axes || !w.known(x)) return w.refuse(node, "may cut features");
  for (const int64_t a : *axes)
    if (wrapped(a, w.rank(x)) == axis) return w.refuse(node, "cuts features");
  same(w, node);
}

// Sizes in another grouping: the stream's axis must stay an axis, with as many numbers before it.
void reshaped(StreamWalk& w, const Node& node) {
  const int x = node.inputs[0], y = node.outputs[0];
  const auto carry = [&](int from, int to) {
    if (!w.in(from) || w.in(to)) return;
    if (!w.known(to)) return w.refuse(node, "has a shape that is not known");
    const std::vector<int64_t>& dims = w.dims(to);
    for (int a = 0; a < w.rank(to); ++a)
      if (dims[static_cast<size_t>(a)] == w.width() && before(dims, a) == before(w.dims(from), w.axis(from)))
        return w.mark(node, to, a);
    w.refuse(node, "takes features apart");
  };
  carry(x, y);
  carry(y, x);
}
void transposed(StreamWalk& w, const Node& node) {
  const int x = node.inputs[0], y = node.outputs[0];
  if (!w.in(x) && !w.in(y)) return;
  const int rank = w.rank(w.in(x) ? x : y);
  std::vector<int64_t> turned;
  for (int a = rank; a-- > 0;) turned.push_back(a);
  const std::vector<int64_t> perm = node.attr_ints("perm").value_or(turned);
  for (int a = 0; a < rank && a < static_cast<int>(perm.size()); ++a) {
    const int from = static_cast<int>(perm[static_cast<size_t>(a)]);
    if (w.in(x) && w.axis(x) == from) w.mark(node, y, a);
    if (w.in(y) && w.axis(y) == a) w.mark(node, x, from);
  }
}
void expanded(StreamWalk& w, const Node& node) {
  const int x = node.inputs[0], y = node.outputs[0];
  const int end = from_end(w, {x, y});
  if (end < 0) return;
  if (!w.known(x) || !w.known(y)) return w.refuse(node, "has a shape that is not known");
  if (!has_width(w, x, end) || !has_width(w, y, end))
    return w.refuse(node, "repeats one number for all features");
  w.mark(node, x, w.rank(x) - end);
  w.mark(node, y, w.rank(y) - end);
}
// Sums and means: over features where (1, ..., 1) stays as it is, and over other axes.
void reduced(StreamWalk& w, const Node& node) {
  const int x = node.inputs[0], y = node.outputs[0];
  if (!w.in(x) && !w.in(y)) return;
  if (!w.known(x)) return w.refuse(node, "has a shape that is not known");
  const auto named = axes_of(w, node);
  if (!named) return w.refuse(node, "sums features");
  std::vector<bool> gone(static_cast<size_t>(w.rank(x)));
  for (const int64_t a : *named) gone[static_cast<size_t>(wrapped(a, w.rank(x)))] = true;
  const bool keeps = node.attr_int("keepdims", 1) != 0;
  for (int a = 0, at = 0; a < w.rank(x); ++a) {
    const bool out = gone[static_cast<size_t>(a)];
    if (w.in(x) && w.axis(x) == a) {
      if (!out) return w.mark(node, y, at);
      return w.in(y) ? w.refuse(node, "sums features") : w.keep_ones();
    }
    if (w.in(y) && w.axis(y) == at && !out) return w.mark(node, x, a);
    at += keeps || !out;
  }
  w.refuse(node, "sums features");
}

void convolved(StreamWalk& w, const Node& node) {
  const int x = node.inputs[0], weight = node.inputs[1], bias = input(node, 2), y = node.outputs[0];
  if (!w.in(x) && !w.in(weight) && !w.in(bias) && !w.in(y)) return;
  if (node.attr_int("group", 1) != 1) return w.refuse(node, "keeps features apart");
  if ((w.in(x) && w.axis(x) != 1) || (w.in(y) && w.axis(y) != 1))
    return w.refuse(node, "has features as places");
  if (w.in(x) || (w.in(weight) && w.axis(weight) == 1)) w.mark(node, x, 1), w.mark(node, weight, 1);
  if (w.in(y) || w.in(bias) || (w.in(weight) && w.axis(weight) == 0)) {
    w.mark(node, y, 1);
    w.mark(node, weight, 0);
    if (bias != kNone) w.mark(node, bias, 0);
  }
}

// Of the last axis alone; scale and bias are seen to by who asks.
void norm(StreamWalk& w, const Node& node) {
  const int x = node.inputs[0], y = node.outputs[0];
  if (!w.in(x) && !w.in(y)) {
    for (size_t i = 1; i < node.inputs.size(); ++i)
      if (w.in(node.inputs[i])) return w.refuse(node, "has the stream as its scale or bias");
    return;
  }
  const int rank = w.rank(w.in(x) ? x : y), axis = w.axis(w.in(x) ? x : y);
  if (wrapped(node.attr_int("axis", -1), rank) != rank - 1 || axis != rank - 1)
    return w.refuse(node, "norms over other axes than the stream's");
  for (size_t i = 1; i < node.outputs.size(); ++i)
    if (node.outputs[i] != kNone) return w.refuse(node, "shows its statistics");
  same(w, node);
}
void cast(StreamWalk& w, const Node& node) {
  const int x = node.inputs[0], y = node.outputs[0];
  if (!w.in(x) && !w.in(y)) return;
  const auto to = static_cast<OnnxType>(node.attr_int("to", 0));
  if (!network::is_real(to)) return w.refuse(node, "rounds features to whole numbers");
  same(w, node);
}
// Of a shape no numbers are seen.
void nothing(StreamWalk&, const Node&) {}

constexpr StreamRule kRules[] = {
    {"Identity", same, true},
    {"Cast", cast, true},
    {"Dropout", same, true},
    {"Neg", same, true},
    {"Add", sum},
    {"Sub", sum},
    {"Mul", scaled, true},
    {"Div", scaled, true},
    {"MatMul", multiply},
    {"Gemm", multiply},
    {"Gather", gather, true},
    {"Concat", joined, true},
    {"Split", joined, true},
    {"Slice", slice, true},
    {"Reshape", reshaped, true},
    {"Flatten", reshaped, true},
    {"Squeeze", reshaped, true},
    {"Unsqueeze", reshaped, true},
    {"Transpose", transposed, true},
    {"Expand", expanded, true},
    {"ReduceMean", reduced, true},
    {"ReduceSum", reduced, true},
    {"Pow", square},
    {"ReduceSumSquare", square},
    {"ReduceL2", square},
    {"Conv", convolved},
    {"LayerNormalization", norm},
    {"RMSNormalization", norm},
    {"SimplifiedLayerNormalization", norm},
    {"Shape", nothing},
};

}  // namespace

const StreamRule* stream_rule(const Node& node) {
  if (!node.bodies.empty()) return nullptr;
  if (!node.domain.empty() && !(node.op == "SimplifiedLayerNormalization" && node.domain == "com.microsoft"))
    return nullptr;
  const auto at = std::ranges::find(kRules, node.op, &StreamRule::op);
  return at == std::end(kRules) ? nullptr : &*at;
}

bool is_stream_norm(const Node& node) noexcept {
  return node.op == "LayerNormalization" || node.op == "RMSNormalization" ||
         node.op == "SimplifiedLayerNormalization";
}

int read_by(const StreamWalk& w, const Node& node, size_t i) {
  const int v = input(node, i);
  if (!w.in(v) || i > 1) return kNone;
  const int other = input(node, 1 - i);
  if (node.op == "Conv") return w.in(other) && w.axis(node.inputs[1]) == 1 ? other : kNone;
  if (node.op != "MatMul" && node.op != "Gemm") return kNone;
  const auto p = product_of(w, node);
  return p && w.axis(v) == (i == 0 ? p->left_inner : p->right_inner) ? other : kNone;
}

bool is_square(const network::Network& network, const Node& node) {
  if (!node.domain.empty() || node.inputs.empty()) return false;
  if (node.op == "ReduceSumSquare" || node.op == "ReduceL2") return true;
  if (node.op == "Mul") return node.inputs[0] == node.inputs[1];
  const network::Constant* c = node.op == "Pow" ? network.constant_of(input(node, 1)) : nullptr;
  if (!c || c->elements() != 1 || !(network::is_real(c->type) || network::is_integer(c->type))) return false;
  const network::Array exponent = network::to_array(*c);
  return exponent.real() ? exponent.reals[0] == 2 : exponent.ints[0] == 2;
}
bool StreamWalk::is_square(const Node& node) const {
  return align::is_square(network_, node);
}

int StreamWalk::vector_behind(int value) const {
  for (int depth = 0; value != kNone && depth < 8; ++depth) {
    if (const network::Constant* c = network_.constant_of(value))
      return c->elements() == width_ && c->floating() && !c->made ? value : kNone;
    const Node* by = uses_.maker(value);
    if (!by || !by->domain.empty() || (by->op != "Identity" && by->op != "Cast")) return kNone;
    value = by->inputs[0];
  }
  return kNone;
}
int StreamWalk::gain_input(const Node& node) const {
  if (node.op != "Mul") return -1;
  const int first = vector_behind(node.inputs[0]), second = vector_behind(node.inputs[1]);
  if ((first == kNone) == (second == kNone)) return -1;
  const int i = first != kNone ? 0 : 1;
  return in(i == 0 ? first : second) || in(node.inputs[static_cast<size_t>(i)]) ? -1 : i;
}

bool StreamWalk::touches(const Node& node) const {
  const auto here = [&](int v) { return in(v) || squares(v); };
  return std::ranges::any_of(node.inputs, here) || std::ranges::any_of(node.outputs, here);
}
bool StreamWalk::follow_squares(const Node& node) {
  if (std::ranges::none_of(node.inputs, [&](int v) { return squares(v); }) || node.op == "Shape")
    return false;
  const int x = node.inputs[0];
  const int axis = squares(x) ? squares_[static_cast<size_t>(x)] : -1;
  if (axis >= 0 && node.domain.empty() && (node.op == "Cast" || node.op == "Identity"))
    mark_squares(node, node.outputs[0], axis);
  else if (axis < 0 || in(node.outputs[0]) || !node.domain.empty() ||
           (node.op != "ReduceMean" && node.op != "ReduceSum") || !sums_axis(*this, node, rank(x), axis))
    refuse(node, "reads squares of features and does not sum them");
  return true;
}

void StreamWalk::follow(int value, int axis) {
  axis_[static_cast<size_t>(value)] = axis;
  changed_ = true;
  while (changed_ && obstacle_.empty()) {
    changed_ = false;
    for (const Node& node : network_.graph.nodes) {
      if (follow_squares(node)) {
      } else if (const StreamRule* rule = stream_rule(node)) {
        rule->follow(*this, node);
      } else {
        bool touched = touches(node);
        for (const network::Body& body : node.bodies)
          network::each_node(body.graph, [&](const Node& n) { touched = touched || touches(n); });
        if (touched) refuse(node, "is not linear along the features");
      }
      if (!obstacle_.empty()) return;
    }
  }
  for (const auto& [values, what] :
       {std::pair{&network_.graph.inputs, "input"}, {&network_.graph.outputs, "output"}})
    for (const int v : *values)
      if (in(v) || squares(v))
        obstacle_ =
            text("{} '{}' is part of it", what, escaped(network_.values[static_cast<size_t>(v)].name));
}

void StreamWalk::mark(const Node& node, int value, int axis) {
  if (value == kNone || !obstacle_.empty()) return;
  int& here = axis_[static_cast<size_t>(value)];
  if (here == axis) return;
  if (here >= 0) return refuse(node, "has the stream on two axes of one value");
  if (squares(value)) return refuse(node, "makes the stream of squares of features");
  if (!known(value) || axis < 0 || axis >= rank(value) || dims(value)[static_cast<size_t>(axis)] != width_)
    return refuse(node, "has another width");
  here = axis;
  changed_ = true;
}
void StreamWalk::mark_squares(const Node& node, int value, int axis) {
  if (in(value)) return refuse(node, "is not linear along the features");
  int& here = squares_[static_cast<size_t>(value)];
  changed_ = changed_ || here != axis;
  here = axis;
}
void StreamWalk::refuse(const Node& node, const std::string& why) {
  if (obstacle_.empty()) obstacle_ = text("{} {}", node.where(network_.values), why);
}
std::optional<std::vector<int64_t>> StreamWalk::ints(int value) const {
  if (value == kNone) return {};
  const network::Constant* c = network_.constant_of(value);
  if (!c || !network::is_integer(c->type)) return {};
  return network::to_array(*c).ints;
}

}  // namespace dws::align
