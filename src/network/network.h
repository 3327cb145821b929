// A network as a graph of ONNX operators, wherever it came from: an ONNX file, or tensors by name and a recipe.
// Functions are expanded, Constant nodes have become constants, and every value has a number of its own, also
// inside the graphs of If, Loop and Scan; nodes stand in an order in which they can be run.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/file.h"
#include "format/onnx.h"

namespace dws::network {

inline constexpr int kNone = -1;

// A tensor that is stored with the network.
struct Constant {
  std::string name;  // of the initializer; of a Constant node, its output's
  OnnxType type = OnnxType::f32;
  std::vector<int64_t> dims;
  Bytes bytes;  // little-endian, row-major, in a mapped file or in memory that the Network keeps
  bool made =
      false;  // by a recipe, or of a node's attribute: no tensor of the file, so that it cannot change
  int64_t elements() const noexcept;
  bool floating() const noexcept;
  bool parameter()
      const noexcept;  // what training could have changed: floating or quantised, and stored as a tensor
};

// What flows between nodes.
struct Value {
  std::string name;
  int constant = kNone;  // number in Network::constants
  // As the file declares them; of inputs always looked at, of others a hint. A dimension of -1 is free, and has a
  // name in `symbols` (the same place) or none.
  std::optional<OnnxType> type{};
  std::optional<std::vector<int64_t>> dims{};
  std::vector<std::string> symbols{};
};

// An attribute of another kind than its operator's. Who runs or reads a network puts file and node in front.
class AttributeError : public Error {
 public:
  explicit AttributeError(const std::string& message) : Error(ErrorKind::bad_schema, message) {}
  Error of(const std::string& where) const;
};

struct Node;
struct Graph {
  std::vector<int> inputs, outputs;  // numbers in Network::values
  std::vector<Node> nodes;
};
// A graph within a node, by the attribute that holds it.
struct Body {
  std::string attribute;
  Graph graph;
};
struct Node {
  std::string name, op, domain;             // domain "" is ONNX's own
  int64_t version = 0;                      // of its domain's operator set
  std::vector<int> inputs{}, outputs{};     // kNone where one is left out
  std::vector<OnnxAttribute> attributes{};  // all but graphs
  std::vector<Body> bodies{};

  // nullptr, or `otherwise`, where it is not given. One that is there and of another kind is not passed over: throws
  // AttributeError.
  const OnnxAttribute* find(std::string_view attribute, OnnxAttribute::Kind kind) const;
  int64_t attr_int(std::string_view attribute, int64_t otherwise) const;
  double attr_float(std::string_view attribute, double otherwise) const;
  std::string attr_string(std::string_view attribute, std::string_view otherwise) const;
  std::optional<std::vector<int64_t>> attr_ints(std::string_view attribute) const;
  const Graph* body(std::string_view attribute) const noexcept;
  // "node 'conv1' (Conv)", for messages; without a name by its first output.
  std::string where(const std::vector<Value>& values) const;
};

// Calls visit(node) for every node, those of inner graphs too.
template <class Visit>
void each_node(const Graph& graph, const Visit& visit) {
  for (const Node& node : graph.nodes) {
    visit(node);
    for (const Body& body : node.bodies) each_node(body.graph, visit);
  }
}

struct Network {
  std::string file;  // for messages
  Graph graph;       // its inputs without those that are constants
  std::vector<Value> values;
  std::vector<Constant> constants;
  std::map<std::string, int64_t> opsets;
  std::vector<std::string> warnings;
  std::shared_ptr<const void> owner;  // of what `constants` point into

  const Constant* constant_of(int value) const noexcept;  // nullptr: it is computed or an input
  // By name, of the outermost graph first; kNone: there is none.
  int find_value(std::string_view name) const noexcept;
};

// Throws Error naming file and node: functions within functions too deep or too many nodes after expansion, a
// Constant of a kind that is no tensor.
Network from_onnx(std::shared_ptr<const Onnx> model);

}  // namespace dws::network
