// Operators that move numbers move nodes; those that make many numbers one make many nodes one.
#include <algorithm>
#include <numeric>

#include "network/ops/broadcast.h"
#include "weights/graph/builder.h"

namespace dws::weights {

using network::Array;
using Kind = Flow::Kind;

Ids filled(const std::vector<int64_t>& dims, int64_t id) {
  auto a = blank(dims);
  std::ranges::fill(a->ints, id);
  return a;
}
Ids under_dims(const Ids& ids, std::vector<int64_t> dims) {
  auto a = std::make_shared<Array>(*ids);
  a->dims = std::move(dims);
  return a;
}
Ids stretched(const Ids& ids, const std::vector<int64_t>& dims) {
  if (ids->dims == dims) return ids;
  auto a = blank(dims);
  network::Stretched at(ids->dims, dims);
  for (int64_t& id : a->ints) {
    id = ids->ints[static_cast<size_t>(at.at())];
    at.next();
  }
  return a;
}
Ids fold(Builder& b, const Ids& ids, const std::vector<int>& axes) {
  std::vector<int64_t> dims = ids->dims;
  for (const int a : axes) dims[static_cast<size_t>(a)] = 1;
  auto one = blank(dims);
  const size_t count = one->ints.size();
  std::vector<bool> many(count, false);
  network::Stretched at(dims, ids->dims);
  for (const int64_t id : ids->ints) {
    const auto to = static_cast<size_t>(at.at());
    at.next();
    if (one->ints[to] == 0) one->ints[to] = id;
    if (id != 0 && one->ints[to] != id) many[to] = true;
  }
  if (std::ranges::find(many, true) == many.end()) return one;
  std::vector<std::vector<int64_t>> parts(count);
  network::Stretched again(dims, ids->dims);
  for (const int64_t id : ids->ints) {
    const auto to = static_cast<size_t>(again.at());
    again.next();
    if (many[to] && (parts[to].empty() || parts[to].back() != id)) parts[to].push_back(id);
  }
  for (size_t i = 0; i < count; ++i)
    if (many[i]) one->ints[i] = b.pooled(std::move(parts[i]));
  return one;
}

namespace {

void plain(Builder&) {}
void pass(Builder& b) {
  b.out(0, b.in(0));
}
void move(Builder& b) {
  const Flow flow = b.in(0);
  if (flow.kind == Kind::plain) return;
  const std::vector<Ids> moved = b.moved({0});
  if (moved.empty()) return b.unknown();
  for (size_t i = 0; i < moved.size(); ++i) {
    Flow next = flow;
    next.ids = moved[i];
    if (next.ids) b.out(i, next);
  }
}

// Whether all items along an axis are the same nodes: places, not features.
bool same_along(const Array& ids, size_t axis) {
  int64_t inner = 1;
  for (size_t a = axis + 1; a < ids.dims.size(); ++a) inner *= ids.dims[a];
  const int64_t n = ids.dims[axis];
  for (int64_t i = 0; i < ids.size(); ++i)
    if (ids.ints[static_cast<size_t>(i)] != ids.ints[static_cast<size_t>(i - i / inner % n * inner)])
      return false;
  return true;
}
Ids first_along(const Ids& ids, size_t axis) {
  auto one = std::make_shared<Array>(Array{.type = OnnxType::i64, .dims = ids->dims});
  int64_t inner = 1;
  for (size_t a = axis + 1; a < ids->dims.size(); ++a) inner *= ids->dims[a];
  const int64_t n = std::exchange(one->dims[axis], 1);
  for (int64_t i = 0; i < ids->size(); ++i)
    if (i / inner % n == 0) one->ints.push_back(ids->ints[static_cast<size_t>(i)]);
  return one;
}

// More places of the same features (a class token, a cache): the youngest nodes go on, joined by the others.
bool more_places(Builder& b, size_t axis) {
  bool places = false;
  Ids youngest;
  int64_t age = 0;
  for (size_t i = 0; i < b.node().inputs.size(); ++i) {
    if (!b.activation(i)) continue;
    const Ids& ids = b.in(i).ids;
    if (ids->ints.empty()) continue;
    if (!same_along(*ids, axis)) return false;
    places = places || ids->dims[axis] > 1;
    const int64_t last = *std::ranges::max_element(ids->ints);
    if (last > age) {
      age = last;
      youngest = ids;
    }
  }
  if (!places || !youngest) return false;
  const Ids base = first_along(youngest, axis);
  for (size_t i = 0; i < b.node().inputs.size(); ++i) {
    const Ids& ids = b.in(i).ids;
    if (!ids || ids == youngest || ids->ints.empty()) continue;
    if (b.activation(i))
      b.join(first_along(ids, axis), base, base->dims, EdgeType::residual, "concat");
    else
      b.attach(ids, stretched(base, ids->dims), NodeType::bias, EdgeType::bias, "concat", b.in(i).derived);
  }
  b.out(0, stretched(base, *b.dims_out(0)));
  return true;
}
void concat(Builder& b) {
  std::vector<size_t> all;
  bool activations = false, parameters = false, derived = false;
  for (size_t i = 0; i < b.node().inputs.size(); ++i) {
    all.push_back(i);
    activations = activations || b.activation(i);
    parameters = parameters || b.parameters(i);
    derived = derived || b.in(i).derived;
  }
  if (!activations && !parameters) return;
  const int64_t axis = b.node().attr_int("axis", 0), rank = static_cast<int64_t>(b.dims_out(0)->size());
  if (activations && more_places(b, static_cast<size_t>(axis < 0 ? axis + rank : axis))) return;
  if (activations && parameters) {  // features that are numbers: neurons with nothing but a bias
    std::vector<Ids> parts;
    auto joined = std::make_shared<Array>(Array{.type = OnnxType::i64, .dims = *b.dims_out(0)});
    const auto at = static_cast<size_t>(axis < 0 ? axis + rank : axis);
    int64_t outer = 1;
    for (size_t a = 0; a < at; ++a) outer *= joined->dims[a];
    for (const size_t i : all)
      parts.push_back(b.parameters(i)   ? b.activation_of(b.in(i), true, "concat")
                      : b.activation(i) ? b.in(i).ids
                                        : filled(*b.dims_in(i), 0));
    for (int64_t o = 0; o < outer; ++o)
      for (const Ids& part : parts) {
        const int64_t each = part->size() / std::max<int64_t>(outer, 1);
        joined->ints.insert(joined->ints.end(), part->ints.begin() + o * each,
                            part->ints.begin() + (o + 1) * each);
      }
    return b.out(0, joined);
  }
  // The numbers of plain parts do not matter: they are nothing.
  const std::vector<Ids> moved = b.moved(all);
  if (moved.empty() || !moved[0]) return b.unknown();
  b.out(0, {.kind = activations ? Kind::activation : Kind::parameters, .ids = moved[0], .derived = derived});
}

std::vector<int> all_axes(size_t rank, size_t first = 0) {
  std::vector<int> axes(rank - first);
  std::iota(axes.begin(), axes.end(), static_cast<int>(first));
  return axes;
}
// Pictures of another size: each channel as it was.
void resized(Builder& b) {
  if (!b.activation(0)) return;
  const Ids& ids = b.in(0).ids;
  const std::vector<int64_t>& to = *b.dims_out(0);
  if (ids->dims.size() < 2 || to.size() != ids->dims.size() || to[1] != ids->dims[1]) return b.unknown();
  const Ids one = fold(b, ids, all_axes(to.size(), 2));
  if (const auto kernel = b.node().attr_ints("kernel_shape"))
    note_windows(b, "pool", *kernel, false);
  else
    b.layer("pool");
  for (size_t i = 0; i < b.node().outputs.size(); ++i)
    if (b.dims_out(i)) b.out(i, stretched(one, to));
}
void reduce(Builder& b) {
  if (!b.activation(0)) return;
  const Ids& ids = b.in(0).ids;
  const auto rank = static_cast<int64_t>(ids->dims.size());
  std::vector<int64_t> given;
  if (const auto attribute = b.node().attr_ints("axes"))
    given = *attribute;
  else if (const auto one = b.node().find("axis", OnnxAttribute::Kind::i))
    given = {one->i};
  else if (const network::ArrayPtr axes = b.numbers(1); axes && !axes->real())
    given = axes->ints;
  else if (b.node().op == "ArgMax" || b.node().op == "ArgMin")
    given = {0};
  std::vector<int> axes;
  for (const int64_t a : given)
    if (a >= -rank && a < rank) axes.push_back(static_cast<int>(a < 0 ? a + rank : a));
  if (given.empty() && !b.node().attr_int("noop_with_empty_axes", 0)) axes = all_axes(ids->dims.size());
  const Ids one = fold(b, ids, axes);
  if (one->size() != network::elements(*b.dims_out(0))) return b.unknown();
  b.out(0, under_dims(one, *b.dims_out(0)));
}
void top(Builder& b) {
  if (!b.activation(0)) return;
  const Ids& ids = b.in(0).ids;
  const int64_t axis = b.node().attr_int("axis", -1);
  const Ids one =
      fold(b, ids, {static_cast<int>(axis < 0 ? axis + static_cast<int64_t>(ids->dims.size()) : axis)});
  for (size_t i = 0; i < 2; ++i)
    if (b.dims_out(i)) b.out(i, stretched(one, *b.dims_out(i)));
}

// Rows of a table, by integers that are only known when the network runs: a node a row, and the features it gives.
void look_up(Builder& b, size_t axis) {
  const Flow table = b.in(0);
  const std::vector<int64_t>& dims = table.ids->dims;
  int64_t inner = 1, outer = 1;
  for (size_t a = 0; a < axis; ++a) outer *= dims[a];
  for (size_t a = axis + 1; a < dims.size(); ++a) inner *= dims[a];
  const int64_t rows = dims[axis];
  const int32_t l = b.layer("embedding");
  std::vector<int64_t> tokens, neurons;
  for (int64_t r = 0; r < rows; ++r) tokens.push_back(b.add_node(NodeType::token, l, r));
  for (int64_t k = 0; k < outer * inner; ++k) neurons.push_back(b.add_node(NodeType::neuron, l));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t k = 0; k < inner; ++k)
        b.add_edge(tokens[static_cast<size_t>(r)], neurons[static_cast<size_t>(o * inner + k)],
                   table.derived ? EdgeType::other : EdgeType::embedding, l, 0,
                   table.ids->ints[static_cast<size_t>((o * rows + r) * inner + k)]);
  if (b.activation(1)) {
    const Ids from = fold(b, b.in(1).ids, all_axes(b.in(1).ids->dims.size()));
    if (const int64_t n = b.node_of(from->ints.empty() ? 0 : from->ints[0], l); n >= 0)
      for (const int64_t t : tokens) b.add_edge(n, t, EdgeType::lookup, l);
  }
  auto ids = std::make_shared<Array>(Array{.type = OnnxType::i64, .dims = *b.dims_out(0)});
  const int64_t each = outer * inner > 0 ? ids->size() / (outer * inner) : 0;
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < each; ++i)
      for (int64_t k = 0; k < inner; ++k)
        ids->ints.push_back(neurons[static_cast<size_t>(o * inner + k)] + 1);
  b.out(0, ids);
}
void gather(Builder& b) {
  if (!b.activation(0) && !b.parameters(0)) return;
  const network::ArrayPtr at = b.numbers(1);
  if (at && at->known()) return move(b);
  const Ids ids = b.in(0).ids;
  const int64_t given = b.node().attr_int("axis", 0), rank = static_cast<int64_t>(ids->dims.size());
  const auto axis = static_cast<size_t>(given < 0 ? given + rank : given);
  if (b.parameters(0)) return look_up(b, axis);
  const Ids one = fold(b, ids, {static_cast<int>(axis)});
  std::vector<int64_t> dims(one->dims.begin(), one->dims.begin() + static_cast<std::ptrdiff_t>(axis));
  const std::vector<int64_t>& to = *b.dims_out(0);
  dims.resize(axis + to.size() + 1 - one->dims.size(), 1);
  dims.insert(dims.end(), one->dims.begin() + static_cast<std::ptrdiff_t>(axis) + 1, one->dims.end());
  b.out(0, stretched(under_dims(one, dims), to));
}
void one_hot(Builder& b) {
  if (!b.activation(0)) return;
  const std::vector<int64_t>& to = *b.dims_out(0);
  const int64_t given = b.node().attr_int("axis", -1), rank = static_cast<int64_t>(to.size());
  std::vector<int64_t> dims(to.size(), 1);
  const auto axis = static_cast<size_t>(given < 0 ? given + rank : given);
  dims[axis] = to[axis];
  const int32_t l = b.layer("embedding");
  auto ids = std::make_shared<Array>(Array{.type = OnnxType::i64, .dims = dims});
  const Ids from = fold(b, b.in(0).ids, all_axes(b.in(0).ids->dims.size()));
  const int64_t n = b.node_of(from->ints.empty() ? 0 : from->ints[0], l);
  for (int64_t i = 0; i < to[axis]; ++i) {
    ids->ints.push_back(b.add_node(NodeType::token, l, i) + 1);
    if (n >= 0) b.add_edge(n, ids->ints.back() - 1, EdgeType::lookup, l);
  }
  b.out(0, stretched(ids, to));
}
void scatter(Builder& b) {
  const bool first = b.activation(0), second = b.activation(2);
  if (b.in(0).kind == Kind::plain && b.in(2).kind == Kind::plain) return;
  if (b.parameters(0) || b.parameters(2) || (!first && !second)) return b.unknown();
  const std::vector<Ids> moved = b.moved({0, 2});
  if (moved.empty() || !moved[0]) return b.unknown();
  b.out(0, moved[0]);
}

constexpr GraphRuleRow kRows[] = {
    {"Reshape", move},
    {"Flatten", move},
    {"Squeeze", move},
    {"Unsqueeze", move},
    {"Transpose", move},
    {"Expand", move},
    {"Tile", move},
    {"DepthToSpace", move},
    {"SpaceToDepth", move},
    {"Slice", move},
    {"Split", move},
    {"Pad", move},
    {"Trilu", move},
    {"GatherElements", move},
    {"GatherND", move},
    {"Gather", gather},
    {"ScatterND", scatter},
    {"Concat", concat},
    {"OneHot", one_hot},
    {"TopK", top},
    {"Cast", pass},
    {"CastLike", pass},
    {"Identity", pass},
    {"Dropout", pass},
    {"CumSum", pass},
    {"Shape", plain},
    {"Size", plain},
    {"ConstantOfShape", plain},
    {"Range", plain},
    {"NonZero", plain},
    {"Resize", resized},
    {"Upsample", resized},
    {"MaxPool", resized},
    {"AveragePool", resized},
    {"LpPool", resized},
    {"GlobalAveragePool", resized},
    {"GlobalMaxPool", resized},
    {"ReduceSum", reduce},
    {"ReduceMean", reduce},
    {"ReduceMax", reduce},
    {"ReduceMin", reduce},
    {"ReduceProd", reduce},
    {"ReduceL1", reduce},
    {"ReduceL2", reduce},
    {"ReduceSumSquare", reduce},
    {"ReduceLogSum", reduce},
    {"ReduceLogSumExp", reduce},
    {"ArgMax", reduce},
    {"ArgMin", reduce},
};

}  // namespace

std::span<const GraphRuleRow> graph_movement_rules() {
  return kRows;
}

}  // namespace dws::weights
