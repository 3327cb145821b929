#include "align/residual_stream.h"

#include <algorithm>
#include <map>
#include <set>

#include "align/stream_rules.h"
#include "core/error.h"
#include "core/text.h"

namespace dws::align {
namespace {

using network::kNone;
using network::Network;
using network::Node;

std::string name_of(const Network& network, int constant) {
  return "'" + escaped(network.constants[static_cast<size_t>(constant)].name) + "'";
}

// Reads the finished walk.
class Reader {
 public:
  Reader(const Network& network, const StreamWalk& walk) : network_(network), walk_(walk) {
    stream_.width = walk.width();
    find_members();
    find_norms();
  }
  ResidualStream take() { return std::move(stream_); }

 private:
  void find_members() {
    for (size_t v = 0; v < network_.values.size(); ++v) {
      const int c = network_.values[v].constant;
      if (c == kNone || !walk_.in(static_cast<int>(v))) continue;
      if (network_.constants[static_cast<size_t>(c)].made ||
          !network_.constants[static_cast<size_t>(c)].floating())
        throw Error(ErrorKind::unsupported,
                    text("{}: the residual stream cannot be turned: {} holds no numbers that may change",
                         one_line(network_.file), name_of(network_, c)));
      member_of_[static_cast<int>(v)] = static_cast<int>(stream_.members.size());
      stream_.members.push_back({.constant = c, .axis = walk_.axis(static_cast<int>(v))});
    }
    for (const auto& [value, member] : member_of_)
      trace_uses(value, stream_.members[static_cast<size_t>(member)]);
  }
  // Whether a value is no more than a constant in another shape: then the value of the constant, else kNone.
  int constant_behind(int value) const {
    for (int depth = 0; depth < 8; ++depth) {
      if (member_of_.contains(value)) return value;
      const Node* by = nullptr;
      for (const Node& node : network_.graph.nodes)
        if (std::ranges::find(node.outputs, value) != node.outputs.end()) by = &node;
      if (!by || !reshapes(*by)) return kNone;
      value = by->inputs[0];
    }
    return kNone;
  }
  static bool reshapes(const Node& node) {
    constexpr std::string_view kOps[] = {"Identity", "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze"};
    return node.domain.empty() && std::ranges::find(kOps, node.op) != std::end(kOps);
  }
  void trace_uses(int value, StreamMember& member) const {
    for (const Node& node : network_.graph.nodes)
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] != value) continue;
        if (reshapes(node))
          trace_uses(node.outputs[0], member);
        else
          (read_by(walk_, node, i) != kNone ? member.reads : member.writes) = true;
      }
  }

  // Which norm's scale a value still carries, in the order of the graph.
  void find_norms() {
    std::vector<int> carries(network_.values.size(), -1);
    std::vector<std::set<int>> sources(stream_.members.size());  // norms, -1: the stream itself
    for (const Node& node : network_.graph.nodes) {
      const StreamRule* rule = stream_rule(node);
      if (!rule || node.op == "Shape") continue;
      int carried = -1;
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const int v = node.inputs[i];
        if (!walk_.in(v)) continue;
        const int norm = carries[static_cast<size_t>(v)];
        if (const int other = read_by(walk_, node, i); other != kNone) {
          const int constant = constant_behind(other);
          if (constant_behind(v) != kNone) continue;  // this one is the weight
          if (constant != kNone)
            sources[static_cast<size_t>(member_of_.at(constant))].insert(norm);
          else
            keep(norm, text("{} multiplies it with what is computed", node.where(network_.values)));
        } else if (!rule->passes || (carried >= 0 && carried != norm) || (i > 0 && norm != carried)) {
          keep(norm, text("{} adds to what it makes", node.where(network_.values)));
          keep(carried, text("{} joins it with others", node.where(network_.values)));
        } else {
          carried = norm;
        }
      }
      if (is_stream_norm(node) && walk_.in(node.inputs[0])) carried = add_norm(node);
      for (const int v : node.outputs)
        if (walk_.in(v)) carries[static_cast<size_t>(v)] = carried;
    }
    for (size_t m = 0; m < sources.size(); ++m)
      for (const int norm : sources[m]) {
        if (norm < 0) continue;
        const StreamMember& member = stream_.members[m];
        stream_.norms[static_cast<size_t>(norm)].readers.push_back(static_cast<int>(m));
        if (member.writes)
          keep(norm, text("{} is head and embedding in one", name_of(network_, member.constant)));
        else if (sources[m].size() > 1)
          keep(norm, text("{} reads more than this norm", name_of(network_, member.constant)));
      }
  }
  int add_norm(const Node& node) {
    StreamNorm norm{.name = node.where(network_.values), .readers = {}, .kept_by = {}};
    const auto constant = [&](size_t i) {
      const int v = i < node.inputs.size() ? node.inputs[i] : kNone;
      if (v == kNone) return kNone;
      const int c = network_.values[static_cast<size_t>(v)].constant;
      if (c == kNone || network_.constants[static_cast<size_t>(c)].elements() != walk_.width())
        throw Error(ErrorKind::unsupported,
                    text("{}: {}: its scale and bias are no stored tensors of {} numbers",
                         one_line(network_.file), norm.name, walk_.width()));
      return c;
    };
    norm.scale = constant(1);
    norm.bias = constant(2);
    stream_.fixes_ones = stream_.fixes_ones || node.op == "LayerNormalization";
    stream_.norms.push_back(std::move(norm));
    return static_cast<int>(stream_.norms.size()) - 1;
  }
  void keep(int norm, const std::string& why) {
    if (norm < 0) return;
    std::string& by = stream_.norms[static_cast<size_t>(norm)].kept_by;
    if (by.empty()) by = why;
  }

  const Network& network_;
  const StreamWalk& walk_;
  ResidualStream stream_;
  std::map<int, int> member_of_;  // by value
};

}  // namespace

ResidualStream find_residual_stream(const Network& network, const std::vector<network::ArrayPtr>& shapes) {
  struct Best {
    ResidualStream stream;
    std::string obstacle;
    int64_t numbers = -1;
  } best;
  std::vector<bool> seen(network.values.size());
  for (const Node& node : network.graph.nodes) {
    if (!is_stream_norm(node) || node.inputs.empty()) continue;
    const int x = node.inputs[0];
    if (seen[static_cast<size_t>(x)] || !shapes[static_cast<size_t>(x)] ||
        shapes[static_cast<size_t>(x)]->dims.empty())
      continue;
    const std::vector<int64_t>& dims = shapes[static_cast<size_t>(x)]->dims;
    StreamWalk walk(network, shapes, dims.back());
    walk.follow(x, static_cast<int>(dims.size()) - 1);
    int64_t numbers = 0;
    for (size_t v = 0; v < network.values.size(); ++v) {
      if (!walk.in(static_cast<int>(v))) continue;
      seen[v] = true;
      if (const network::Constant* c = network.constant_of(static_cast<int>(v))) numbers += c->elements();
    }
    // A stream that is whole before one that is not: norms within heads may be part of nothing.
    const bool whole = walk.obstacle().empty();
    if (best.numbers >= 0 && (whole == best.obstacle.empty() ? numbers <= best.numbers : !whole)) continue;
    best.obstacle = walk.obstacle();
    best.numbers = numbers;
    if (whole) best.stream = Reader(network, walk).take();
  }
  if (best.numbers < 0)
    throw Error(ErrorKind::unsupported,
                text("{}: no residual stream: there is no operator LayerNormalization or RMSNormalization",
                     one_line(network.file)),
                "without --orthogonal its neurons are reordered");
  if (!best.obstacle.empty())
    throw Error(ErrorKind::unsupported,
                text("{}: the residual stream cannot be turned: {}", one_line(network.file), best.obstacle),
                "without --orthogonal its neurons are reordered");
  return std::move(best.stream);
}

}  // namespace dws::align
