// Networks for tests of the weight graph: those of tests/models, and small ones built here.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "network/executor.h"
#include "testing.h"
#include "weights/graph.h"

namespace dws::weights::testing {

using network::Network;

struct Model {
  std::shared_ptr<const Onnx> onnx;
  Network net;
  std::vector<network::ArrayPtr> inputs, shapes;
  WeightGraph graph;

  explicit Model(const std::string& name)
      : onnx(std::make_shared<const Onnx>(
            Onnx::open(std::string(DWS_TEST_DATA) + "/../models/" + name + ".onnx"))),
        net(network::from_onnx(onnx)),
        inputs(network::input_shapes(net, {})),
        shapes(network::infer(net, inputs)),
        graph(build_graph(net, shapes)) {}
};

// A network node by node.
class Small {
 public:
  Small() {
    net.file = "small";
    net.opsets[""] = 17;
  }
  int input(const std::string& name, std::vector<int64_t> dims, OnnxType type = OnnxType::f32) {
    net.values.push_back({.name = name, .type = type, .dims = std::move(dims)});
    net.graph.inputs.push_back(static_cast<int>(net.values.size()) - 1);
    return net.graph.inputs.back();
  }
  template <class T>
  int constant(const std::string& name, OnnxType type, std::vector<int64_t> dims,
               const std::vector<T>& numbers) {
    bytes_.emplace_back(numbers.size() * sizeof(T));
    if (!numbers.empty()) std::memcpy(bytes_.back().data(), numbers.data(), bytes_.back().size());
    net.constants.push_back({.name = name, .type = type, .dims = dims, .bytes = bytes_.back()});
    net.values.push_back(
        {.name = name, .constant = static_cast<int>(net.constants.size()) - 1, .type = type, .dims = dims});
    return static_cast<int>(net.values.size()) - 1;
  }
  // Numbers 1, 2, 3, ...
  int weight(const std::string& name, std::vector<int64_t> dims) {
    std::vector<float> numbers(static_cast<size_t>(network::elements(dims)));
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i + 1);
    return constant(name, OnnxType::f32, std::move(dims), numbers);
  }
  int integers(const std::string& name, const std::vector<int64_t>& numbers) {
    return constant(name, OnnxType::i64, {static_cast<int64_t>(numbers.size())}, numbers);
  }
  int node(const std::string& op, std::vector<int> inputs,
           std::map<std::string, std::vector<int64_t>> lists = {},
           std::map<std::string, int64_t> numbers = {}) {
    net.values.push_back({.name = op + std::to_string(net.values.size())});
    network::Node n{.name = "", .op = op, .domain = "", .version = 17, .inputs = std::move(inputs)};
    n.outputs = {static_cast<int>(net.values.size()) - 1};
    for (auto& [name, list] : lists) {
      OnnxAttribute a;
      a.name = name;
      a.kind = OnnxAttribute::Kind::ints;
      a.ints = std::move(list);
      n.attributes.push_back(std::move(a));
    }
    for (const auto& [name, number] : numbers) {
      OnnxAttribute a;
      a.name = name;
      a.kind = OnnxAttribute::Kind::i;
      a.i = number;
      n.attributes.push_back(std::move(a));
    }
    net.graph.nodes.push_back(std::move(n));
    return net.graph.nodes.back().outputs[0];
  }
  WeightGraph graph(int output) {
    net.graph.outputs = {output};
    WeightGraph g = build_graph(net, network::infer(net, network::input_shapes(net, {})));
    check_graph(g);
    return g;
  }

  Network net;

 private:
  std::deque<std::vector<std::byte>> bytes_;
};

inline int64_t count(const WeightGraph& g, EdgeType type) {
  return std::ranges::count(g.edge_type, type);
}
inline int64_t count(const WeightGraph& g, NodeType type) {
  return std::ranges::count(g.node_type, type);
}
inline const GraphLayer& layer_of(const WeightGraph& g, size_t edge) {
  return g.layers[static_cast<size_t>(g.edge_layer[edge])];
}
inline size_t first_edge(const WeightGraph& g, EdgeType type) {
  return static_cast<size_t>(std::ranges::find(g.edge_type, type) - g.edge_type.begin());
}

}  // namespace dws::weights::testing
