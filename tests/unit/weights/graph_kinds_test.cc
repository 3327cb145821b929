// What the graph says of each kind of layer. Counts follow from the networks' definitions (scripts/example_networks.py).
#include <set>

#include "graph_testing.h"

namespace dws::weights {
namespace {

using testing::count;
using testing::first_edge;
using testing::layer_of;
using testing::Model;
using testing::Small;

TEST(GraphKinds, AnMlpIsLayersOfEdgesAndABiasNodeALayer) {
  const WeightGraph g = Model("mlp_tanh").graph;
  EXPECT_EQ(count(g, NodeType::input), 7);
  EXPECT_EQ(count(g, NodeType::neuron), 24 + 20);
  EXPECT_EQ(count(g, NodeType::output), 5);
  EXPECT_EQ(count(g, NodeType::bias), 3);
  EXPECT_EQ(count(g, EdgeType::linear), 7 * 24 + 24 * 20 + 20 * 5);
  EXPECT_EQ(count(g, EdgeType::bias), 24 + 20 + 5);
  EXPECT_EQ(g.edges(), g.parameters());
  for (size_t n = 0; n < g.node_type.size(); ++n) {
    const std::string& activation = g.activations[static_cast<size_t>(g.node_activation[n])];
    EXPECT_EQ(activation, g.node_type[n] == NodeType::neuron ? "Tanh" : "");
    EXPECT_EQ(g.node_order[n] >= 0, g.node_type[n] == NodeType::input || g.node_type[n] == NodeType::output);
  }
}

// Edge (i -> o) of a linear layer holds W[o, i].
TEST(GraphKinds, TransposedAndSlicedWeightsSayWhichParameterTheyAre) {
  Small s;
  const int x = s.input("x", {2, 3});
  const int w = s.weight("w", {5, 3});  // (out, in), of which rows 1 to 3 are used
  const int cut =
      s.node("Slice", {w, s.integers("from", {1}), s.integers("to", {4}), s.integers("axis", {0})});
  const WeightGraph g = s.graph(s.node("MatMul", {x, s.node("Transpose", {cut}, {{"perm", {1, 0}}})}));
  EXPECT_EQ(count(g, EdgeType::linear), 9);
  EXPECT_EQ(count(g, EdgeType::other), 6) << "rows that nobody reads";
  for (size_t e = 0; e < g.source.size(); ++e) {
    if (g.edge_type[e] != EdgeType::linear) continue;
    const int64_t in = g.node_order[static_cast<size_t>(g.source[e])],
                  out = g.node_order[static_cast<size_t>(g.target[e])];
    EXPECT_EQ(g.index[e], (out + 1) * 3 + in);
    EXPECT_EQ(g.weight[e], static_cast<double>(g.index[e] + 1));
  }
}

TEST(GraphKinds, ConvolutionsHaveAnEdgeForEachPlaceOfTheKernel) {
  const Model model("cnn_batch_norm");
  const WeightGraph& g = model.graph;
  EXPECT_EQ(count(g, EdgeType::conv), 3 * 12 * 9 + 12 * 20 * 9);
  std::map<std::pair<int32_t, int32_t>, std::set<int32_t>> places;
  for (size_t e = 0; e < g.source.size(); ++e) {
    if (g.edge_type[e] != EdgeType::conv) continue;
    EXPECT_EQ(g.index[e] % 9, g.position[e]);
    EXPECT_TRUE(places[std::pair(g.source[e], g.target[e])].insert(g.position[e]).second);
    EXPECT_EQ(layer_of(g, e).kernel, (std::vector<int64_t>{3, 3}));
  }
  for (const auto& [pair, seen] : places) EXPECT_EQ(seen.size(), 9u);
  // The flattened picture of 2 x 2 places that the linear layer reads.
  std::map<std::pair<int32_t, int32_t>, std::set<int32_t>> flat;
  for (size_t e = 0; e < g.source.size(); ++e)
    if (g.edge_type[e] == EdgeType::linear &&
        layer_of(g, e).name == layer_of(g, first_edge(g, EdgeType::linear)).name) {
      EXPECT_EQ(g.index[e] % 4, g.position[e]);
      flat[std::pair(g.source[e], g.target[e])].insert(g.position[e]);
    }
  EXPECT_EQ(flat.size(), 20u * 14u);
  for (const auto& [pair, seen] : flat) EXPECT_EQ(seen, (std::set<int32_t>{0, 1, 2, 3}));
}

TEST(GraphKinds, NormsHaveRunningStatistics) {
  const WeightGraph g = Model("cnn_batch_norm").graph;
  for (const EdgeType type : {EdgeType::gamma, EdgeType::beta, EdgeType::mean, EdgeType::variance})
    EXPECT_EQ(count(g, type), 12 + 20) << to_string(type);
  for (const NodeType type : {NodeType::gamma, NodeType::beta, NodeType::mean, NodeType::variance})
    EXPECT_EQ(count(g, type), 2) << to_string(type);
  // As nodes, or spelled out in ReduceMean, Sub, Pow, Sqrt, Div.
  for (const char* name : {"mlp_layer_norm", "mlp_layer_norm_node"}) {
    const WeightGraph h = Model(name).graph;
    EXPECT_EQ(count(h, EdgeType::gamma), 24 + 20) << name;
    EXPECT_EQ(count(h, EdgeType::beta), 24 + 20) << name;
  }
}

TEST(GraphKinds, StridesPadsAndGroupsAreFeaturesOfTheLayer) {
  const WeightGraph resnet = Model("resnet").graph;
  int64_t strided = 0, padded = 0;
  for (const GraphLayer& l : resnet.layers) {
    strided += l.strides == std::vector<int64_t>{2, 2};
    padded += l.pads == std::vector<int64_t>{1, 1, 1, 1};
  }
  EXPECT_EQ(strided, 2);
  EXPECT_EQ(padded, 5);
  const WeightGraph separable = Model("separable").graph;
  std::multiset<int64_t> groups;
  for (const GraphLayer& l : separable.layers)
    if (l.kind == "conv") groups.insert(l.groups);
  EXPECT_EQ(groups, (std::multiset<int64_t>{1, 1, 1, 4, 12}));
  // A pool has no parameters, and its row.
  const WeightGraph cnn = Model("cnn").graph;
  const auto pool = std::ranges::find(cnn.layers, "pool", &GraphLayer::kind);
  ASSERT_NE(pool, cnn.layers.end());
  EXPECT_EQ(pool->op, "MaxPool");
  EXPECT_EQ(pool->strides, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(count(separable, EdgeType::conv), 3 * 12 + 12 * 9 + 12 * 20 + 40 * 5 * 9 + 40 * 10);
}

TEST(GraphKinds, ResidualSumsAreEdgesFromTheOlderToTheNewer) {
  const WeightGraph g = Model("resnet").graph;
  EXPECT_EQ(count(g, EdgeType::residual), 12 + 20);
  for (size_t e = 0; e < g.source.size(); ++e)
    if (g.edge_type[e] == EdgeType::residual) {
      EXPECT_LT(g.source[e], g.target[e]);
      EXPECT_EQ(g.weight[e], 1);
      EXPECT_EQ(g.tensor[e], -1);
    }
  // Two a layer, and two layers.
  EXPECT_EQ(count(Model("encoder_pre_norm").graph, EdgeType::residual), 4 * 20);
}

TEST(GraphKinds, AttentionHasHeadsAndEdgesOfFourTypes) {
  for (const char* name : {"encoder_pre_norm", "encoder_post_norm", "encoder_fused"}) {
    const WeightGraph g = Model(name).graph;
    for (const EdgeType type : {EdgeType::query, EdgeType::key, EdgeType::value, EdgeType::output})
      EXPECT_EQ(count(g, type), 2 * 20 * 24) << name << ' ' << to_string(type);
    EXPECT_EQ(count(g, NodeType::head), 2 * 3) << name;
    EXPECT_EQ(count(g, EdgeType::head), 2 * 3 * 3 * 8) << name;
    EXPECT_EQ(count(g, EdgeType::linear), 2 * 2 * 20 * 28 + 20 * 5) << name;
    EXPECT_EQ(count(g, EdgeType::embedding), 40 * 20) << name;
  }
  const WeightGraph vit = Model("vit").graph;
  EXPECT_EQ(count(vit, NodeType::head), 2 * 2);
  EXPECT_EQ(count(vit, EdgeType::query), 2 * 20 * 20);
}

// The neurons of a head's queries are eight rows of its projection, one after the other.
TEST(GraphKinds, AHeadIsJoinedToItsOwnNeurons) {
  const WeightGraph g = Model("encoder_pre_norm").graph;
  std::map<int32_t, std::set<int64_t>> columns;  // of each head: of Q, K or V
  std::map<int32_t, int64_t> column_of;          // of a neuron
  for (size_t e = 0; e < g.source.size(); ++e)
    if (g.edge_type[e] == EdgeType::query) column_of[g.target[e]] = g.index[e] % 24;
  for (size_t e = 0; e < g.source.size(); ++e)
    if (g.edge_type[e] == EdgeType::head && column_of.contains(g.source[e]))
      columns[g.target[e]].insert(column_of[g.source[e]]);
  ASSERT_EQ(columns.size(), 6u);
  for (const auto& [head, of] : columns) {
    EXPECT_EQ(of.size(), 8u);
    EXPECT_EQ(*of.rbegin() - *of.begin(), 7);
    EXPECT_EQ(*of.begin() % 8, 0);
  }
}

TEST(GraphKinds, GroupedQueriesShareKeysAndValues) {
  const WeightGraph g = Model("decoder").graph;
  EXPECT_EQ(count(g, NodeType::head), 2 * 6);
  EXPECT_EQ(count(g, EdgeType::query), 2 * 24 * 48);
  EXPECT_EQ(count(g, EdgeType::key), 2 * 24 * 16);
  EXPECT_EQ(count(g, EdgeType::value), 2 * 24 * 16);
  EXPECT_EQ(count(g, EdgeType::output), 2 * 24 * 48);
  // Eight queries and eight keys a head; then each head and each value it reads to a neuron of its own.
  EXPECT_EQ(count(g, EdgeType::head), 2 * (6 * 16 + 6 * 8 * 2));
  EXPECT_EQ(count(g, EdgeType::gate), 2 * 36);
  EXPECT_EQ(count(g, EdgeType::residual), 4 * 24);
  // Rotary embedding sums pairs within the 48 queries and 16 keys.
  EXPECT_EQ(count(g, EdgeType::mix), 2 * (48 + 16));
}

TEST(GraphKinds, ATiedEmbeddingIsReadOnce) {
  Small s;
  const int ids = s.input("ids", {2, 6}, OnnxType::i64), table = s.weight("table", {9, 4});
  const int x = s.node("Relu", {s.node("Gather", {table, ids})});
  const WeightGraph g = s.graph(s.node("MatMul", {x, s.node("Transpose", {table}, {{"perm", {1, 0}}})}));
  EXPECT_EQ(count(g, EdgeType::embedding), 9 * 4);
  EXPECT_EQ(count(g, EdgeType::tied), 9 * 4);
  EXPECT_EQ(count(g, EdgeType::lookup), 9);
  EXPECT_EQ(count(g, NodeType::token), 9);
  for (size_t e = 0; e < g.source.size(); ++e) {
    const auto from = static_cast<size_t>(g.source[e]), to = static_cast<size_t>(g.target[e]);
    if (g.edge_type[e] == EdgeType::embedding || g.edge_type[e] == EdgeType::tied) {
      EXPECT_EQ(g.node_order[g.edge_type[e] == EdgeType::tied ? to : from], g.index[e] / 4);
    }
  }
}

TEST(GraphKinds, RecurrentUnitsHaveAnEdgeForEachGate) {
  const WeightGraph g = Model("lstm_bidirectional").graph;
  EXPECT_EQ(count(g, EdgeType::recurrent_input), 2 * 4 * 12 * 7 + 2 * 4 * 12 * 24);
  EXPECT_EQ(count(g, EdgeType::recurrent), 2 * 2 * 4 * 12 * 12);
  std::set<int32_t> gates;
  for (size_t e = 0; e < g.source.size(); ++e)
    if (g.edge_type[e] == EdgeType::recurrent || g.edge_type[e] == EdgeType::recurrent_input) {
      gates.insert(g.position[e]);
      // W and R are (directions, gates x units, inputs).
      const auto& dims = g.tensors[static_cast<size_t>(g.tensor[e])].dims;
      EXPECT_EQ(g.position[e], g.index[e] / dims[2] % dims[1] / 12);
    }
  EXPECT_EQ(gates, (std::set<int32_t>{0, 1, 2, 3}));
}

TEST(GraphKinds, ASlopeForAllIsOneEdgeAndTiedOnes) {
  const WeightGraph g = Model("pixel_shuffle").graph;
  int64_t own = 0, tied = 0;
  for (size_t e = 0; e < g.source.size(); ++e)
    if (g.tensor[e] >= 0 && g.tensors[static_cast<size_t>(g.tensor[e])].elements() == 1) {
      own += has_parameter(g.edge_type[e]);
      tied += g.edge_type[e] == EdgeType::tied;
    }
  EXPECT_EQ(own, 1);
  EXPECT_EQ(tied, 10);
}

TEST(GraphKinds, AnUnknownOperatorLosesNothing) {
  Small s;
  const int x = s.input("x", {2, 3});
  const int y = s.node("MatMul", {x, s.weight("a", {3, 4})});
  const int z = s.node("Riddle", {y, s.weight("b", {4, 2})});
  const WeightGraph g = s.graph(s.node("MatMul", {z, s.weight("c", {2, 2})}));
  EXPECT_EQ(count(g, EdgeType::linear), 12);
  EXPECT_EQ(count(g, EdgeType::other), 8 + 4);
  EXPECT_EQ(count(g, NodeType::opaque), 2);
  EXPECT_EQ(count(g, EdgeType::input), 4 + 1);
  ASSERT_FALSE(g.remarks.empty());
  EXPECT_EQ(g.remarks[0], "operator Riddle is not understood");
}

TEST(GraphKinds, WeightsThroughArithmeticAreOther) {
  Small s;
  const int x = s.input("x", {2, 3});
  const int w = s.node("Mul", {s.weight("v", {3, 4}), s.weight("g", {1, 4})});
  const WeightGraph g = s.graph(s.node("MatMul", {x, w}));
  EXPECT_EQ(count(g, EdgeType::other), 12 + 4);
  EXPECT_EQ(count(g, EdgeType::linear), 0);
  EXPECT_EQ(count(g, NodeType::output), 4);
  Small t;
  const int y = t.input("y", {2, 3});
  EXPECT_EQ(count(t.graph(t.node("MatMul", {y, t.node("Neg", {t.weight("v", {3, 4})})})), EdgeType::other),
            12);
}

TEST(GraphKinds, ParametersThatMixPlacesJoinPlaces) {
  // Tokens are mixed, alike for each of 5 features.
  Small s;
  const int x = s.input("x", {1, 4, 5});
  const int y = s.node("MatMul", {x, s.weight("a", {5, 5})});
  const int t = s.node("Transpose", {y}, {{"perm", {0, 2, 1}}});
  const int m = s.node("MatMul", {t, s.weight("b", {4, 6})});
  const WeightGraph g = s.graph(s.node("Transpose", {m}, {{"perm", {0, 2, 1}}}));
  EXPECT_EQ(count(g, NodeType::place), 1 + 4 + 6);
  EXPECT_EQ(count(g, EdgeType::tied), 0);
  EXPECT_EQ(count(g, EdgeType::linear), 25 + 24);
  EXPECT_EQ(count(g, NodeType::output), 5);
}

TEST(GraphKinds, SamplesOfASoundAreOneInput) {
  Small s;
  const int x = s.input("x", {2, 16});
  const int y = s.node("Unsqueeze", {x, s.integers("axis", {1})});
  WeightGraph g = s.graph(s.node("Conv", {y, s.weight("w", {3, 1, 4})}));
  EXPECT_EQ(count(g, NodeType::input), 1);
  EXPECT_EQ(count(g, EdgeType::conv), 12);
  EXPECT_EQ(count(g, EdgeType::tied), 0);
  // Pictures whose channels come last.
  Small t;
  const int z = t.input("z", {2, 5, 5, 3});
  const int turned = t.node("Transpose", {z}, {{"perm", {0, 3, 1, 2}}});
  g = t.graph(t.node("Conv", {turned, t.weight("w", {4, 3, 2, 2})}, {{"strides", {2, 1}}}));
  EXPECT_EQ(count(g, NodeType::input), 3);
  EXPECT_EQ(count(g, EdgeType::conv), 4 * 3 * 4);
  EXPECT_EQ(g.layers.back().strides, (std::vector<int64_t>{2, 1}));
  // Padding that is left to be worked out: 5 places, a kernel of 2, strides of 2 and 1.
  OnnxAttribute same;
  same.name = "auto_pad";
  same.kind = OnnxAttribute::Kind::s;
  same.s = "SAME_UPPER";
  t.net.graph.nodes.back().attributes.push_back(same);
  EXPECT_EQ(t.graph(t.net.graph.outputs[0]).layers.back().pads, (std::vector<int64_t>{0, 0, 1, 1}));
}

// A class token stands beside the places of a picture: it is a bias of the features that go on.
TEST(GraphKinds, MorePlacesAreTheSameFeatures) {
  Small s;
  const int x = s.node("MatMul", {s.input("x", {2, 4, 3}), s.weight("w", {3, 5})});
  const int token = s.node("Expand", {s.weight("t", {1, 1, 5}), s.integers("to", {2, 1, 5})});
  const int all = s.node("Concat", {token, x}, {}, {{"axis", 1}});
  const WeightGraph g = s.graph(s.node("MatMul", {all, s.weight("v", {5, 2})}));
  EXPECT_EQ(count(g, EdgeType::linear), 15 + 10);
  EXPECT_EQ(count(g, EdgeType::bias), 5);
  EXPECT_EQ(count(g, EdgeType::tied), 0);
  EXPECT_EQ(count(g, NodeType::neuron), 5);
  EXPECT_EQ(count(g, NodeType::output), 2);
}

TEST(GraphKinds, AGateAndWhatSumsFeatures) {
  Small s;
  const int x = s.node("MatMul", {s.input("x", {2, 3}), s.weight("w", {3, 4})});
  const int y = s.node("Sigmoid", {s.node("MatMul", {x, s.weight("v", {4, 4})})});
  const int z = s.node("ReduceSum", {s.node("Mul", {x, y}), s.integers("axes", {1})});
  const WeightGraph g = s.graph(s.node("MatMul", {z, s.weight("u", {1, 2})}));
  EXPECT_EQ(count(g, EdgeType::gate), 4);
  EXPECT_EQ(count(g, EdgeType::pool), 4) << "four features made one that parameters read";
  EXPECT_EQ(count(g, EdgeType::linear), 12 + 16 + 2);
}

TEST(GraphKinds, AValueBeyondAllMemoryIsRefused) {
  Small s;
  const int x = s.input("x", {1 << 20, 1 << 20});
  dws::testing::expect_error(
      ErrorKind::resource_limit, [&] { s.graph(s.node("Relu", {x})); },
      "small: a value of 1099511627776 numbers: expected at most 268435456");
  Small t;
  const int y = t.input("y", {1 << 20, 1});
  dws::testing::expect_error(
      ErrorKind::resource_limit,
      [&] {
        t.graph(t.node("MatMul", {y, t.weight("w", {1, 1024})}));
      },
      "small: the node that makes 'MatMul2' (MatMul): a value of 1073741824 numbers");
}

TEST(GraphKinds, QuantisedWeightsAreParameters) {
  Small s;
  const int x = s.input("x", {2, 3});
  const int q = s.constant<int8_t>("q", OnnxType::i8, {3, 2}, {1, -2, 3, -4, 5, -128});
  const int w = s.node("DequantizeLinear", {q, s.constant<float>("scale", OnnxType::f32, {}, {0.5F})});
  WeightGraph g = s.graph(s.node("MatMul", {x, w}));
  EXPECT_EQ(count(g, EdgeType::linear), 6);
  EXPECT_TRUE(changed_tensors(g, s.net).empty());
  const size_t e = first_edge(g, EdgeType::linear);
  g.weight[e] = -7;
  const auto changed = changed_tensors(g, s.net);
  ASSERT_EQ(changed.size(), 1u);
  EXPECT_EQ(static_cast<int8_t>(changed[0].second[static_cast<size_t>(g.index[e])]), -7);
  g.weight[e] = 200;
  dws::testing::expect_error(
      ErrorKind::bad_value, [&] { changed_tensors(g, s.net); }, "is no INT8");
  g.weight[e] = 0.5;
  dws::testing::expect_error(
      ErrorKind::bad_value, [&] { changed_tensors(g, s.net); }, "tensor 'q'");
}

// What is not changed keeps its bytes, a NaN's too; what is changed is rounded to the type.
TEST(GraphKinds, HalfPrecisionIsRoundedAndNaNsKeepTheirBits) {
  Small s;
  const int x = s.input("x", {2, 1}, OnnxType::f16);
  const std::vector<uint16_t> numbers = {0x3C00, 0x7E55, 0x8000};  // 1, a NaN, -0
  WeightGraph g = s.graph(s.node("MatMul", {x, s.constant("h", OnnxType::f16, {1, 3}, numbers)}));
  ASSERT_EQ(g.edges(), 3);
  EXPECT_TRUE(changed_tensors(g, s.net).empty());
  g.weight[static_cast<size_t>(std::ranges::find(g.index, 0) - g.index.begin())] = 1.0001;  // is 1 in 16 bits
  EXPECT_TRUE(changed_tensors(g, s.net).empty());
  g.weight[static_cast<size_t>(std::ranges::find(g.index, 0) - g.index.begin())] = 1.001;
  const auto changed = changed_tensors(g, s.net);
  ASSERT_EQ(changed.size(), 1u);
  std::vector<uint16_t> now(3);
  std::memcpy(now.data(), changed[0].second.data(), 6);
  EXPECT_EQ(now, (std::vector<uint16_t>{0x3C01, 0x7E55, 0x8000}));
  // A signalling NaN, which arithmetic would make a quiet one.
  Small t;
  const int y = t.input("y", {2, 1});
  const std::vector<uint32_t> words = {0x3F800000, 0x7F800001};
  g = t.graph(t.node("MatMul", {y, t.constant("f", OnnxType::f32, {1, 2}, words)}));
  EXPECT_TRUE(changed_tensors(g, t.net).empty());
  g.weight[static_cast<size_t>(std::ranges::find(g.index, 0) - g.index.begin())] = 2;
  const auto other = changed_tensors(g, t.net);
  ASSERT_EQ(other.size(), 1u);
  std::vector<uint32_t> then(2);
  std::memcpy(then.data(), other[0].second.data(), 8);
  EXPECT_EQ(then, (std::vector<uint32_t>{0x40000000, 0x7F800001}));
}

}  // namespace
}  // namespace dws::weights
