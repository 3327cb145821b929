// The graph for Graphviz and for readers of GraphML.
#include <cmath>

#include "core/file.h"
#include "core/text.h"
#include "weights/graph.h"
#include "weights/graph/text.h"

namespace dws::weights {
namespace {

std::string xsd_number(double v) {
  return std::isnan(v) ? "NaN" : std::isinf(v) ? (v > 0 ? "INF" : "-INF") : number(v);
}

}  // namespace

void write_graph_dot(const WeightGraph& g, const std::string& path, bool force) {
  AtomicFile file(path, force);
  file.write(
      text("digraph \"{}\" {{\n  rankdir=LR;\n  node [shape=circle, label=\"\"];\n", dot_text(g.file)));
  for (size_t n = 0; n < g.node_type.size(); ++n) {
    const auto& activation = g.activations[static_cast<size_t>(g.node_activation[n])];
    file.write(text("  {} [type=\"{}\", layer={}, order={}, activation=\"{}\", tooltip=\"{} {}\"];\n", n,
                    to_string(g.node_type[n]), g.node_layer[n], g.node_order[n], dot_text(activation),
                    to_string(g.node_type[n]),
                    dot_text(g.layers[static_cast<size_t>(g.node_layer[n])].name)));
  }
  for (size_t e = 0; e < g.source.size(); ++e) {
    file.write(text("  {} -> {} [type=\"{}\", weight=\"{}\", layer={}, position={}", g.source[e], g.target[e],
                    to_string(g.edge_type[e]), number(g.weight[e]), g.edge_layer[e], g.position[e]));
    if (g.tensor[e] >= 0)
      file.write(text(", tensor=\"{}\", index={}", dot_text(g.tensors[static_cast<size_t>(g.tensor[e])].name),
                      g.index[e]));
    file.write("];\n");
  }
  file.write("}\n");
  file.commit();
}

void write_graph_ml(const WeightGraph& g, const std::string& path, const Json& recipe, bool force) {
  AtomicFile file(path, force);
  file.write(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\" "
      "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
      "xsi:schemaLocation=\"http://graphml.graphdrawing.org/xmlns "
      "http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd\">\n");
  const auto key = [&](const char* id, const char* of, const char* name, const char* type) {
    file.write(text("<key id=\"{}\" for=\"{}\" attr.name=\"{}\" attr.type=\"{}\"/>\n", id, of, name, type));
  };
  key("nt", "node", "type", "string");
  key("nl", "node", "layer", "int");
  key("no", "node", "order", "long");
  key("na", "node", "activation", "string");
  key("nn", "node", "layer_name", "string");
  key("et", "edge", "type", "string");
  key("ew", "edge", "weight", "double");
  key("el", "edge", "layer", "int");
  key("ep", "edge", "position", "int");
  key("en", "edge", "tensor", "string");
  key("ei", "edge", "index", "long");
  key("gf", "graph", "file", "string");
  key("gt", "graph", "tables", "string");
  file.write("<graph id=\"G\" edgedefault=\"directed\">\n");
  Json tables = graph_tables(g);
  if (!recipe.is_null()) tables.set("recipe", recipe);
  file.write(text("<data key=\"gf\">{}</data>\n<data key=\"gt\">{}</data>\n", xml_text(g.file),
                  xml_text(tables.dump())));
  for (size_t n = 0; n < g.node_type.size(); ++n) {
    file.write(text(
        "<node id=\"n{}\"><data key=\"nt\">{}</data><data key=\"nl\">{}</data><data key=\"no\">{}</data>", n,
        to_string(g.node_type[n]), g.node_layer[n], g.node_order[n]));
    file.write(text("<data key=\"na\">{}</data><data key=\"nn\">{}</data></node>\n",
                    xml_text(g.activations[static_cast<size_t>(g.node_activation[n])]),
                    xml_text(g.layers[static_cast<size_t>(g.node_layer[n])].name)));
  }
  for (size_t e = 0; e < g.source.size(); ++e) {
    file.write(
        text("<edge source=\"n{}\" target=\"n{}\"><data key=\"et\">{}</data><data key=\"ew\">{}</data>",
             g.source[e], g.target[e], to_string(g.edge_type[e]), xsd_number(g.weight[e])));
    file.write(text("<data key=\"el\">{}</data><data key=\"ep\">{}</data>", g.edge_layer[e], g.position[e]));
    if (g.tensor[e] >= 0)
      file.write(text("<data key=\"en\">{}</data><data key=\"ei\">{}</data>",
                      xml_text(g.tensors[static_cast<size_t>(g.tensor[e])].name), g.index[e]));
    file.write("</edge>\n");
  }
  file.write("</graph>\n</graphml>\n");
  file.commit();
}

}  // namespace dws::weights
