// What holds of the weight graph of any network: one edge a parameter, the way back, and that a permuted network has the
// same graph.
#include "weights/graph.h"

#include <cstring>

#include "graph_testing.h"
#include "symmetry/element.h"
#include "symmetry/verify.h"

namespace dws::weights {
namespace {

using testing::Model;

uint64_t mixed(uint64_t a, uint64_t b) {
  a ^= b + 0x9E3779B97F4A7C15u + (a << 6) + (a >> 2);
  a *= 0xBF58476D1CE4E5B9u;
  return a ^ (a >> 31);
}
uint64_t bits(double v) {
  uint64_t b = 0;
  std::memcpy(&b, &v, sizeof b);
  return b;
}

// Colours of nodes, refined by those of their neighbours; the sorted colours do not depend on the order of nodes.
std::vector<uint64_t> colours(const WeightGraph& g) {
  std::vector<uint64_t> colour(g.node_type.size());
  for (size_t n = 0; n < colour.size(); ++n)
    colour[n] =
        mixed(mixed(static_cast<uint64_t>(g.node_type[n]), static_cast<uint64_t>(g.node_layer[n])),
              mixed(static_cast<uint64_t>(g.node_order[n] + 1), static_cast<uint64_t>(g.node_activation[n])));
  for (int round = 0; round < 6; ++round) {
    std::vector<uint64_t> next = colour;
    for (size_t e = 0; e < g.source.size(); ++e) {
      const auto s = static_cast<size_t>(g.source[e]), t = static_cast<size_t>(g.target[e]);
      const uint64_t own =
          mixed(mixed(static_cast<uint64_t>(g.edge_type[e]), static_cast<uint64_t>(g.edge_layer[e])),
                mixed(static_cast<uint64_t>(g.position[e]), bits(g.weight[e])));
      next[t] += mixed(own, colour[s]);  // sums do not depend on the order of edges
      next[s] += mixed(own + 1, colour[t]);
    }
    for (size_t n = 0; n < colour.size(); ++n) colour[n] = mixed(colour[n], next[n]);
  }
  std::ranges::sort(colour);
  return colour;
}
std::vector<std::tuple<EdgeType, int32_t, int32_t, double>> edges(const WeightGraph& g) {
  std::vector<std::tuple<EdgeType, int32_t, int32_t, double>> all;
  for (size_t e = 0; e < g.source.size(); ++e)
    all.emplace_back(g.edge_type[e], g.edge_layer[e], g.position[e], g.weight[e]);
  std::ranges::sort(all);
  return all;
}

class GraphOfModel : public ::testing::TestWithParam<std::string> {
 protected:
  const Model model{GetParam()};

  // The graph of the same network with other numbers in it.
  WeightGraph with(const network::Replacements& replaced) const {
    Network net = model.net;
    std::deque<std::vector<std::byte>> bytes;
    for (const auto& [constant, array] : replaced) {
      bytes.push_back(network::to_bytes(*array));
      net.constants[static_cast<size_t>(constant)].bytes = bytes.back();
    }
    return build_graph(net, model.shapes);
  }
  using Network = network::Network;
};

TEST_P(GraphOfModel, EachParameterIsExactlyOneEdge) {
  const WeightGraph& g = model.graph;
  std::map<std::pair<int32_t, int64_t>, int> seen;
  int64_t parameters = 0;
  const std::vector<int> constants = parameter_constants(model.net);
  ASSERT_EQ(constants.size(), g.tensors.size());
  for (size_t e = 0; e < g.source.size(); ++e) {
    if (g.tensor[e] < 0) {
      EXPECT_EQ(g.weight[e], 1);
      continue;
    }
    const auto& c = model.net.constants[static_cast<size_t>(constants[static_cast<size_t>(g.tensor[e])])];
    float number = 0;
    ASSERT_EQ(c.type, OnnxType::f32);
    std::memcpy(&number, c.bytes.data() + g.index[e] * 4, 4);
    ASSERT_EQ(g.weight[e], number);
    if (has_parameter(g.edge_type[e])) ++seen[{g.tensor[e], g.index[e]}];
  }
  for (const auto& c : model.net.constants) parameters += c.floating() ? c.elements() : 0;
  EXPECT_GT(parameters, 0);
  EXPECT_EQ(static_cast<int64_t>(seen.size()), parameters);
  EXPECT_TRUE(std::ranges::all_of(seen, [](const auto& s) { return s.second == 1; }));
  EXPECT_EQ(g.parameters(), parameters);
  EXPECT_NO_THROW(check_graph(g));
  EXPECT_TRUE(g.remarks.empty()) << g.remarks[0];
}

TEST_P(GraphOfModel, NothingHangsInTheAir) {
  // Every neuron is reached from an input, a token or a bias, and parameters of layers have neurons at both ends.
  const WeightGraph& g = model.graph;
  std::vector<bool> reached(g.node_type.size());
  for (size_t e = 0; e < g.source.size(); ++e) reached[static_cast<size_t>(g.target[e])] = true;
  int64_t neurons = 0;
  for (size_t n = 0; n < reached.size(); ++n)
    if (g.node_type[n] == NodeType::neuron || g.node_type[n] == NodeType::output ||
        g.node_type[n] == NodeType::head) {
      ++neurons;
      EXPECT_TRUE(reached[n]) << to_string(g.node_type[n]) << ' ' << n;
    }
  EXPECT_GT(neurons, 0);
  EXPECT_GT(testing::count(g, NodeType::input), 0);
  EXPECT_GT(testing::count(g, NodeType::output), 0);
  for (size_t e = 0; e < g.source.size(); ++e)
    EXPECT_FALSE(g.edge_type[e] <= EdgeType::output &&
                 g.node_type[static_cast<size_t>(g.source[e])] == NodeType::parameter);
}

TEST_P(GraphOfModel, ThereAndBackChangesNothing) {
  const dws::testing::TempDir folder;
  EXPECT_TRUE(changed_tensors(model.graph, model.net).empty());
  write_graph_csr(model.graph, folder / "g.safetensors", nullptr, false);
  write_graph_json(model.graph, folder / "g.json", nullptr, false);
  for (const char* name : {"g.safetensors", "g.json"}) {
    const WeightGraph read = read_graph(folder / name);
    EXPECT_TRUE(changed_tensors(read, model.net).empty());
    EXPECT_EQ(edges(read), edges(model.graph));
    EXPECT_EQ(colours(read), colours(model.graph));
    EXPECT_EQ(read.layers.size(), model.graph.layers.size());
    EXPECT_EQ(read.activations, model.graph.activations);
  }
}

TEST_P(GraphOfModel, AChangedWeightChangesItsOwnNumber) {
  WeightGraph g = model.graph;
  for (size_t e = 0; e < g.weight.size(); e += 97) {
    if (!has_parameter(g.edge_type[e])) continue;
    const double before = std::exchange(g.weight[e], g.weight[e] + 1.5);
    const auto changed = changed_tensors(g, model.net);
    ASSERT_EQ(changed.size(), 1u);
    const auto& c = model.net.constants[static_cast<size_t>(changed[0].first)];
    EXPECT_EQ(c.name, g.tensors[static_cast<size_t>(g.tensor[e])].name);
    ASSERT_EQ(changed[0].second.size(), c.bytes.size());
    for (size_t i = 0; i < c.bytes.size() / 4; ++i) {
      float now = 0, then = 0;
      std::memcpy(&now, changed[0].second.data() + 4 * i, 4);
      std::memcpy(&then, c.bytes.data() + 4 * i, 4);
      EXPECT_EQ(now, static_cast<int64_t>(i) == g.index[e] ? static_cast<float>(g.weight[e]) : then);
    }
    g.weight[e] = before;
  }
}

// A random element of the symmetry renames nodes, no more.
TEST_P(GraphOfModel, APermutedNetworkHasTheSameGraph) {
  const symmetry::Spec spec = symmetry::discover(model.net, network::input_shapes(model.net, {}));
  Rng rng(5);
  const symmetry::NetworkElement g =
      symmetry::random_element(spec, {.order = true, .sign = false, .scale = false, .phase = false}, rng);
  const WeightGraph moved = with(symmetry::replaced(model.net, spec, g));
  EXPECT_EQ(edges(moved), edges(model.graph));
  EXPECT_EQ(colours(moved), colours(model.graph));
  EXPECT_FALSE(changed_tensors(moved, model.net).empty()) << "nothing has moved";
  // With one tensor of one group left as it was it is another network.
  const WeightGraph half = with(symmetry::replaced(model.net, spec, g, {.group = 0, .member = 0}));
  EXPECT_NE(colours(half), colours(model.graph));
}

INSTANTIATE_TEST_SUITE_P(Models, GraphOfModel,
                         ::testing::Values("mlp_relu", "mlp_tanh", "mlp_sine", "mlp_leaky_relu", "mlp_gelu",
                                           "mlp_layer_norm", "mlp_layer_norm_node", "mlp_rms_norm", "cnn",
                                           "cnn_batch_norm", "separable", "resnet", "group_norm", "shuffle",
                                           "dense", "unet", "pixel_shuffle", "encoder_pre_norm",
                                           "encoder_post_norm", "encoder_fused", "encoder_library", "decoder",
                                           "vit", "lstm", "gru", "lstm_bidirectional"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace dws::weights
