// The graph's files: well formed whatever the names, and refused in one line when they are not what they should be.
#include <cmath>
#include <functional>
#include <limits>

#include "core/file.h"
#include "format/safetensors.h"
#include "graph_testing.h"
#include "weights/graph/text.h"

namespace dws::weights {
namespace {

using dws::testing::expect_error;
using dws::testing::TempDir;
using testing::count;
using testing::Model;
using testing::Small;

// Elements of an XML text by name; fails where tags do not match or a character is not escaped.
std::map<std::string, int64_t> elements_of(const std::string& xml) {
  std::map<std::string, int64_t> found;
  std::vector<std::string> open;
  for (size_t i = 0; i < xml.size(); ++i) {
    if (xml[i] == '&') {
      const std::string rest = xml.substr(i, 7);
      EXPECT_TRUE(rest.starts_with("&amp;") || rest.starts_with("&lt;") || rest.starts_with("&gt;") ||
                  rest.starts_with("&quot;") || rest.starts_with("&#"))
          << rest;
    }
    EXPECT_NE(xml[i], '>') << "outside a tag, at " << i;
    if (xml[i] != '<') continue;
    const size_t end = xml.find('>', i);
    if (end == std::string::npos) {
      ADD_FAILURE() << "a tag without an end";
      return found;
    }
    const std::string tag = xml.substr(i + 1, end - i - 1);
    EXPECT_EQ(std::ranges::count(tag, '"') % 2, 0) << tag;
    EXPECT_EQ(tag.find('<'), std::string::npos) << tag;
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag[0] == '/') {
      EXPECT_FALSE(open.empty());
      if (!open.empty()) {
        EXPECT_EQ(open.back(), tag.substr(1));
        open.pop_back();
      }
    } else if (tag[0] != '?') {
      ++found[name];
      if (tag.back() != '/') open.push_back(name);
    }
    i = end;
  }
  EXPECT_TRUE(open.empty());
  return found;
}

// Names that would end a string or a tag.
WeightGraph hostile_names() {
  Small s;
  const int x = s.input("x", {2, 3});
  const int w = s.weight("a\"b<c>&\\d\x01\xFF\n\xC3\xA4", {3, 2});
  WeightGraph g = s.graph(s.node("Tanh", {s.node("MatMul", {x, w})}));
  g.file = "f\"<&>\\";
  for (GraphLayer& l : g.layers) l.name = "l\"<&>\\";
  return g;
}

TEST(GraphFiles, XmlTextHasNoMarkupAndNoCharacterThatXmlHasNot) {
  EXPECT_EQ(xml_text("a<b>&\"c"), "a&lt;b&gt;&amp;&quot;c");
  EXPECT_EQ(xml_text("\xC3\xA4\x01\xFF"), "\xC3\xA4\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(xml_text("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // half a surrogate pair
  EXPECT_EQ(xml_text("\xC0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD");                  // a zero in two bytes
  EXPECT_EQ(xml_text("\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD");                  // cut short
  EXPECT_EQ(xml_text("a\n"), "a&#10;");
  EXPECT_EQ(dot_text("a\"b\\\n"), "a\\\"b\\\\\xEF\xBF\xBD");
}

TEST(GraphFiles, GraphMlAndSvgAreWellFormed) {
  const TempDir folder;
  for (const WeightGraph& g : {hostile_names(), Model("encoder_pre_norm").graph, Model("lstm").graph}) {
    write_graph_ml(g, folder / "g.graphml", nullptr, true);
    const auto ml = elements_of(read_text(folder / "g.graphml"));
    EXPECT_EQ(ml.at("node"), g.nodes());
    EXPECT_EQ(ml.at("edge"), g.edges());
    EXPECT_EQ(ml.at("key"), 13);
    write_graph_svg(g, folder / "g.svg", true);
    const auto svg = elements_of(read_text(folder / "g.svg"));
    EXPECT_GE(svg.at("circle") + svg.at("rect"), g.nodes());
    EXPECT_GE(svg.at("text"), 4);
  }
}

TEST(GraphFiles, DotHasALineANodeAndAnEdge) {
  const TempDir folder;
  for (const WeightGraph& g : {hostile_names(), Model("cnn").graph}) {
    write_graph_dot(g, folder / "g.dot", true);
    const std::string dot = read_text(folder / "g.dot");
    int64_t lines = 0, arrows = 0, quotes = 0;
    for (size_t i = 0; i < dot.size(); ++i) {
      if (dot[i] == '\\') {
        ++i;
        continue;
      }
      quotes += dot[i] == '"';
      EXPECT_FALSE(quotes % 2 == 1 && dot[i] == '\n') << "a string over lines";
      if (quotes % 2 == 0) arrows += dot.compare(i, 4, " -> ") == 0;
      lines += dot[i] == '\n';
    }
    EXPECT_EQ(quotes % 2, 0);
    EXPECT_EQ(arrows, g.edges());
    EXPECT_EQ(lines, 4 + g.nodes() + g.edges());
  }
}

TEST(GraphFiles, APictureOfTooManyEdgesIsRefused) {
  WeightGraph g = Model("mlp_relu").graph;
  while (g.edges() <= kMostDrawn)
    for (auto* list : {&g.source, &g.target, &g.edge_layer, &g.position, &g.tensor}) list->push_back(0);
  g.edge_type.resize(g.source.size());
  const TempDir folder;
  expect_error(
      ErrorKind::too_large, [&] { write_graph_svg(g, folder / "g.svg", false); }, "expected at most 20000");
}

TEST(GraphFiles, NumbersRoundTrip) {
  Small s;
  const int x = s.input("x", {1, 2}, OnnxType::f64);
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> numbers = {0.1, -0.0, 5e-324, inf, -inf, std::nan("")};
  const WeightGraph g = s.graph(s.node("MatMul", {x, s.constant("w", OnnxType::f64, {2, 3}, numbers)}));
  const TempDir folder;
  write_graph_json(g, folder / "g.json", nullptr, false);
  write_graph_csr(g, folder / "g.safetensors", nullptr, false);
  for (const char* name : {"g.json", "g.safetensors"}) {
    const WeightGraph read = read_graph(folder / name);
    EXPECT_TRUE(changed_tensors(read, s.net).empty()) << name;
    for (size_t e = 0; e < read.source.size(); ++e) {
      const double expected = numbers[static_cast<size_t>(read.index[e])];
      EXPECT_TRUE(read.weight[e] == expected || (std::isnan(expected) && std::isnan(read.weight[e])));
      EXPECT_EQ(std::signbit(read.weight[e]), std::signbit(expected)) << name << ' ' << expected;
    }
  }
}

TEST(GraphFiles, RowsAreBySource) {
  const WeightGraph g = Model("cnn").graph;
  const TempDir folder;
  write_graph_csr(g, folder / "g.safetensors", Json::object({{"command", "c"}}), false);
  const Safetensors file = Safetensors::open(folder / "g.safetensors");
  std::vector<int64_t> rows(static_cast<size_t>(g.nodes()) + 1);
  file.read(file.at("row_ptr"), std::span<int64_t>(rows));
  std::vector<int64_t> out(static_cast<size_t>(g.nodes()), 0);
  for (const int32_t s : g.source) ++out[static_cast<size_t>(s)];
  for (size_t n = 0; n < out.size(); ++n) EXPECT_EQ(rows[n + 1] - rows[n], out[n]);
  EXPECT_EQ(file.at("weight").dtype, Dtype::f32);
  EXPECT_EQ(Json::parse(*file.meta("dws.graph"), "meta").at("recipe").at("command").as_string(), "c");
}

TEST(GraphFiles, AGraphOfAnotherNetworkIsRefusedByItsFirstTensor) {
  const Model tanh("mlp_tanh"), sine("mlp_sine"), cnn("cnn");
  expect_error(
      ErrorKind::mismatch, [&] { changed_tensors(tanh.graph, sine.net); },
      "tensor 0: '0.weight' FLOAT (24, 7), but '0.weight' FLOAT (32, 2) in");
  WeightGraph more = tanh.graph;
  more.tensors.push_back({.name = "extra", .type = OnnxType::f32, .dims = {0}});
  expect_error(
      ErrorKind::mismatch, [&] { changed_tensors(more, tanh.net); }, "'extra' FLOAT (0,), but none in");
  WeightGraph half = tanh.graph;
  half.tensors[1].type = OnnxType::f16;
  expect_error(
      ErrorKind::mismatch, [&] { changed_tensors(half, tanh.net); }, "tensor 1: '0.bias' FLOAT16");
}

// One way to be wrong each.
TEST(GraphFiles, WrongGraphsAreRefused) {
  const WeightGraph good = Model("mlp_tanh").graph;
  EXPECT_NO_THROW(check_graph(good));
  struct Case {
    ErrorKind kind;
    const char* words;
    std::function<void(WeightGraph&)> spoil;
  };
  const Case cases[] = {
      {ErrorKind::bad_value, "source -1 of edge 3", [](auto& g) { g.source[3] = -1; }},
      {ErrorKind::bad_value, "source 59 of edge 3: expected 0 to 58", [](auto& g) { g.source[3] = 59; }},
      {ErrorKind::bad_value, "target 59 of edge 0", [](auto& g) { g.target[0] = 59; }},
      {ErrorKind::bad_value, "layer 99 of edge 1", [](auto& g) { g.edge_layer[1] = 99; }},
      {ErrorKind::bad_value, "position -2 of edge 1", [](auto& g) { g.position[1] = -2; }},
      {ErrorKind::bad_value, "layer 99 of node 1", [](auto& g) { g.node_layer[1] = 99; }},
      {ErrorKind::bad_value, "activation 9 of node 1", [](auto& g) { g.node_activation[1] = 9; }},
      {ErrorKind::bad_value, "order -2 of node 1", [](auto& g) { g.node_order[1] = -2; }},
      {ErrorKind::bad_value, "tensor 6 of edge 0: expected 0 to 5", [](auto& g) { g.tensor[0] = 6; }},
      {ErrorKind::bad_value, "tensor -1 of edge 0", [](auto& g) { g.tensor[0] = -1; }},
      {ErrorKind::bad_value, "index 168 of edge 0: expected 0 to 167", [](auto& g) { g.index[0] = 168; }},
      {ErrorKind::bad_value, "tensor 0 of edge 0: expected -1 to -1",
       [](auto& g) { g.edge_type[0] = EdgeType::residual; }},
      {ErrorKind::duplicate_name, "two edges for number 1 of tensor '0.weight'",
       [](auto& g) { g.index[0] = 1; }},
      {ErrorKind::mismatch, "no edge for number 0 of tensor '0.weight'",
       [](auto& g) { g.edge_type[0] = EdgeType::tied; }},
      {ErrorKind::mismatch, "more numbers than there are edges",
       [](auto& g) { g.tensors[5].dims = {1 << 20}; }},
      {ErrorKind::shape_overflow, "beyond 64 bits",
       [](auto& g) {
         g.tensors[5].dims = {1ll << 40, 1ll << 40};
       }},
      {ErrorKind::mismatch, "columns of edges", [](auto& g) { g.weight.pop_back(); }},
      {ErrorKind::mismatch, "columns of nodes", [](auto& g) { g.node_order.pop_back(); }},
  };
  for (const Case& c : cases) {
    WeightGraph g = good;
    c.spoil(g);
    expect_error(
        c.kind, [&] { check_graph(g); }, c.words);
  }
}

TEST(GraphFiles, WrongJsonIsRefused) {
  const TempDir folder;
  write_graph_json(Model("mlp_tanh").graph, folder / "g.json", nullptr, false);
  const std::string good = read_text(folder / "g.json");
  EXPECT_NO_THROW(graph_from_json(good, "g"));
  struct Case {
    ErrorKind kind;
    const char *words, *from, *to;
  };
  const Case cases[] = {
      {ErrorKind::bad_schema, "expected schema 'dws.graph/1'", "dws.graph/1", "dws.graph/2"},
      {ErrorKind::bad_schema, "node_types", "\"neuron\"", "\"neutron\""},
      {ErrorKind::bad_schema, "edge_types", "\"linear\",", ""},
      {ErrorKind::unknown_dtype, "dtype 'FLOOT'", "\"FLOAT\"", "\"FLOOT\""},
      {ErrorKind::bad_value, "a negative size", "    24,\n    7", "    -24,\n    7"},
      {ErrorKind::bad_value, "type: 99 at 0", "\"type\": [0", "\"type\": [99"},
      {ErrorKind::bad_value, "source: -1 at 0", "\"source\": [0", "\"source\": [-1"},
      {ErrorKind::bad_schema, "weight 'nan'", "\"weight\": [", "\"weight\": [\"nan\","},
      {ErrorKind::mismatch, "columns of edges", "\"weight\": [", "\"weight\": [0.5,"},
      {ErrorKind::bad_schema, "missing field 'index'", "\"index\"", "\"indices\""},
  };
  for (const Case& c : cases) {
    std::string bad = good;
    const size_t at = bad.find(c.from);
    ASSERT_NE(at, std::string::npos) << c.from;
    bad.replace(at, std::string(c.from).size(), c.to);
    expect_error(
        c.kind, [&] { graph_from_json(bad, "g"); }, c.words);
  }
  expect_error(ErrorKind::bad_json, [&] { graph_from_json(good.substr(0, good.size() / 2), "g"); });
}

TEST(GraphFiles, WrongArraysAreRefused) {
  const TempDir folder;
  write_graph_csr(Model("mlp_tanh").graph, folder / "g.safetensors", nullptr, false);
  const Safetensors good = Safetensors::open(folder / "g.safetensors");
  const auto written = [&](const std::string& changed,
                           const std::function<void(TensorSource&, std::vector<std::byte>&)>& how,
                           bool meta = true) {
    std::vector<TensorSource> tensors;
    std::vector<std::vector<std::byte>> bytes;
    for (const TensorEntry& entry : good.tensors()) {
      const Bytes b = good.bytes(entry);
      bytes.emplace_back(b.begin(), b.end());
    }
    for (size_t i = 0; i < bytes.size(); ++i) {
      const TensorEntry& entry = good.tensors()[i];
      TensorSource t{.name = entry.name, .dtype = entry.dtype, .shape = entry.shape, .fill = {}};
      if (entry.name == changed) how(t, bytes[i]);
      if (!t.name.empty()) tensors.push_back(TensorSource::raw(t.name, t.dtype, t.shape, bytes[i]));
    }
    const std::string path = folder / "bad.safetensors";
    write_safetensors(path, std::move(tensors), meta ? good.metadata() : decltype(good.metadata()){}, true);
    return path;
  };
  const auto refused = [&](ErrorKind kind, const std::string& path, const char* words) {
    expect_error(
        kind, [&] { read_graph(path); }, words);
  };
  const auto nothing = [](TensorSource&, std::vector<std::byte>&) {};
  EXPECT_NO_THROW(read_graph(written("", nothing)));
  refused(ErrorKind::bad_schema, written("", nothing, false), "no metadata 'dws.graph'");
  refused(ErrorKind::missing_tensor, written("edge_tensor", [](TensorSource& t, auto&) { t.name.clear(); }),
          "edge_tensor");
  refused(ErrorKind::unknown_dtype, written("col", [](TensorSource& t, auto&) { t.dtype = Dtype::f32; }),
          "tensor 'col': expected I32, got F32");
  refused(ErrorKind::unknown_dtype, written("weight", [](TensorSource& t, auto&) { t.dtype = Dtype::i32; }),
          "tensor 'weight': expected F32, got I32");
  refused(ErrorKind::mismatch,
          written("col",
                  [](TensorSource& t, auto&) {
                    t.shape = {t.shape[0], 1};
                  }),
          "expected one axis");
  refused(ErrorKind::mismatch,
          written("weight",
                  [](TensorSource& t, auto& b) {
                    t.shape[0] -= 1;
                    b.resize(b.size() - 4);
                  }),
          "tensor 'weight': expected 797 numbers, got 796");
  refused(ErrorKind::bad_value, written("row_ptr", [](TensorSource&, auto& b) { b[8] = std::byte{0xFF}; }),
          "'row_ptr' goes down at 2");
  refused(ErrorKind::bad_value, written("row_ptr", [](TensorSource&, auto& b) { b[7] = std::byte{0x80}; }),
          "'row_ptr'");
  refused(ErrorKind::bad_value, written("row_ptr", [](TensorSource&, auto& b) { b[0] = std::byte{1}; }),
          "expected 0 to 797, got 1");
  refused(ErrorKind::bad_value, written("col", [](TensorSource&, auto& b) { b[3] = std::byte{0x7F}; }),
          "tensor 'col'");
  refused(ErrorKind::bad_value, written("edge_type", [](TensorSource&, auto& b) { b[5] = std::byte{200}; }),
          "tensor 'edge_type': 200 at 5");
  expect_error(
      ErrorKind::usage, [&] { read_graph("g.xml"); }, "is read from .safetensors or .json");
}

}  // namespace
}  // namespace dws::weights
