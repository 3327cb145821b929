// What the rules of operators build with.
#include "weights/graph/builder.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "core/error.h"
#include "core/text.h"
#include "network/ops/broadcast.h"

namespace dws::weights {

using network::Array;
using network::kNone;

namespace {

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
constexpr size_t kMostPooled = 65'536;
constexpr int64_t kMostEntries = int64_t{1} << 28;  // of one value: 2 GiB, as while running

}  // namespace

std::shared_ptr<Array> blank(std::vector<int64_t> dims) {
  const int64_t count = network::elements(dims);
  if (count > kMostEntries)
    throw Error(ErrorKind::resource_limit,
                text("a value of {} numbers: expected at most {}", count, kMostEntries));
  auto a = std::make_shared<Array>(Array{.type = OnnxType::i64, .dims = std::move(dims)});
  a->ints.resize(static_cast<size_t>(count));
  return a;
}

GraphRule find_graph_rule(std::string_view domain, std::string_view op) noexcept {
  for (const auto rules :
       {graph_movement_rules(), graph_elementwise_rules(), graph_product_rules(), graph_layer_rules()})
    for (const GraphRuleRow& row : rules)
      if (row.op == op && row.domain == domain) return row.rule;
  return nullptr;
}

const Flow& Builder::in(size_t i) const {
  return has(i) ? flows_[static_cast<size_t>(node_->inputs[i])] : plain_;
}
bool Builder::has(size_t i) const noexcept {
  return i < node_->inputs.size() && node_->inputs[i] != kNone;
}
void Builder::out(size_t i, Flow flow) {
  if (i < node_->outputs.size() && node_->outputs[i] != kNone)
    flows_[static_cast<size_t>(node_->outputs[i])] = std::move(flow);
}
Ids Builder::made(size_t i) const {
  if (i >= node_->outputs.size() || node_->outputs[i] == kNone) return nullptr;
  const Flow& flow = flows_[static_cast<size_t>(node_->outputs[i])];
  return flow.kind == Flow::Kind::activation ? flow.ids : nullptr;
}
const std::vector<int64_t>* Builder::dims_in(size_t i) const {
  if (!has(i)) return nullptr;
  if (const Ids& ids = in(i).ids) return &ids->dims;
  const network::ArrayPtr& a = shapes_[static_cast<size_t>(node_->inputs[i])];
  return a ? &a->dims : nullptr;
}
const std::vector<int64_t>* Builder::dims_out(size_t i) const {
  if (i >= node_->outputs.size() || node_->outputs[i] == kNone) return nullptr;
  const network::ArrayPtr& a = shapes_[static_cast<size_t>(node_->outputs[i])];
  return a ? &a->dims : nullptr;
}
network::ArrayPtr Builder::numbers(size_t i) const {
  if (!has(i)) return nullptr;
  const network::ArrayPtr& a = shapes_[static_cast<size_t>(node_->inputs[i])];
  if (!a || a->known()) return a;
  const network::Constant* c = net_.constant_of(node_->inputs[i]);
  return c ? std::make_shared<const Array>(network::to_array(*c)) : nullptr;
}

int32_t Builder::layer(const char* kind) {
  if (layer_ < 0) {
    layer_ = static_cast<int32_t>(graph_.layers.size());
    GraphLayer row{
        .name = node_ ? node_->name : std::string(), .op = node_ ? node_->op : std::string(), .kind = kind};
    if (node_ && row.name.empty() && !node_->outputs.empty() && node_->outputs[0] != kNone)
      row.name = net_.values[static_cast<size_t>(node_->outputs[0])].name;
    graph_.layers.push_back(std::move(row));
  }
  return layer_;
}
int64_t Builder::add_node(NodeType type, int32_t layer, int64_t order) {
  if (graph_.nodes() >= kMost)
    throw Error(ErrorKind::resource_limit, text("a graph of more than {} nodes", kMost));
  graph_.node_type.push_back(type);
  graph_.node_layer.push_back(layer);
  graph_.node_order.push_back(order);
  graph_.node_activation.push_back(0);
  role_.push_back(Role::none);
  context_.push_back(false);
  return graph_.nodes() - 1;
}
void Builder::add_edge(int64_t source, int64_t target, EdgeType type, int32_t layer, int64_t position) {
  if (graph_.edges() >= kMost)
    throw Error(ErrorKind::resource_limit, text("a graph of more than {} edges", kMost));
  graph_.source.push_back(static_cast<int32_t>(source));
  graph_.target.push_back(static_cast<int32_t>(target));
  graph_.edge_type.push_back(type);
  graph_.edge_layer.push_back(layer);
  graph_.position.push_back(static_cast<int32_t>(position));
  graph_.tensor.push_back(-1);
  graph_.index.push_back(-1);
}
void Builder::add_edge(int64_t source, int64_t target, EdgeType type, int32_t layer, int64_t position,
                       int64_t ref) {
  if (ref <= 0) return;
  const int64_t parameter = ref - 1;
  const bool again = used_[static_cast<size_t>(parameter)];
  used_[static_cast<size_t>(parameter)] = true;
  const size_t t = tensor_of(parameter);
  add_edge(source, target, again ? EdgeType::tied : type, layer, position);
  graph_.tensor.back() = static_cast<int32_t>(t);
  graph_.index.back() = parameter - first_[t];
}
size_t Builder::tensor_of(int64_t parameter) const {
  return static_cast<size_t>(std::ranges::upper_bound(first_, parameter) - first_.begin()) - 1;
}
void Builder::remark(const std::string& what) {
  if (remarked_.insert(what).second) graph_.remarks.push_back(what);
}

int64_t Builder::node_of(int64_t id, int32_t layer) {
  if (id > 0) return id - 1;
  if (id == 0) return -1;
  const auto p = static_cast<size_t>(-id - 1);
  if (pooled_node_[p] < 0) {
    pooled_node_[p] = add_node(NodeType::neuron, layer);
    for (const int64_t from : pooled_[p])
      add_edge(node_of(from, layer), pooled_node_[p], EdgeType::pool, layer);
  }
  return pooled_node_[p];
}
int64_t Builder::pooled(std::vector<int64_t> ids) {
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::erase(ids, 0);
  if (ids.empty()) return 0;
  if (ids.size() == 1) return ids[0];
  if (ids.size() > kMostPooled) {
    remark(text("of more than {} features made one only the first are joined to it", kMostPooled));
    ids.resize(kMostPooled);
  }
  const auto [at, fresh] = pooled_by_.emplace(ids, -static_cast<int64_t>(pooled_.size()) - 1);
  if (fresh) {
    pooled_.push_back(std::move(ids));
    pooled_node_.push_back(-1);
  }
  return at->second;
}

int64_t Builder::parameter_node(int64_t ref) {
  int64_t& n = parameter_nodes_[tensor_of(ref - 1)];
  if (n < 0) n = add_node(NodeType::parameter, layer("other"));
  return n;
}

void Builder::attach(const Ids& refs, const Ids& ids, NodeType from, EdgeType type, const char* kind,
                     bool derived) {
  if (!refs || !ids) return;
  if (derived) type = EdgeType::other;
  std::vector<int64_t> first(refs->ints.size(), 0);
  std::vector<std::pair<int64_t, int64_t>> more;  // (entry of refs, id)
  // A parameter that was copied along an axis is one all the same: its first entry stands for all.
  std::vector<size_t> stands;
  if (std::ranges::adjacent_find(refs->ints, std::greater_equal<>()) != refs->ints.end()) {
    std::unordered_map<int64_t, size_t> entry;
    for (size_t e = 0; e < first.size(); ++e) stands.push_back(entry.emplace(refs->ints[e], e).first->second);
  }
  network::Stretched at(refs->dims, ids->dims);
  for (const int64_t id : ids->ints) {
    auto e = static_cast<size_t>(at.at());
    at.next();
    if (!stands.empty() && e < first.size()) e = stands[e];
    if (id <= 0 || e >= first.size() || refs->ints[e] == 0 || first[e] == id) continue;
    if (first[e] == 0)
      first[e] = id;
    else if (more.empty() || more.back() != std::pair(static_cast<int64_t>(e), id))
      more.emplace_back(e, id);
  }
  std::ranges::sort(more);
  more.erase(std::unique(more.begin(), more.end()), more.end());
  int64_t source = -1;
  std::unordered_map<int64_t, int64_t> places;  // parameters that a neuron has already
  auto next = more.begin();
  for (size_t e = 0; e < first.size(); ++e) {
    if (first[e] == 0) continue;
    const int32_t l = layer(kind);
    const int64_t ref = refs->ints[e];
    if (next == more.end() || next->first != static_cast<int64_t>(e)) {
      if (source < 0) source = add_node(from, l);
      add_edge(source, first[e] - 1, type, l, places[first[e]]++, ref);
      continue;
    }
    const int64_t own = parameter_node(ref);
    if (!used_[static_cast<size_t>(ref - 1)]) add_edge(own, own, EdgeType::other, l, 0, ref);
    add_edge(own, first[e] - 1, type, l, 0, ref);
    for (; next != more.end() && next->first == static_cast<int64_t>(e); ++next)
      add_edge(own, next->second - 1, type, l, 0, ref);
  }
}

Ids Builder::activation_of(const Flow& parameters, bool each, const char* kind) {
  const Array& refs = *parameters.ids;
  auto ids = blank(refs.dims);
  const int64_t width = each || refs.dims.empty() ? refs.size() : refs.dims.back();
  const int32_t l = layer(kind);
  const int64_t begin = graph_.nodes();
  for (int64_t i = 0; i < width; ++i) add_node(NodeType::neuron, l);
  for (size_t i = 0; i < ids->ints.size(); ++i) ids->ints[i] = begin + 1 + static_cast<int64_t>(i) % width;
  attach(parameters.ids, ids, NodeType::bias, EdgeType::bias, kind, parameters.derived);
  return ids;
}

Ids Builder::join(const Ids& a, const Ids& b, const std::vector<int64_t>& dims, EdgeType type,
                  const char* kind) {
  const auto youngest = [](const Ids& x) {
    return x->ints.empty() ? 0 : *std::max_element(x->ints.begin(), x->ints.end());
  };
  const bool keep_a = youngest(a) >= youngest(b);
  const Ids &keep = keep_a ? a : b, &other = keep_a ? b : a;
  auto ids = blank(dims);
  network::Stretched p(keep->dims, dims), q(other->dims, dims);
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t& id : ids->ints) {
    const int64_t x = keep->ints[static_cast<size_t>(p.at())], y = other->ints[static_cast<size_t>(q.at())];
    p.next();
    q.next();
    id = x > 0 ? x : y > 0 ? y : x != 0 ? x : y;
    if (x <= 0 || y <= 0 || x == y) continue;
    if (pairs.empty() || pairs.back() != std::pair(y, x)) pairs.emplace_back(y, x);
    if (pairs.size() > 4'000'000) {
      std::ranges::sort(pairs);
      pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
    }
  }
  std::ranges::sort(pairs);
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  for (const auto& [from, to] : pairs) {
    const bool one_layer =
        graph_.node_layer[static_cast<size_t>(from - 1)] == graph_.node_layer[static_cast<size_t>(to - 1)];
    add_edge(from - 1, to - 1, one_layer && type == EdgeType::residual ? EdgeType::mix : type, layer(kind));
  }
  return ids;
}

void Builder::activate(const Ids& ids, const std::string& name) {
  ++stamps_;
  stamp_.resize(static_cast<size_t>(graph_.nodes()), 0);
  std::map<int32_t, int32_t> renamed;  // the activation before: after
  for (const int64_t id : ids->ints) {
    if (id <= 0 || std::exchange(stamp_[static_cast<size_t>(id - 1)], stamps_) == stamps_) continue;
    int32_t& at = graph_.node_activation[static_cast<size_t>(id - 1)];
    const auto [to, fresh] = renamed.emplace(at, 0);
    if (fresh) {
      const std::string& before = graph_.activations[static_cast<size_t>(at)];
      std::string after = before.empty() ? name : before + "+" + name;
      for (const std::string& part : split(before, '+'))
        if (part == name) after = before;
      // Spelled out: x sigmoid(x), x (1 + erf(x)).
      if (name == "*") after = before == "Sigmoid" ? "Swish" : before == "Erf" ? "Gelu" : before;
      const auto known = std::ranges::find(graph_.activations, after);
      to->second = static_cast<int32_t>(known - graph_.activations.begin());
      if (known == graph_.activations.end()) graph_.activations.push_back(std::move(after));
    }
    at = to->second;
  }
}

std::vector<Ids> Builder::moved(const std::vector<size_t>& data) {
  const network::Operator op = network::find_operator(node_->domain, node_->op);
  if (!op) return {};
  std::vector<network::ArrayPtr> given(node_->inputs.size());
  for (size_t i = 0; i < given.size(); ++i) {
    if (!has(i)) continue;
    if (std::ranges::find(data, i) == data.end()) {
      given[i] = numbers(i);
      if (!given[i]) return {};
    } else if (in(i).ids) {
      given[i] = in(i).ids;
    } else if (const std::vector<int64_t>* dims = dims_in(i)) {
      given[i] = blank(*dims);
    } else {
      return {};
    }
  }
  network::Context context(
      *node_, std::move(given), false,
      [this] { return text("{}: {}", one_line(net_.file), node_->where(net_.values)); },
      [](const network::Graph&, const std::vector<network::ArrayPtr>&) {
        return std::vector<network::ArrayPtr>();
      });
  try {
    op(context);
    return context.take_outputs();
  } catch (const Error&) {
    return {};
  } catch (const network::UnknownShape&) {
    return {};
  }
}

void Builder::unknown() {
  bool reads = false;
  for (size_t i = 0; i < node_->inputs.size(); ++i) reads = reads || in(i).kind != Flow::Kind::plain;
  reads = reads || !node_->bodies.empty();
  if (!reads) return;  // shapes and tables
  if (find_graph_rule(node_->domain, node_->op) && std::ranges::none_of(node_->inputs, [&](int v) {
        return v != kNone && flows_[static_cast<size_t>(v)].kind == Flow::Kind::opaque;
      }))
    remark(text("{} is not understood as it is used", escaped(node_->where(net_.values))));
  const int32_t l = layer("other");
  const int64_t n = add_node(NodeType::opaque, l);
  for (size_t i = 0; i < node_->inputs.size(); ++i) {
    const Flow& flow = in(i);
    if (flow.kind == Flow::Kind::opaque) add_edge(flow.node, n, EdgeType::input, l);
    if (!flow.ids) continue;
    if (flow.kind == Flow::Kind::parameters) {
      for (const int64_t ref : flow.ids->ints)
        if (ref > 0 && !used_[static_cast<size_t>(ref - 1)])
          add_edge(parameter_node(ref), n, EdgeType::other, l, 0, ref);
      continue;
    }
    std::vector<int64_t> from = flow.ids->ints;
    std::ranges::sort(from);
    from.erase(std::unique(from.begin(), from.end()), from.end());
    for (const int64_t id : from)
      if (id != 0) add_edge(node_of(id, l), n, EdgeType::input, l);
  }
  for (size_t i = 0; i < node_->outputs.size(); ++i) {
    const std::vector<int64_t>* dims = dims_out(i);
    if (!dims) {
      out(i, Flow{.kind = Flow::Kind::opaque, .node = n});
      continue;
    }
    auto ids = blank(*dims);
    std::ranges::fill(ids->ints, n + 1);
    out(i, ids);
  }
}

void Builder::mark(const Ids& ids, Role role) {
  for (const int64_t id : ids->ints)
    if (id > 0 && role_[static_cast<size_t>(id - 1)] == Role::none) role_[static_cast<size_t>(id - 1)] = role;
}
void Builder::mark_context(const Ids& ids, bool context) {
  for (const int64_t id : ids->ints)
    if (id > 0) context_[static_cast<size_t>(id - 1)] = context;
}

}  // namespace dws::weights
