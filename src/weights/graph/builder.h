// The graph while it is built: one walk over the network's nodes, in order.
//
// What flows along a value: of an activation, which node each of its numbers belongs to; of a constant, which parameter each
// of its numbers is. Both are arrays of integers of the value's shape, so that the operators of `network` that only move
// numbers move them too.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "network/context.h"
#include "weights/graph.h"

namespace dws::weights {

// An entry of an activation: 0 nothing (padding), n + 1 node n, -(v + 1) many nodes made one (`Builder::pooled`), which
// becomes a node when parameters read it. An entry of parameters: 0 a number that is none, p + 1 the p-th of all tensors'.
using Ids = network::ArrayPtr;

struct Flow {
  enum class Kind {
    plain,       // shapes, masks, tables: nothing of it is a node or a parameter
    activation,  // ids
    parameters,  // ids
    opaque       // one node, its shape unknown
  } kind = Kind::plain;
  Ids ids{};
  int64_t node = -1;     // of `opaque`; of a constant that nobody has read yet, its tensor
  bool derived = false;  // of parameters: through arithmetic
  bool scaled = false;   // of an activation: just multiplied by factors, as in a norm that is spelled out
};

class Builder {
 public:
  Builder(const network::Network& network, const std::vector<network::ArrayPtr>& shapes);
  WeightGraph build();

  // --- for the rules of operators ---
  const network::Node& node() const noexcept { return *node_; }
  const Flow& in(size_t i) const;  // plain where left out
  bool has(size_t i) const noexcept;
  bool activation(size_t i) const { return in(i).kind == Flow::Kind::activation; }
  bool parameters(size_t i) const { return in(i).kind == Flow::Kind::parameters; }
  void out(size_t i, Flow flow);
  void out(size_t i, Ids ids) { out(i, {.kind = Flow::Kind::activation, .ids = std::move(ids)}); }
  Ids made(size_t i) const;  // what out() was given; nullptr for none
  const std::vector<int64_t>* dims_in(size_t i) const;
  const std::vector<int64_t>* dims_out(size_t i) const;  // nullptr where unknown
  // The input's numbers, where they follow from shapes and constants.
  network::ArrayPtr numbers(size_t i) const;

  // This node's row in the table of layers, made when first asked for.
  int32_t layer(const char* kind);
  GraphLayer& layer_row(const char* kind) { return graph_.layers[static_cast<size_t>(layer(kind))]; }
  int64_t add_node(NodeType type, int32_t layer, int64_t order = -1);
  void add_edge(int64_t source, int64_t target, EdgeType type, int32_t layer, int64_t position = 0);
  // Of parameter `ref` (an entry of ids); `tied` when it has its edge already; nothing for 0.
  void add_edge(int64_t source, int64_t target, EdgeType type, int32_t layer, int64_t position, int64_t ref);
  void remark(const std::string& what);
  NodeType type_of(int64_t id) const { return graph_.node_type[static_cast<size_t>(id - 1)]; }
  // The node of an entry, made of a pooled one; -1 for nothing.
  int64_t node_of(int64_t id, int32_t layer);
  // One entry for many: the same if they are one, else pooled.
  int64_t pooled(std::vector<int64_t> ids);
  // The node of a tensor's parameters that belong to no single neuron.
  int64_t parameter_node(int64_t ref);
  // Each parameter, stretched to the activation, is an edge from a node of `from` to the neuron it acts on. Of one that acts
  // on many: an edge from its tensor's node to itself, and a tied one to each.
  void attach(const Ids& refs, const Ids& ids, NodeType from, EdgeType type, const char* kind, bool derived);
  // New neurons along the last axis (or each, where `each`), which the parameters make by themselves.
  Ids activation_of(const Flow& parameters, bool each, const char* kind);
  // An edge for each pair of entries that meet, b stretched to a or both to `dims`; the younger's entries go on.
  Ids join(const Ids& a, const Ids& b, const std::vector<int64_t>& dims, EdgeType type, const char* kind);
  void activate(const Ids& ids, const std::string& name);
  // Runs the operator on ids in place of the inputs in `data`; others as numbers. nullptr where it cannot be run.
  std::vector<Ids> moved(const std::vector<size_t>& data);
  void unknown();  // what is done for an operator without a rule

  enum class Role : uint8_t { none, query, key, value };
  void mark(const Ids& ids, Role role);
  void mark_context(const Ids& ids, bool context);
  int64_t nodes() const noexcept { return graph_.nodes(); }
  bool is_context(int64_t id) const { return id > 0 && context_[static_cast<size_t>(id - 1)]; }

 private:
  void start();
  void inputs();
  void outputs();
  void run(const network::Node& node);
  void leftovers();
  void roles();
  int feature_axis(int value, int depth) const;
  size_t tensor_of(int64_t parameter) const;

  const network::Network& net_;
  const std::vector<network::ArrayPtr>& shapes_;
  WeightGraph graph_;
  std::vector<int> constants_;                // of each tensor
  std::vector<int64_t> first_;                // of each tensor: its first parameter among all
  std::vector<Flow> flows_;                   // by value
  std::vector<bool> used_;                    // by parameter
  std::vector<int64_t> parameter_nodes_;      // by tensor
  std::vector<std::vector<int64_t>> pooled_;  // what they are made of
  std::map<std::vector<int64_t>, int64_t> pooled_by_;
  std::vector<int64_t> pooled_node_;
  std::vector<Role> role_;
  std::vector<bool> context_;
  std::vector<int64_t> stamp_;
  int64_t stamps_ = 0;
  const network::Node* node_ = nullptr;
  int32_t layer_ = -1;
  Flow plain_;
  std::set<std::string> remarked_;
  std::vector<std::vector<int>> consumers_;  // by value: nodes of the outer graph
  std::vector<bool> keep_;                   // by value: read by inner graphs, or an output
};

using GraphRule = void (*)(Builder&);
struct GraphRuleRow {
  std::string_view op;
  GraphRule rule;
  std::string_view domain = {};
};
std::span<const GraphRuleRow> graph_movement_rules();
std::span<const GraphRuleRow> graph_elementwise_rules();
std::span<const GraphRuleRow> graph_product_rules();
std::span<const GraphRuleRow> graph_layer_rules();
GraphRule find_graph_rule(std::string_view domain, std::string_view op) noexcept;

// The entries along `axes` made one; those axes have one item each. And an array stretched.
Ids fold(Builder& b, const Ids& ids, const std::vector<int>& axes);
Ids stretched(const Ids& ids, const std::vector<int64_t>& dims);
Ids under_dims(const Ids& ids, std::vector<int64_t> dims);
Ids filled(const std::vector<int64_t>& dims, int64_t id);
// Zeros. Throws Error{resource_limit} for more than any value may have: files are hostile.
std::shared_ptr<network::Array> blank(std::vector<int64_t> dims);

// Kernel, strides, padding, dilations and groups of a convolution or pool, in its row of the table of layers.
void note_windows(Builder& b, const char* kind, std::vector<int64_t> kernel, bool transposed);

// A sum of products over labelled axes: of activations with parameters, and of two activations.
struct Labelled {
  const network::Array* ids;
  std::vector<int> labels;
};
Ids contract(Builder& b, const Labelled& x, const Labelled& w, const std::vector<int>& out, EdgeType type,
             const char* kind);
Ids attend(Builder& b, const Labelled& x, const Labelled& y, const std::vector<int>& out);

}  // namespace dws::weights
