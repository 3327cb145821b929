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
  Reader(const Network& network, const symmetry::Uses& uses, const StreamWalk& walk)
      : network_(network), uses_(uses), walk_(walk) {
    stream_.width = walk.width();
    stream_.fixes_ones = walk.fixes_ones();
    find_members();
    find_norms();
    find_shared();
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
    for (const auto& [value, m] : member_of_) {
      StreamMember& member = stream_.members[static_cast<size_t>(m)];
      const Roles roles = trace_uses(value, &member);
      member.reads = roles.reads;
      member.writes = roles.writes;
    }
  }
  // Whether a value is no more than a constant in another shape: then the value of the constant, else kNone.
  int constant_behind(int value) const {
    for (int depth = 0; depth < 8; ++depth) {
      if (member_of_.contains(value)) return value;
      const Node* by = uses_.maker(value);
      if (!by || !reshapes(*by)) return kNone;
      value = by->inputs[0];
    }
    return kNone;
  }
  static bool reshapes(const Node& node) {
    constexpr std::string_view kOps[] = {"Identity", "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze"};
    return node.domain.empty() && std::ranges::find(kOps, node.op) != std::end(kOps);
  }
  struct Roles {
    bool reads = false, writes = false;
  };
  // Of a value that is the member's constant, in some shape; `member` where it is the constant itself.
  Roles trace_uses(int value, StreamMember* member) const {
    Roles all;
    for (size_t n = 0; n < network_.graph.nodes.size(); ++n) {
      const Node& node = network_.graph.nodes[n];
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] != value) continue;
        Roles here;
        if (reshapes(node))
          here = trace_uses(node.outputs[0], nullptr);
        else
          (read_by(walk_, node, i) != kNone ? here.reads : here.writes) = true;
        all.reads = all.reads || here.reads;
        all.writes = all.writes || here.writes;
        if (!member || !here.reads) continue;
        if (here.writes)
          member->inseparable = true;
        else
          member->read_at.push_back({static_cast<int>(n), i});
      }
    }
    return all;
  }

  // Which norm's scale a value still carries, in the order of the graph.
  void find_norms() {
    std::vector<int> carries(network_.values.size(), -1);
    std::vector<std::set<int>> sources(stream_.members.size());  // norms, -1: the stream itself
    for (const Node& node : network_.graph.nodes) {
      const StreamRule* rule = stream_rule(node);
      if (!rule || node.op == "Shape") continue;
      int carried = -1;
      bool first = true;
      const int bias = bias_input(node, carries);
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const int v = node.inputs[i];
        if (!walk_.in(v)) continue;
        const int norm = carries[static_cast<size_t>(v)];
        if (bias >= 0) {
          if (norm >= 0) add_bias(norm, node.inputs[static_cast<size_t>(bias)]), carried = norm;
          continue;
        }
        if (const int other = read_by(walk_, node, i); other != kNone) {
          const int constant = constant_behind(other);
          if (constant_behind(v) != kNone) continue;  // this one is the weight
          if (constant != kNone)
            sources[static_cast<size_t>(member_of_.at(constant))].insert(norm);
          else
            keep(norm, text("{} multiplies it with what is computed", node.where(network_.values)));
        } else if (!rule->passes || !walk_.in(node.outputs[0]) || (!first && norm != carried)) {
          keep(norm, text("{} {} what it makes", node.where(network_.values),
                          walk_.in(node.outputs[0]) ? "adds to" : "measures"));
          keep(carried, text("{} joins it with others", node.where(network_.values)));
          if (norm >= 0 && node.op == "Add" && uses_.readers(v) > 1)
            stream_.norms[static_cast<size_t>(norm)].is_added = true;
        } else {
          carried = norm;
        }
        first = false;
      }
      if (is_stream_norm(node) && walk_.in(node.inputs[0])) carried = add_norm(node);
      if (const int i = walk_.gain_input(node); i >= 0 && walk_.in(node.outputs[0])) {
        keep(carried, text("{} scales what it makes anew", node.where(network_.values)));
        carried = add_gain(node, node.inputs[static_cast<size_t>(i)]);
      }
      for (const int v : node.outputs)
        if (walk_.in(v)) carries[static_cast<size_t>(v)] = carried;
    }
    for (size_t m = 0; m < sources.size(); ++m)
      for (const int norm : sources[m]) {
        if (norm < 0) continue;
        const StreamMember& member = stream_.members[m];
        stream_.norms[static_cast<size_t>(norm)].readers.push_back(static_cast<int>(m));
        if (sources[m].size() > 1)
          keep(norm, text("{} reads more than this norm", name_of(network_, member.constant)));
        else if (member.writes &&
                 keep(norm, text("{} is head and embedding in one", name_of(network_, member.constant))))
          stream_.norms[static_cast<size_t>(norm)].tied = static_cast<int>(m);
      }
  }
  int add_norm(const Node& node) {
    StreamNorm norm{.name = node.where(network_.values), .readers = {}, .kept_by = {}};
    const auto constant = [&](size_t i) {
      if (i >= node.inputs.size() || node.inputs[i] == kNone) return kNone;
      const int v = walk_.vector_behind(node.inputs[i]);
      if (v == kNone)
        throw Error(ErrorKind::unsupported,
                    text("{}: {}: its scale and bias are no stored tensors of {} numbers",
                         one_line(network_.file), norm.name, walk_.width()));
      return constant_of(v);
    };
    norm.scale = constant(1);
    norm.bias = constant(2);
    stream_.fixes_ones = stream_.fixes_ones || node.op == "LayerNormalization";
    return add(std::move(norm));
  }
  // A scale that stands by itself, behind a norm that is spelled out.
  int add_gain(const Node& node, int scale) {
    return add({.name = node.where(network_.values),
                .scale = constant_of(walk_.vector_behind(scale)),
                .readers = {},
                .kept_by = {}});
  }
  int add(StreamNorm norm) {
    stream_.norms.push_back(std::move(norm));
    return static_cast<int>(stream_.norms.size()) - 1;
  }
  int constant_of(int value) const { return network_.values[static_cast<size_t>(value)].constant; }
  // Of an Add of a stored vector to what a norm without a bias makes: which input that is. -1 of others.
  int bias_input(const Node& node, const std::vector<int>& carries) const {
    if (node.op != "Add" || !node.domain.empty()) return -1;
    for (const int i : {0, 1}) {
      const int other = node.inputs[static_cast<size_t>(1 - i)];
      const int norm = walk_.in(other) ? carries[static_cast<size_t>(other)] : -1;
      if (norm >= 0 && walk_.in(node.inputs[static_cast<size_t>(i)]) &&
          walk_.vector_behind(node.inputs[static_cast<size_t>(i)]) != kNone &&
          stream_.norms[static_cast<size_t>(norm)].bias == kNone)
        return i;
    }
    return -1;
  }
  void add_bias(int norm, int value) {
    const int v = walk_.vector_behind(value);
    StreamNorm& n = stream_.norms[static_cast<size_t>(norm)];
    n.bias = constant_of(v);
    n.bias_axis = walk_.axis(v);
  }
  // How often a value is read, as it is or cast.
  int reads_of(int value) const {
    int count = 0;
    const auto see = [&](const Node& node) {
      for (const int v : node.inputs)
        if (v == value) count += node.op == "Identity" || node.op == "Cast" ? reads_of(node.outputs[0]) : 1;
    };
    network::each_node(network_.graph, see);
    return count;
  }
  // A scale may change where nothing but norms reads it, a bias where norms of one scale do.
  void find_shared() {
    std::vector<int> value_of(network_.constants.size(), kNone);
    for (size_t v = 0; v < network_.values.size(); ++v)
      if (const int c = network_.values[v].constant; c != kNone)
        value_of[static_cast<size_t>(c)] = static_cast<int>(v);
    const auto reads = [&](int constant) { return reads_of(value_of[static_cast<size_t>(constant)]); };
    for (size_t n = 0; n < stream_.norms.size(); ++n) {
      StreamNorm& norm = stream_.norms[n];
      if (norm.scale == kNone) continue;
      const auto alike = [&](bool with_bias) {
        return std::ranges::count_if(stream_.norms, [&](const StreamNorm& other) {
          return other.scale == norm.scale && (!with_bias || other.bias == norm.bias);
        });
      };
      if (reads(norm.scale) != alike(false))
        keep(static_cast<int>(n), text("{} is read by others too", name_of(network_, norm.scale)));
      norm.bias_shared = norm.bias != kNone && reads(norm.bias) != alike(true);
    }
  }
  // Whether this is the first reason.
  bool keep(int norm, const std::string& why) {
    if (norm < 0 || !stream_.norms[static_cast<size_t>(norm)].kept_by.empty()) return false;
    stream_.norms[static_cast<size_t>(norm)].kept_by = why;
    return true;
  }

  const Network& network_;
  const symmetry::Uses& uses_;
  const StreamWalk& walk_;
  ResidualStream stream_;
  std::map<int, int> member_of_;  // by value
};

// The values that norms read: of those in parts, what is squared and then summed.
std::vector<int> normed_values(const Network& network) {
  std::vector<bool> summed(network.values.size());
  std::vector<int> found;
  const std::vector<Node>& nodes = network.graph.nodes;
  for (size_t n = nodes.size(); n-- > 0;) {
    const Node& node = nodes[n];
    if (node.inputs.empty() || node.inputs[0] == kNone || node.outputs.empty()) continue;
    const bool is_sum = node.op == "ReduceMean" || node.op == "ReduceSum";
    const bool is_cast = node.op == "Cast" || node.op == "Identity";
    const bool whole = node.op == "ReduceL2" || node.op == "ReduceSumSquare" || is_stream_norm(node);
    const bool sums = node.outputs[0] != kNone && summed[static_cast<size_t>(node.outputs[0])];
    if (is_sum || (is_cast && sums)) summed[static_cast<size_t>(node.inputs[0])] = true;
    if (whole || (sums && is_square(network, node))) found.push_back(node.inputs[0]);
  }
  std::ranges::reverse(found);
  return found;
}

// Whether a norm's output is both a summand of what follows and read besides: as in BERT, where blocks are added to what norms make.
bool is_post_norm(const Network& network, const symmetry::Uses& uses) {
  const auto vector = [&](const Node& node) {
    return node.inputs.size() == 2 && std::ranges::any_of(node.inputs, [&](int v) {
             const network::Constant* c = network.constant_of(v);
             return c && c->elements() > 1;
           });
  };
  const auto makes = [&](int value, std::string_view op) {
    const Node* by = value == kNone ? nullptr : uses.maker(value);
    return by && by->op == op && vector(*by) ? by : nullptr;
  };
  const auto normed = [&](int value) {
    if (const Node* by = uses.maker(value); by && is_stream_norm(*by)) return true;
    const Node* biased = makes(value, "Add");
    return makes(value, "Mul") ||
           (biased && (makes(biased->inputs[0], "Mul") || makes(biased->inputs[1], "Mul")));
  };
  return std::ranges::any_of(network.graph.nodes, [&](const Node& node) {
    return node.op == "Add" && !vector(node) && std::ranges::any_of(node.inputs, [&](int v) {
             return v != kNone && uses.readers(v) > 1 && normed(v);
           });
  });
}

}  // namespace

ResidualStream find_residual_stream(const Network& network, const std::vector<network::ArrayPtr>& shapes) {
  struct Best {
    ResidualStream stream;
    std::string obstacle;
    int64_t numbers = -1;
  } best;
  const symmetry::Uses uses(network);
  std::vector<bool> seen(network.values.size());
  for (const int x : normed_values(network)) {
    if (seen[static_cast<size_t>(x)] || !shapes[static_cast<size_t>(x)] ||
        shapes[static_cast<size_t>(x)]->dims.empty())
      continue;
    const std::vector<int64_t>& dims = shapes[static_cast<size_t>(x)]->dims;
    StreamWalk walk(network, uses, shapes, dims.back());
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
    if (whole) best.stream = Reader(network, uses, walk).take();
  }
  if (best.numbers < 0)
    throw Error(
        ErrorKind::unsupported,
        text("{}: no residual stream: there is no LayerNorm or RMSNorm, neither an operator nor in parts",
             one_line(network.file)),
        "without --orthogonal its neurons are reordered");
  if (!best.obstacle.empty())
    throw Error(
        ErrorKind::unsupported,
        text("{}: the residual stream cannot be turned: {}", one_line(network.file), best.obstacle),
        is_post_norm(network, uses) ? kPostNormAdvice : "without --orthogonal its neurons are reordered");
  return std::move(best.stream);
}

}  // namespace dws::align
