// The walk, and what it leaves behind.
#include <algorithm>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "core/text.h"
#include "weights/graph/builder.h"

namespace dws::weights {
namespace {

using network::Array;
using network::kNone;
using network::Node;

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
constexpr int kUnsaid = -1, kOne = -2;  // of feature_axis()

template <class T>
double load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return static_cast<double>(value);
}
// Constants that were in the file as numbers are read where they lie.
double number_at(const network::Constant& c, int64_t index, std::map<const void*, Array>& unpacked) {
  const int bits = onnx_type_bits(c.type);
  const std::byte* at = c.bytes.data() + index * bits / 8;
  switch (c.type) {
    case OnnxType::f32:
      return load<float>(at);
    case OnnxType::f64:
      return load<double>(at);
    case OnnxType::f16:
    case OnnxType::bf16: {
      uint16_t half = 0;
      std::memcpy(&half, at, sizeof half);
      return c.type == OnnxType::f16 ? f16_to_float(half) : bf16_to_float(half);
    }
    case OnnxType::i8:
      return load<int8_t>(at);
    case OnnxType::u8:
      return load<uint8_t>(at);
    case OnnxType::i32:
      return load<int32_t>(at);
    default:
      break;
  }
  Array& a = unpacked[c.bytes.data()];
  if (a.ints.empty()) a = network::to_array(c);
  return static_cast<double>(a.ints[static_cast<size_t>(index)]);
}

}  // namespace

std::vector<int> parameter_constants(const network::Network& network) {
  std::vector<bool> is(network.constants.size());
  for (size_t c = 0; c < is.size(); ++c) is[c] = network.constants[c].parameter();
  each_node(network.graph, [&](const Node& node) {  // biases, quantised to 32 bits
    if (node.op != "DequantizeLinear" || node.inputs.empty() || node.inputs[0] == kNone) return;
    const int c = network.values[static_cast<size_t>(node.inputs[0])].constant;
    if (c != kNone && network.constants[static_cast<size_t>(c)].type == OnnxType::i32)
      is[static_cast<size_t>(c)] = true;
  });
  std::vector<int> found;
  for (size_t c = 0; c < is.size(); ++c)
    if (is[c]) found.push_back(static_cast<int>(c));
  return found;
}

WeightGraph build_graph(const network::Network& network, const std::vector<network::ArrayPtr>& shapes) {
  return Builder(network, shapes).build();
}

Builder::Builder(const network::Network& network, const std::vector<network::ArrayPtr>& shapes)
    : net_(network), shapes_(shapes), flows_(network.values.size()), consumers_(network.values.size()) {}

WeightGraph Builder::build() {
  start();
  try {
    inputs();
    for (const Node& n : net_.graph.nodes) run(n);
    outputs();
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::resource_limit) throw;
    const std::string where = node_ ? node_->where(net_.values) + ": " : "";
    throw Error(e.kind(), text("{}: {}{}", one_line(net_.file), where, e.what()));
  }
  node_ = nullptr;
  roles();
  leftovers();
  std::map<const void*, Array> unpacked;
  graph_.weight.assign(graph_.source.size(), 1);
  for (size_t e = 0; e < graph_.weight.size(); ++e)
    if (graph_.tensor[e] >= 0)
      graph_.weight[e] =
          number_at(net_.constants[static_cast<size_t>(constants_[static_cast<size_t>(graph_.tensor[e])])],
                    graph_.index[e], unpacked);
  return std::move(graph_);
}

void Builder::start() {
  graph_.file = net_.file;
  graph_.activations = {""};
  constants_ = parameter_constants(net_);
  int64_t all = 0;
  std::vector<int> tensor(net_.constants.size(), -1);
  for (const int c : constants_) {
    const network::Constant& k = net_.constants[static_cast<size_t>(c)];
    tensor[static_cast<size_t>(c)] = static_cast<int>(graph_.tensors.size());
    graph_.tensors.push_back({.name = k.name, .type = k.type, .dims = k.dims});
    first_.push_back(all);
    if (__builtin_add_overflow(all, network::elements(k.dims), &all) || all > kMost)
      throw Error(ErrorKind::resource_limit, text("{}: more than {} parameters", one_line(net_.file), kMost));
  }
  parameter_nodes_.assign(constants_.size(), -1);
  used_.assign(static_cast<size_t>(all), false);
  const auto room = static_cast<size_t>(all + all / 16);
  for (auto* list : {&graph_.source, &graph_.target, &graph_.edge_layer, &graph_.position, &graph_.tensor})
    list->reserve(room);
  graph_.edge_type.reserve(room);
  graph_.index.reserve(room);
  for (size_t v = 0; v < net_.values.size(); ++v) {
    const int c = net_.values[v].constant;
    if (c == kNone || tensor[static_cast<size_t>(c)] < 0) continue;
    // Filled in when it is first read, and let go after it was last read.
    flows_[v] = {.kind = Flow::Kind::parameters};
    flows_[v].node = tensor[static_cast<size_t>(c)];
  }
  keep_.assign(net_.values.size(), false);
  const auto keep = [&](int value) {
    if (value != kNone) keep_[static_cast<size_t>(value)] = true;
  };
  for (const int value : net_.graph.outputs) keep(value);
  for (const Node& node : net_.graph.nodes)
    for (const auto& [name, body] : node.bodies) {
      std::ranges::for_each(body.outputs, keep);
      each_node(body, [&](const Node& inner) { std::ranges::for_each(inner.inputs, keep); });
    }
  for (size_t n = 0; n < net_.graph.nodes.size(); ++n)
    for (const int input : net_.graph.nodes[n].inputs)
      if (input != kNone) consumers_[static_cast<size_t>(input)].push_back(static_cast<int>(n));
}

// Which axis of an input holds its features, from who reads it; kUnsaid: nobody says; kOne: it has one.
int Builder::feature_axis(int value, int depth) const {
  const network::ArrayPtr& shape = shapes_[static_cast<size_t>(value)];
  if (!shape || depth > 8) return kUnsaid;
  const int rank = shape->rank();
  for (const int n : consumers_[static_cast<size_t>(value)]) {
    const Node& node = net_.graph.nodes[static_cast<size_t>(n)];
    const auto is = [&](std::initializer_list<std::string_view> ops) {
      return std::ranges::find(ops, node.op) != ops.end();
    };
    if (is({"Conv", "ConvTranspose", "ConvInteger", "BatchNormalization", "InstanceNormalization", "MaxPool",
            "GroupNormalization", "AveragePool", "GlobalAveragePool", "DepthToSpace", "SpaceToDepth",
            "Resize"}))
      return rank > 1 ? 1 : kUnsaid;
    if (is({"Gemm", "MatMul", "MatMulInteger", "LSTM", "GRU", "RNN", "LayerNormalization"})) return rank - 1;
    if (node.outputs.empty() || node.outputs[0] == kNone) continue;
    const network::ArrayPtr& next = shapes_[static_cast<size_t>(node.outputs[0])];
    if (!next) continue;
    const bool turns = node.op == "Transpose", reshapes = is({"Reshape", "Unsqueeze", "Squeeze"});
    if (!turns && !reshapes && next->dims != shape->dims) continue;
    const int axis = feature_axis(node.outputs[0], depth + 1);
    if (axis < 0 || (reshapes && next->dims[static_cast<size_t>(axis)] == 1)) {
      if (axis != kUnsaid) return kOne;
      continue;
    }
    if (reshapes) continue;
    if (!turns) return axis;
    const auto perm = node.attr_ints("perm");
    return perm ? static_cast<int>((*perm)[static_cast<size_t>(axis)]) : rank - 1 - axis;
  }
  return kUnsaid;
}

void Builder::inputs() {
  graph_.layers.push_back({.name = "", .op = "", .kind = "input"});
  int64_t order = 0;
  for (const int value : net_.graph.inputs) {
    const network::ArrayPtr& shape = shapes_[static_cast<size_t>(value)];
    if (!shape) continue;
    auto ids = blank(shape->dims);
    const int64_t count = ids->size();
    const int rank = shape->rank();
    int axis = feature_axis(value, 0);
    const bool one = axis == kOne || !shape->real();  // integers choose; they are no features
    if (axis < 0) axis = rank >= 4 ? 1 : rank - 1;
    const int64_t features = !one && rank > 0 ? shape->dims[static_cast<size_t>(axis)] : 1;
    int64_t inner = 1;
    for (int a = axis + 1; a < rank; ++a) inner *= shape->dims[static_cast<size_t>(a)];
    const auto begin = graph_.nodes();
    for (int64_t f = 0; f < features; ++f) add_node(NodeType::input, 0, order++);
    for (int64_t i = 0; i < count; ++i)
      ids->ints[static_cast<size_t>(i)] = begin + 1 + (features > 1 ? i / inner % features : 0);
    flows_[static_cast<size_t>(value)] = {.kind = Flow::Kind::activation, .ids = std::move(ids)};
  }
}

void Builder::outputs() {
  int64_t order = 0;
  for (const int value : net_.graph.outputs) {
    if (value == kNone) continue;
    const Flow& flow = flows_[static_cast<size_t>(value)];
    std::vector<int64_t> nodes;
    if (flow.kind == Flow::Kind::opaque) nodes.push_back(flow.node);
    if (flow.kind == Flow::Kind::activation) {
      ++stamps_;
      for (const int64_t id : flow.ids->ints) {
        const int64_t n = node_of(id, static_cast<int32_t>(graph_.layers.size()) - 1);
        if (n < 0) continue;
        stamp_.resize(static_cast<size_t>(graph_.nodes()), 0);
        if (std::exchange(stamp_[static_cast<size_t>(n)], stamps_) != stamps_) nodes.push_back(n);
      }
    }
    for (const int64_t n : nodes) {
      NodeType& type = graph_.node_type[static_cast<size_t>(n)];
      if (type == NodeType::neuron) type = NodeType::output;
      int64_t& at = graph_.node_order[static_cast<size_t>(n)];
      if (at < 0) at = order;
      ++order;
    }
  }
}

void Builder::run(const Node& node) {
  node_ = &node;
  layer_ = -1;
  for (const int value : node.inputs) {
    if (value == kNone) continue;
    Flow& flow = flows_[static_cast<size_t>(value)];
    if (flow.kind != Flow::Kind::parameters || flow.ids) continue;
    const auto t = static_cast<size_t>(flow.node);
    auto ids = blank(graph_.tensors[t].dims);
    for (size_t i = 0; i < ids->ints.size(); ++i) ids->ints[i] = first_[t] + static_cast<int64_t>(i) + 1;
    flow.ids = std::move(ids);
  }
  const GraphRule rule = find_graph_rule(node.domain, node.op);
  if (!rule)
    remark(text("operator {}{}{} is not understood", escaped(node.domain), node.domain.empty() ? "" : ".",
                escaped(node.op)));
  bool opaque = rule == nullptr;
  for (size_t i = 0; i < node.inputs.size(); ++i) opaque = opaque || in(i).kind == Flow::Kind::opaque;
  for (size_t i = 0; i < node.outputs.size(); ++i)
    opaque = opaque || (node.outputs[i] != kNone && i == 0 && !dims_out(i));
  if (opaque && rule) remark("what comes after an operator that is not understood is not understood either");
  if (opaque)
    unknown();
  else
    rule(*this);
  // Arrays nobody reads any more are let go of.
  const auto number = static_cast<int>(&node - net_.graph.nodes.data());
  for (const int value : node.inputs)
    if (value != kNone && consumers_[static_cast<size_t>(value)].back() == number &&
        !keep_[static_cast<size_t>(value)])
      flows_[static_cast<size_t>(value)].ids.reset();
}
void Builder::roles() {
  role_.resize(static_cast<size_t>(graph_.nodes()), Role::none);
  for (size_t e = 0; e < graph_.edge_type.size(); ++e) {
    EdgeType& type = graph_.edge_type[e];
    if (type != EdgeType::linear && type != EdgeType::conv) continue;
    switch (role_[static_cast<size_t>(graph_.target[e])]) {
      case Role::none:
        break;
      case Role::query:
        type = EdgeType::query;
        break;
      case Role::key:
        type = EdgeType::key;
        break;
      case Role::value:
        type = EdgeType::value;
        break;
    }
  }
}

void Builder::leftovers() {
  int32_t layer = -1;
  for (size_t t = 0; t < graph_.tensors.size(); ++t) {
    const int64_t count = graph_.tensors[t].elements();
    for (int64_t i = 0; i < count; ++i) {
      if (used_[static_cast<size_t>(first_[t] + i)]) continue;
      if (layer < 0) {
        layer = static_cast<int32_t>(graph_.layers.size());
        graph_.layers.push_back({.name = "", .op = "", .kind = "other"});
        layer_ = layer;
      }
      const int64_t at = parameter_node(first_[t] + 1);
      add_edge(at, at, EdgeType::other, layer, 0, first_[t] + i + 1);
    }
  }
}

}  // namespace dws::weights
