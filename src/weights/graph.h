// The weight graph of a network: one edge a parameter. Neurons and channels are nodes; whatever moves their numbers
// (transposes, slices, reshapes) moves the nodes. Graph metanetworks: Lim et al., ICLR 2024; Kofinas et al., ICLR 2024.
//
// An edge of a parameter says which tensor and which number of it, so that the way back is exact. Other edges (attention
// heads, residual sums, gates) have weight 1 and no tensor; `tied` ones are further uses of a parameter that has its edge.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "network/array.h"
#include "network/network.h"

namespace dws::weights {

enum class NodeType : uint8_t {
  input,      // a feature or channel of an input; places of a picture and tokens of a sequence share it
  neuron,     // a feature or channel that is computed
  output,     // a neuron that is a feature of an output
  bias,       // one a layer
  gamma,      // one a layer: factors
  beta,       // one a layer: what a norm adds
  mean,       // one a layer: running means
  variance,   // one a layer: running variances
  slope,      // one a layer: slopes of PRelu
  head,       // of attention
  token,      // a row of a table that integers look up
  place,      // of a sequence or picture, where parameters mix places
  parameter,  // one a tensor: of those that no single neuron has
  opaque      // what an operator makes that is not understood
};
enum class EdgeType : uint8_t {
  linear,
  conv,
  query,  // of the linear map (or convolution) that makes queries; likewise key, value
  key,
  value,
  output,  // of the linear map after attention
  bias,
  gamma,
  beta,
  mean,
  variance,
  slope,
  embedding,  // from a token
  recurrent_input,
  recurrent,
  other,  // parameters in places that have no type of their own
  tied,   // a parameter again
  // No parameters, weight 1:
  residual,  // a sum of two activations
  gate,      // a product of two activations
  mix,       // a sum of neurons of one layer (rotary embedding)
  head,      // queries and keys to a head, a head to what it reads
  pool,      // many features made one
  lookup,    // an integer input to the tokens it chooses from
  input      // into an operator that is not understood
};
inline constexpr EdgeType kLastEdgeType = EdgeType::input;
inline constexpr NodeType kLastNodeType = NodeType::opaque;
const char* to_string(NodeType type) noexcept;
const char* to_string(EdgeType type) noexcept;
bool has_parameter(EdgeType type) noexcept;  // is read on the way back

struct GraphTensor {
  std::string name;
  OnnxType type = OnnxType::f32;
  std::vector<int64_t> dims;
  int64_t elements() const noexcept;
};
// What one operator made. Lists are empty where they make no sense.
struct GraphLayer {
  std::string name, op, kind;  // kind: "linear", "conv", "norm", "attention", "residual", ...
  std::vector<int64_t> kernel{}, strides{}, pads{}, dilations{};
  int64_t groups = 1;
};

struct WeightGraph {
  std::string file;
  std::vector<GraphTensor> tensors;  // those that are parameters
  std::vector<GraphLayer> layers;
  std::vector<std::string> activations;  // [0] is "": none
  std::vector<std::string> remarks;      // operators that were not understood, and the like
  // Nodes.
  std::vector<NodeType> node_type;
  std::vector<int32_t> node_layer;  // in `layers`
  std::vector<int64_t> node_order;  // among those whose order is fixed (inputs, outputs, tokens), else -1
  std::vector<int32_t> node_activation;  // in `activations`
  // Edges.
  std::vector<int32_t> source, target;
  std::vector<double> weight;
  std::vector<EdgeType> edge_type;
  std::vector<int32_t> edge_layer;
  std::vector<int32_t> position;  // in a kernel, a flattened picture, of a gate; 0 where there is one
  std::vector<int32_t> tensor;    // in `tensors`; -1: no parameter
  std::vector<int64_t> index;     // of the number, row-major

  int64_t nodes() const noexcept { return static_cast<int64_t>(node_type.size()); }
  int64_t edges() const noexcept { return static_cast<int64_t>(source.size()); }
  int64_t parameters() const noexcept;  // numbers in `tensors`
};

// Which constants are parameters, in their order: those that training could have changed, quantised ones too.
std::vector<int> parameter_constants(const network::Network& network);

// `shapes`: what network::infer() says of every value. Throws Error{resource_limit} beyond 2^31 - 1 nodes or edges; never for
// an operator: what is not understood is `opaque`, its parameters are edges of type `other`, and a remark says so.
WeightGraph build_graph(const network::Network& network, const std::vector<network::ArrayPtr>& shapes);

// Throws Error{bad_value|mismatch} with the graph's file in front for a node, layer or index that is not there, and unless each
// number of each tensor is the weight of exactly one edge that has_parameter().
void check_graph(const WeightGraph& graph);

// The tensors that the graph changes: the constant's number and its new bytes. Numbers that are as they were keep their
// bytes; others are rounded to the tensor's type. Throws Error{mismatch} naming the first tensor that is not the network's,
// Error{bad_value} for a weight that an integer tensor does not hold.
std::vector<std::pair<int, std::vector<std::byte>>> changed_tensors(const WeightGraph& graph,
                                                                    const network::Network& network);

// --- files ---
// `recipe`: what made the file; null for none.
// JSON, schema "dws.graph/1": tables, and an array a column of nodes and edges. Numbers round-trip; NaN and infinities are
// strings.
void write_graph_json(const WeightGraph& graph, const std::string& path, const Json& recipe, bool force);
// safetensors: CSR by source (arrays and tables: src/README.md, "Files").
void write_graph_csr(const WeightGraph& graph, const std::string& path, const Json& recipe, bool force);
// GraphML (http://graphml.graphdrawing.org) and DOT (graphviz.org).
void write_graph_ml(const WeightGraph& graph, const std::string& path, const Json& recipe, bool force);
void write_graph_dot(const WeightGraph& graph, const std::string& path, bool force);
// A picture, self-contained. Throws Error{too_large} beyond kMostDrawn edges.
inline constexpr int64_t kMostDrawn = 20'000;
void write_graph_svg(const WeightGraph& graph, const std::string& path, bool force);

// The two that can be read back, told apart by the name's ending. Checked as check_graph() says. Throws Error.
WeightGraph read_graph(const std::string& path);
WeightGraph graph_from_csr(Bytes bytes, const std::string& name);
WeightGraph graph_from_json(std::string_view json, const std::string& name);

// Nodes and edges by type, and the layers.
Json graph_summary(const WeightGraph& graph);

// Tables without the columns, as files hold them; and back, columns left empty. Throws Error{bad_schema}.
Json graph_tables(const WeightGraph& graph);
WeightGraph graph_from_tables(const Json& json, const std::string& name);

}  // namespace dws::weights
