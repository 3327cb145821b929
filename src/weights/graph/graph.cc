// Names, checks and tables of the weight graph.
#include "weights/graph.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include "core/error.h"
#include "core/shape.h"
#include "core/text.h"

namespace dws::weights {
namespace {

constexpr std::array kNodeNames = {"input",    "neuron", "output", "bias",  "gamma", "beta",      "mean",
                                   "variance", "slope",  "head",   "token", "place", "parameter", "opaque"};
constexpr std::array kEdgeNames = {
    "linear", "conv",     "query", "key",       "value",           "output",    "bias",  "gamma", "beta",
    "mean",   "variance", "slope", "embedding", "recurrent_input", "recurrent", "other", "tied",  "residual",
    "gate",   "mix",      "head",  "pool",      "lookup",          "input"};
static_assert(kNodeNames.size() == static_cast<size_t>(kLastNodeType) + 1);
static_assert(kEdgeNames.size() == static_cast<size_t>(kLastEdgeType) + 1);

Json ints(const std::vector<int64_t>& list) {
  Json json = Json::array();
  for (const int64_t v : list) json.push_back(v);
  return json;
}
std::vector<int64_t> ints_from(const Json& json, std::string_view what) {
  std::vector<int64_t> list;
  for (const Json& v : json.as_array(what)) list.push_back(v.as_int(what));
  return list;
}
std::vector<std::string> strings_from(const Json& json, std::string_view what) {
  std::vector<std::string> list;
  for (const Json& v : json.as_array(what)) list.push_back(v.as_string(what));
  return list;
}
Json strings(const std::vector<std::string>& list) {
  Json json = Json::array();
  for (const std::string& s : list) json.push_back(s);
  return json;
}
template <class Names>
void require_names(const Json& json, const char* field, const Names& names) {
  const std::vector<std::string> given = strings_from(json.at(field), field);
  if (!std::ranges::equal(given, names))
    throw Error(ErrorKind::bad_schema, text("{}: not the types of this version of the format", field));
}

}  // namespace

const char* to_string(NodeType type) noexcept {
  return kNodeNames[static_cast<size_t>(type)];
}
const char* to_string(EdgeType type) noexcept {
  return kEdgeNames[static_cast<size_t>(type)];
}
bool has_parameter(EdgeType type) noexcept {
  return type < EdgeType::tied;
}
int64_t GraphTensor::elements() const noexcept {
  int64_t n = 1;
  for (const int64_t d : dims) n *= d;
  return n;
}
int64_t WeightGraph::parameters() const noexcept {
  int64_t n = 0;
  for (const GraphTensor& t : tensors) n += t.elements();
  return n;
}

void check_graph(const WeightGraph& g) {
  const auto fail = [&](ErrorKind kind, const std::string& what) {
    throw Error(kind, text("{}: {}", one_line(g.file), what));
  };
  const int64_t nodes = g.nodes(), edges = g.edges();
  for (const size_t n : {g.node_layer.size(), g.node_order.size(), g.node_activation.size()})
    if (static_cast<int64_t>(n) != nodes) fail(ErrorKind::mismatch, "columns of nodes of different lengths");
  for (const size_t n : {g.target.size(), g.weight.size(), g.edge_type.size(), g.edge_layer.size(),
                         g.position.size(), g.tensor.size(), g.index.size()})
    if (static_cast<int64_t>(n) != edges) fail(ErrorKind::mismatch, "columns of edges of different lengths");
  const auto layers = static_cast<int64_t>(g.layers.size());
  const auto range = [&](int64_t value, int64_t least, int64_t end, const char* what, const char* of,
                         int64_t at) {
    if (value < least || value >= end)
      fail(ErrorKind::bad_value,
           text("{} {} of {} {}: expected {} to {}", what, value, of, at, least, end - 1));
  };
  for (int64_t n = 0; n < nodes; ++n) {
    const auto i = static_cast<size_t>(n);
    range(g.node_layer[i], 0, layers, "layer", "node", n);
    range(g.node_activation[i], 0, static_cast<int64_t>(g.activations.size()), "activation", "node", n);
    range(g.node_order[i], -1, int64_t{1} << 62, "order", "node", n);
  }
  std::vector<int64_t> first;
  int64_t all = 0;
  for (const GraphTensor& t : g.tensors) {
    first.push_back(all);
    int64_t n = 0;
    try {
      n = network::elements(t.dims);
    } catch (const Error&) {
      fail(ErrorKind::shape_overflow, text("tensor '{}': a shape beyond 64 bits", escaped(t.name)));
    }
    if (__builtin_add_overflow(all, n, &all) || all > edges)
      fail(ErrorKind::mismatch, text("the tensors up to '{}' have more numbers than there are edges ({})",
                                     escaped(t.name), edges));
  }
  std::vector<bool> found(static_cast<size_t>(all));
  for (int64_t e = 0; e < edges; ++e) {
    const auto i = static_cast<size_t>(e);
    range(g.source[i], 0, nodes, "source", "edge", e);
    range(g.target[i], 0, nodes, "target", "edge", e);
    range(g.edge_layer[i], 0, layers, "layer", "edge", e);
    range(g.position[i], 0, int64_t{1} << 31, "position", "edge", e);
    const bool own = has_parameter(g.edge_type[i]), some = own || g.edge_type[i] == EdgeType::tied;
    if (!some) {
      range(g.tensor[i], -1, 0, "tensor", "edge", e);
      continue;
    }
    range(g.tensor[i], 0, static_cast<int64_t>(g.tensors.size()), "tensor", "edge", e);
    const auto t = static_cast<size_t>(g.tensor[i]);
    range(g.index[i], 0, g.tensors[t].elements(), "index", "edge", e);
    if (!own) continue;
    const auto p = static_cast<size_t>(first[t] + g.index[i]);
    if (found[p])
      fail(ErrorKind::duplicate_name,
           text("two edges for number {} of tensor '{}'", g.index[i], escaped(g.tensors[t].name)));
    found[p] = true;
  }
  const auto missing = std::ranges::find(found, false);
  if (missing == found.end()) return;
  const int64_t p = missing - found.begin();
  const auto t = static_cast<size_t>(std::ranges::upper_bound(first, p) - first.begin()) - 1;
  fail(ErrorKind::mismatch,
       text("no edge for number {} of tensor '{}'", p - first[t], escaped(g.tensors[t].name)));
}

Json graph_tables(const WeightGraph& g) {
  Json json = Json::object({{"schema", "dws.graph/1"}, {"file", g.file}});
  json.set("node_types", strings({kNodeNames.begin(), kNodeNames.end()}));
  json.set("edge_types", strings({kEdgeNames.begin(), kEdgeNames.end()}));
  json.set("activations", strings(g.activations));
  Json layers = Json::array(), tensors = Json::array();
  for (const GraphLayer& l : g.layers) {
    Json row = Json::object({{"name", l.name}, {"op", l.op}, {"kind", l.kind}});
    if (!l.kernel.empty()) {
      row.set("kernel", ints(l.kernel));
      row.set("strides", ints(l.strides));
      row.set("pads", ints(l.pads));
      row.set("dilations", ints(l.dilations));
    }
    if (l.groups != 1) row.set("groups", l.groups);
    layers.push_back(std::move(row));
  }
  for (const GraphTensor& t : g.tensors)
    tensors.push_back(
        Json::object({{"name", t.name}, {"dtype", onnx_type_name(t.type)}, {"shape", ints(t.dims)}}));
  json.set("layers", std::move(layers));
  json.set("tensors", std::move(tensors));
  json.set("remarks", strings(g.remarks));
  return json;
}

WeightGraph graph_from_tables(const Json& json, const std::string& name) {
  WeightGraph g;
  try {
    if (json.at("schema").as_string("schema") != "dws.graph/1")
      throw Error(ErrorKind::bad_schema, "expected schema 'dws.graph/1'");
    require_names(json, "node_types", kNodeNames);
    require_names(json, "edge_types", kEdgeNames);
    g.activations = strings_from(json.at("activations"), "activations");
    g.remarks = strings_from(json.at("remarks"), "remarks");
    for (const Json& row : json.at("layers").as_array("layers")) {
      GraphLayer l{.name = row.at("name").as_string("name"),
                   .op = row.at("op").as_string("op"),
                   .kind = row.at("kind").as_string("kind")};
      for (const auto& [field, list] : {std::pair("kernel", &l.kernel), std::pair("strides", &l.strides),
                                        std::pair("pads", &l.pads), std::pair("dilations", &l.dilations)})
        if (const Json* given = row.find(field)) *list = ints_from(*given, field);
      if (const Json* groups = row.find("groups")) l.groups = groups->as_int("groups");
      g.layers.push_back(std::move(l));
    }
    for (const Json& row : json.at("tensors").as_array("tensors")) {
      GraphTensor t{.name = row.at("name").as_string("name"), .dims = ints_from(row.at("shape"), "shape")};
      const std::string& type = row.at("dtype").as_string("dtype");
      int32_t number = 1;
      while (number <= kLastOnnxType && onnx_type_name(static_cast<OnnxType>(number)) != type) ++number;
      if (number > kLastOnnxType) throw Error(ErrorKind::unknown_dtype, text("dtype '{}'", escaped(type)));
      t.type = static_cast<OnnxType>(number);
      if (std::ranges::any_of(t.dims, [](int64_t d) { return d < 0; }))
        throw Error(ErrorKind::bad_value, text("tensor '{}': a shape with a negative size", escaped(t.name)));
      g.tensors.push_back(std::move(t));
    }
  } catch (const Error& e) {
    throw Error(e.kind(), text("{}: {}", one_line(name), e.what()));
  }
  g.file = name;
  return g;
}

Json graph_summary(const WeightGraph& g) {
  std::array<int64_t, kNodeNames.size()> nodes{};
  std::array<int64_t, kEdgeNames.size()> edges{};
  for (const NodeType t : g.node_type) ++nodes[static_cast<size_t>(t)];
  for (const EdgeType t : g.edge_type) ++edges[static_cast<size_t>(t)];
  Json json = Json::object({{"schema", "dws.graph.summary/1"},
                            {"file", g.file},
                            {"nodes", g.nodes()},
                            {"edges", g.edges()},
                            {"parameters", g.parameters()},
                            {"layers", static_cast<int64_t>(g.layers.size())}});
  const auto counts = [](const auto& count, const auto& names) {
    Json table = Json::object();
    for (size_t i = 0; i < count.size(); ++i)
      if (count[i] > 0) table.set(names[i], count[i]);
    return table;
  };
  json.set("nodes_by_type", counts(nodes, kNodeNames));
  json.set("edges_by_type", counts(edges, kEdgeNames));
  Json activations = Json::object();
  std::vector<int64_t> active(g.activations.size());
  for (const int32_t a : g.node_activation) ++active[static_cast<size_t>(a)];
  for (size_t a = 1; a < active.size(); ++a)
    if (active[a] > 0) activations.set(g.activations[a], active[a]);
  json.set("activations", std::move(activations));
  Json kinds = Json::object();
  std::map<std::string, int64_t> by_kind;
  for (const GraphLayer& l : g.layers) ++by_kind[l.kind];
  for (const auto& [kind, n] : by_kind) kinds.set(kind, n);
  json.set("layers_by_kind", std::move(kinds));
  json.set("remarks", strings(g.remarks));
  return json;
}

}  // namespace dws::weights
