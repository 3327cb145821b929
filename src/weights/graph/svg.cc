// The graph as a picture: columns of nodes from input to output, edges by sign and strength.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "weights/graph.h"
#include "weights/graph/text.h"

namespace dws::weights {
namespace {

constexpr std::array kNodeColours = {"#2f9e44", "#495057", "#e8590c", "#f2b705", "#9c36b5",
                                     "#d6336c", "#1098ad", "#0b5f73", "#a61e4d", "#7048e8",
                                     "#66a80f", "#0ca678", "#adb5bd", "#212529"};
static_assert(kNodeColours.size() == static_cast<size_t>(kLastNodeType) + 1);
constexpr const char *kPositive = "#1c6dd0", *kNegative = "#d9480f";
constexpr int kLevels = 6;
constexpr double kTop = 96, kGap = 14;

// Beside the columns: one a layer, where its parameters come from.
bool aside(NodeType t) {
  return (t >= NodeType::bias && t <= NodeType::slope) || t == NodeType::parameter;
}
const char* structural_colour(EdgeType t) {
  switch (t) {
    case EdgeType::residual:
      return "#2b8a3e";
    case EdgeType::gate:
      return "#c2255c";
    case EdgeType::head:
      return "#7048e8";
    default:
      return "#868e96";
  }
}

struct Point {
  double x = 0, y = 0;
};

class Picture {
 public:
  explicit Picture(const WeightGraph& g)
      : g_(g),
        at_(g.node_type.size()),
        column_(g.node_type.size(), 0),
        role_(g.node_type.size(), EdgeType::linear) {
    for (size_t e = 0; e < g.source.size(); ++e)
      if (g.edge_type[e] >= EdgeType::query && g.edge_type[e] <= EdgeType::value)
        role_[static_cast<size_t>(g.target[e])] = g.edge_type[e];

    columns();
    place();
  }
  std::string draw();

 private:
  void columns();
  void place();
  void edges(std::string& out) const;
  void nodes(std::string& out) const;
  void labels(std::string& out) const;
  void legend(std::string& out) const;
  std::string curve(size_t e) const;
  std::string layer_words(int32_t layer) const;

  const WeightGraph& g_;
  std::vector<Point> at_;
  std::vector<int> column_;
  std::vector<EdgeType> role_;                 // of a neuron: query, key or value, else linear
  using Group = std::pair<int32_t, EdgeType>;  // layer and role
  std::map<int, std::vector<Group>> layers_;   // of a column, from top to bottom
  double width_ = 0, height_ = 0, bottom_ = 0, radius_ = 5;
};

// The longest way from the inputs; a layer lies where its deepest node does.
void Picture::columns() {
  std::vector<std::vector<int32_t>> from(g_.layers.size());  // by layer: layers that it reads
  for (size_t e = 0; e < g_.source.size(); ++e) {
    const auto s = static_cast<size_t>(g_.source[e]), t = static_cast<size_t>(g_.target[e]);
    if (aside(g_.node_type[s]) || g_.node_layer[s] >= g_.node_layer[t]) continue;
    auto& list = from[static_cast<size_t>(g_.node_layer[t])];
    if (list.empty() || list.back() != g_.node_layer[s]) list.push_back(g_.node_layer[s]);
  }
  // What reads values comes after the heads that chose among them.
  std::vector<int32_t> heads(g_.layers.size(), -1);
  for (size_t e = 0; e < g_.source.size(); ++e) {
    const auto s = static_cast<size_t>(g_.source[e]), t = static_cast<size_t>(g_.target[e]);
    if (g_.edge_type[e] == EdgeType::head && g_.node_layer[s] > g_.node_layer[t])
      heads[static_cast<size_t>(g_.node_layer[t])] = g_.node_layer[s];
  }
  std::vector<int> depth(g_.layers.size(), 0);
  for (size_t l = 0; l < depth.size(); ++l)
    for (int32_t s : from[l]) {
      depth[l] = std::max(depth[l], depth[static_cast<size_t>(s)] + 1);
      s = heads[static_cast<size_t>(s)];
      if (s >= 0 && s < static_cast<int32_t>(l))
        depth[l] = std::max(depth[l], depth[static_cast<size_t>(s)] + 1);
    }
  // Tokens stand before the neurons of their own layer.
  std::vector<bool> tokens(g_.layers.size());
  for (size_t n = 0; n < at_.size(); ++n)
    if (g_.node_type[n] == NodeType::token) tokens[static_cast<size_t>(g_.node_layer[n])] = true;
  int shift = 0;
  std::map<int, int> shifted;
  for (size_t l = 0; l < depth.size(); ++l)
    if (tokens[l]) shifted[depth[l]] = 1;
  std::map<int, int> column_of;
  const int deepest = depth.empty() ? 0 : *std::ranges::max_element(depth);
  for (int d = 0; d <= deepest; ++d) {
    if (shifted.contains(d)) ++shift;
    column_of[d] = d + shift;
  }
  for (size_t n = 0; n < at_.size(); ++n) {
    if (aside(g_.node_type[n])) continue;
    const auto l = static_cast<size_t>(g_.node_layer[n]);
    column_[n] = column_of[depth[l]] - (g_.node_type[n] == NodeType::token ? 1 : 0);
    auto& list = layers_[column_[n]];
    const Group group{g_.node_layer[n], role_[n]};
    if (std::ranges::find(list, group) == list.end()) list.push_back(group);
  }
}

void Picture::place() {
  std::map<std::pair<int, Group>, std::vector<size_t>> groups;
  std::map<int, int64_t> count;
  for (size_t n = 0; n < at_.size(); ++n)
    if (!aside(g_.node_type[n])) {
      groups[{column_[n], {g_.node_layer[n], role_[n]}}].push_back(n);
      ++count[column_[n]];
    }
  int64_t most = 1;
  for (const auto& [column, n] : count) most = std::max(most, n);
  const double step = std::clamp(620.0 / static_cast<double>(most), 5.0, 26.0);
  radius_ = std::clamp(step * 0.36, 1.8, 7.0);
  double tallest = 0;
  std::map<int, double> tall;
  for (const auto& [column, list] : layers_) {
    tall[column] = step * static_cast<double>(count[column]) + kGap * static_cast<double>(list.size() - 1);
    tallest = std::max(tallest, tall[column]);
  }
  const double apart = layers_.size() > 12 ? 130 : 190;
  double x = 80;
  for (auto& [column, list] : layers_) {
    double y = kTop + 70 + (tallest - tall[column]) / 2;
    for (const Group& group : list) {
      for (const size_t n : groups[{column, group}]) {
        at_[n] = {x, y + step / 2};
        y += step;
      }
      y += kGap;
    }
    x += apart;
  }
  width_ = std::max(x - apart + 110, 760.0);
  bottom_ = kTop + 70 + tallest;
  height_ = bottom_ + 150;
  // Nodes beside: above the gap in front of what they feed, side by side.
  std::map<int, int> taken;
  std::vector<double> first(at_.size(), -1);
  for (size_t e = 0; e < g_.source.size(); ++e) {
    const auto s = static_cast<size_t>(g_.source[e]), t = static_cast<size_t>(g_.target[e]);
    if (aside(g_.node_type[s]) && !aside(g_.node_type[t]) && first[s] < 0) first[s] = at_[t].x;
  }
  for (size_t n = 0; n < at_.size(); ++n) {
    if (!aside(g_.node_type[n])) continue;
    const double base = first[n] < 0 ? width_ - 40 : first[n];
    const int k = taken[static_cast<int>(base)]++;
    at_[n] = {base - apart * 0.42 + 15 * (k % 5), kTop + 16 + 14 * (k / 5 % 3)};
  }
}

std::string Picture::curve(size_t e) const {
  const Point a = at_[static_cast<size_t>(g_.source[e])], b = at_[static_cast<size_t>(g_.target[e])];
  if (g_.source[e] == g_.target[e])
    return text("M{:.1f} {:.1f}c{:.1f} {:.1f} {:.1f} {:.1f} 0 0", a.x, a.y, radius_ * 3, -radius_ * 3,
                -radius_ * 3, -radius_ * 3);
  // Edges between the same nodes fan out by their place in the kernel.
  const double fan = (g_.position[e] % 2 ? 1.0 : -1.0) * std::min(30.0, 1.6 * ((g_.position[e] + 1) / 2));
  const double bend = std::abs(b.x - a.x) < 1 ? 46 : (b.x - a.x) * 0.45;
  return text("M{:.1f} {:.1f}C{:.0f} {:.0f} {:.0f} {:.0f} {:.1f} {:.1f}", a.x, a.y, a.x + bend, a.y + fan,
              std::abs(b.x - a.x) < 1 ? b.x + bend : b.x - bend, b.y + fan, b.x, b.y);
}

void Picture::edges(std::string& out) const {
  // Strength within a layer and type: |weight| by its largest.
  std::map<std::pair<int32_t, EdgeType>, double> largest;
  for (size_t e = 0; e < g_.source.size(); ++e)
    if (std::isfinite(g_.weight[e]) && g_.tensor[e] >= 0) {
      double& most = largest[{g_.edge_layer[e], g_.edge_type[e]}];
      most = std::max(most, std::abs(g_.weight[e]));
    }
  std::array<std::string, 2 * kLevels> strong;  // by level, negative ones first
  std::map<EdgeType, std::string> structural;
  for (size_t e = 0; e < g_.source.size(); ++e) {
    const bool loop = g_.source[e] == g_.target[e];
    if (loop && aside(g_.node_type[static_cast<size_t>(g_.source[e])])) continue;
    if (g_.tensor[e] < 0 || g_.edge_type[e] == EdgeType::tied) {
      structural[g_.edge_type[e]] += curve(e);
      continue;
    }
    const double most = largest[{g_.edge_layer[e], g_.edge_type[e]}];
    const double share = most > 0 && std::isfinite(g_.weight[e]) ? std::abs(g_.weight[e]) / most : 0;
    const int level = std::min(kLevels - 1, static_cast<int>(share * kLevels));
    strong[static_cast<size_t>(2 * level + (g_.weight[e] < 0 ? 0 : 1))] += curve(e);
  }
  // Many edges are drawn fainter; the strongest last.
  const double crowd = std::clamp(std::sqrt(900.0 / static_cast<double>(g_.edges() + 1)), 0.35, 1.0);
  for (size_t i = 0; i < strong.size(); ++i) {
    if (strong[i].empty()) continue;
    const double level = static_cast<double>(i / 2) / (kLevels - 1);
    out += text("<path d=\"{}\" stroke=\"{}\" stroke-width=\"{:.2f}\" stroke-opacity=\"{:.2f}\"/>\n",
                strong[i], i % 2 ? kPositive : kNegative, 0.35 + 1.5 * level * level,
                (0.10 + 0.8 * level * level) * crowd + 0.04);
  }
  for (const auto& [type, d] : structural)
    out += text(
        "<path d=\"{}\" stroke=\"{}\" stroke-width=\"1\" stroke-opacity=\"{}\" stroke-dasharray=\"4 3\"/>\n",
        d, structural_colour(type), type == EdgeType::tied ? "0.15" : "0.6");
}

void Picture::nodes(std::string& out) const {
  for (size_t n = 0; n < at_.size(); ++n) {
    const NodeType t = g_.node_type[n];
    const std::string& activation = g_.activations[static_cast<size_t>(g_.node_activation[n])];
    const std::string title = xml_text(text("{} {}: {}{}{}", to_string(t), n, layer_words(g_.node_layer[n]),
                                            activation.empty() ? "" : ", ", activation));
    if (aside(t))
      out += text(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"9\" height=\"9\" rx=\"2\" "
          "fill=\"{}\"><title>{}</title></rect>\n",
          at_[n].x - 4.5, at_[n].y - 4.5, kNodeColours[static_cast<size_t>(t)], title);
    else
      out += text("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"{}\"><title>{}</title></circle>\n",
                  at_[n].x, at_[n].y, radius_, kNodeColours[static_cast<size_t>(t)], title);
  }
}

std::string Picture::layer_words(int32_t layer) const {
  const GraphLayer& l = g_.layers[static_cast<size_t>(layer)];
  return l.op.empty() ? l.kind : text("{} {}", l.op, l.name);
}

void Picture::labels(std::string& out) const {
  for (const auto& [column, list] : layers_) {
    std::vector<std::string> words, functions;
    const auto add = [](std::vector<std::string>& to, const std::string& word) {
      if (std::ranges::find(to, word) == to.end()) to.push_back(word);
    };
    double x = 0;
    int64_t count = 0;
    for (size_t n = 0; n < at_.size(); ++n) {
      if (aside(g_.node_type[n]) || column_[n] != column) continue;
      x = at_[n].x;
      ++count;
      const GraphLayer& l = g_.layers[static_cast<size_t>(g_.node_layer[n])];
      add(words, g_.node_type[n] == NodeType::head    ? "heads"
                 : g_.node_type[n] == NodeType::token ? "tokens"
                 : role_[n] != EdgeType::linear       ? to_string(role_[n])
                 : l.op.empty()                       ? l.kind
                                                      : l.op);
      if (g_.node_activation[n] > 0)
        add(functions, g_.activations[static_cast<size_t>(g_.node_activation[n])]);
    }
    const auto line = [&](double y, const std::string& s, const char* fill, const char* weight) {
      std::string cut = s.size() > 26 ? s.substr(0, 24) + "…" : s;
      out += text(
          "<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"{}\" font-weight=\"{}\" text-anchor=\"middle\">{}</text>\n",
          x, y, fill, weight, xml_text(cut));
    };
    const double y = bottom_ + 24;
    line(y, text("{}", count), "#212529", "600");
    line(y + 15, join(words, ", "), "#495057", "400");
    if (!functions.empty()) line(y + 30, join(functions, ", "), "#868e96", "400");
  }
}

void Picture::legend(std::string& out) const {
  double x = 40;
  const double y = height_ - 26;
  const auto word = [&](const std::string& s) {
    out += text("<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"#495057\">{}</text>\n", x, y + 4, xml_text(s));
    x += 7.4 * static_cast<double>(s.size()) + 22;
  };
  std::array<bool, kNodeColours.size()> seen{};
  for (const NodeType t : g_.node_type) seen[static_cast<size_t>(t)] = true;
  for (size_t t = 0; t < seen.size(); ++t) {
    if (!seen[t]) continue;
    const auto type = static_cast<NodeType>(t);
    if (aside(type))
      out += text("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"9\" height=\"9\" rx=\"2\" fill=\"{}\"/>\n",
                  x - 4.5, y - 4.5, kNodeColours[t]);
    else
      out += text("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"{}\"/>\n", x, y, kNodeColours[t]);
    x += 10;
    word(to_string(type));
  }
  // Edges in the line above.
  x = 40;
  const double line = y - 24;
  const auto stroke = [&](const char* colour, const char* dash, const std::string& s) {
    out += text("<path d=\"M{:.1f} {:.1f}h26\" stroke=\"{}\" stroke-width=\"2\" fill=\"none\"{}/>\n", x - 5,
                line, colour, dash);
    x += 28;
    out += text("<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"#495057\">{}</text>\n", x, line + 4, xml_text(s));
    x += 7.0 * static_cast<double>(s.size()) + 20;
  };
  stroke(kPositive, "", "positive weight");
  stroke(kNegative, "", "negative weight (stronger: darker)");
  std::array<bool, static_cast<size_t>(kLastEdgeType) + 1> edges{};
  for (const EdgeType t : g_.edge_type) edges[static_cast<size_t>(t)] = true;
  for (auto t = static_cast<size_t>(EdgeType::tied); t < edges.size(); ++t)
    if (edges[t])
      stroke(structural_colour(static_cast<EdgeType>(t)), " stroke-dasharray=\"4 3\"",
             to_string(static_cast<EdgeType>(t)));
}

std::string Picture::draw() {
  std::string out = text(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
      "height=\"{1:.0f}\" "
      "font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\" font-size=\"12\">\n",
      width_, height_);
  out += text("<rect width=\"{:.0f}\" height=\"{:.0f}\" fill=\"#ffffff\"/>\n", width_, height_);
  const size_t slash = g_.file.rfind('/');
  out += text("<text x=\"40\" y=\"40\" font-size=\"19\" font-weight=\"600\" fill=\"#212529\">{}</text>\n",
              xml_text(slash == std::string::npos ? g_.file : g_.file.substr(slash + 1)));
  out += text(
      "<text x=\"40\" y=\"62\" font-size=\"13\" fill=\"#868e96\">{} nodes, {} edges, {} parameters</text>\n",
      g_.nodes(), g_.edges(), g_.parameters());
  out += "<g fill=\"none\" stroke-linecap=\"round\">\n";
  edges(out);
  out += "</g>\n<g stroke=\"#ffffff\" stroke-width=\"0.8\">\n";
  nodes(out);
  out += "</g>\n";
  labels(out);
  legend(out);
  return out + "</svg>\n";
}

}  // namespace

void write_graph_svg(const WeightGraph& g, const std::string& path, bool force) {
  if (g.edges() > kMostDrawn)
    throw Error(
        ErrorKind::too_large,
        text("{}: a picture of {} edges: expected at most {}", one_line(g.file), g.edges(), kMostDrawn),
        "write .graphml or .dot and draw a part of it with another program");
  write_text(path, Picture(g).draw(), force);
}

}  // namespace dws::weights
