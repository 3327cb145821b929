// The graph as JSON: tables, and an array a column. Written in a stream, as it may have millions of edges.
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "weights/graph.h"

namespace dws::weights {
namespace {

std::string json_number(double v) {
  if (std::isnan(v)) return "\"NaN\"";
  if (std::isinf(v)) return v > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  return v == 0 && std::signbit(v) ? "-0.0" : number(v);
}
double number_from(const Json& json) {
  if (!json.is_string()) return json.as_double("weight");
  const std::string& word = json.as_string();
  if (word == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (word == "Infinity" || word == "-Infinity")
    return word[0] == '-' ? -std::numeric_limits<double>::infinity()
                          : std::numeric_limits<double>::infinity();
  throw Error(ErrorKind::bad_schema, text("weight '{}': expected a number", escaped(word)));
}

template <class List, class Write>
void column(AtomicFile& file, const char* name, const List& list, const Write& write, bool last = false) {
  std::string line = text("  \"{}\": [", name);
  for (size_t i = 0; i < list.size(); ++i) {
    if (i > 0) line += ',';
    line += write(list[i]);
    if (line.size() > 60'000) {
      file.write(line);
      line.clear();
    }
  }
  file.write(line + (last ? "]\n" : "],\n"));
}

template <class Out>
std::vector<Out> integers(const Json& json, const char* name, int64_t least, int64_t most) {
  std::vector<Out> out;
  for (const Json& v : json.at(name).as_array(name)) {
    const int64_t n = v.as_int(name);
    if (n < least || n > most)
      throw Error(ErrorKind::bad_value,
                  text("{}: {} at {}: expected {} to {}", name, n, out.size(), least, most));
    out.push_back(static_cast<Out>(n));
  }
  return out;
}

}  // namespace

void write_graph_json(const WeightGraph& g, const std::string& path, const Json& recipe, bool force) {
  AtomicFile file(path, force);
  Json tables = graph_tables(g);
  if (!recipe.is_null()) tables.set("recipe", recipe);
  std::string head = tables.dump(1);
  head.resize(head.rfind('}'));
  while (!head.empty() && (head.back() == '\n' || head.back() == ' ')) head.pop_back();
  file.write(head + ",\n \"nodes\": {\n");
  const auto integer = [](auto v) { return text("{}", static_cast<int64_t>(v)); };
  column(file, "type", g.node_type, integer);
  column(file, "layer", g.node_layer, integer);
  column(file, "order", g.node_order, integer);
  column(file, "activation", g.node_activation, integer, true);
  file.write(" },\n \"edges\": {\n");
  column(file, "source", g.source, integer);
  column(file, "target", g.target, integer);
  column(file, "weight", g.weight, json_number);
  column(file, "type", g.edge_type, integer);
  column(file, "layer", g.edge_layer, integer);
  column(file, "position", g.position, integer);
  column(file, "tensor", g.tensor, integer);
  column(file, "index", g.index, integer, true);
  file.write(" }\n}\n");
  file.commit();
}

WeightGraph graph_from_json(std::string_view json_text, const std::string& name) {
  const Json json = Json::parse(json_text, name);
  WeightGraph g = graph_from_tables(json, name);
  constexpr int64_t kMost = (int64_t{1} << 31) - 1, kLong = int64_t{1} << 61;
  try {
    const Json &nodes = json.at("nodes"), &edges = json.at("edges");
    for (const uint8_t t : integers<uint8_t>(nodes, "type", 0, static_cast<int64_t>(kLastNodeType)))
      g.node_type.push_back(static_cast<NodeType>(t));
    g.node_layer = integers<int32_t>(nodes, "layer", 0, kMost);
    g.node_order = integers<int64_t>(nodes, "order", -1, kLong);
    g.node_activation = integers<int32_t>(nodes, "activation", 0, kMost);
    g.source = integers<int32_t>(edges, "source", 0, kMost);
    g.target = integers<int32_t>(edges, "target", 0, kMost);
    for (const Json& v : edges.at("weight").as_array("weight")) g.weight.push_back(number_from(v));
    for (const uint8_t t : integers<uint8_t>(edges, "type", 0, static_cast<int64_t>(kLastEdgeType)))
      g.edge_type.push_back(static_cast<EdgeType>(t));
    g.edge_layer = integers<int32_t>(edges, "layer", 0, kMost);
    g.position = integers<int32_t>(edges, "position", 0, kMost);
    g.tensor = integers<int32_t>(edges, "tensor", -1, kMost);
    g.index = integers<int64_t>(edges, "index", -1, kLong);
  } catch (const Error& e) {
    throw Error(e.kind(), text("{}: {}", one_line(name), e.what()));
  }
  check_graph(g);
  return g;
}

}  // namespace dws::weights
