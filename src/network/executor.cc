#include "network/executor.h"

#include <algorithm>
#include <set>

#include "core/text.h"
#include "network/context.h"

namespace dws::network {
namespace {

constexpr int64_t kFirstFree = 2;

// The values that a node reads, those that its inner graphs take from around them too.
void read_by(const Node& node, std::set<int>& values) {
  for (const int input : node.inputs)
    if (input != kNone) values.insert(input);
  for (const auto& [name, body] : node.bodies) {
    for (const Node& inner : body.nodes) read_by(inner, values);
    values.insert(body.outputs.begin(), body.outputs.end());
  }
}

void round_in_place(Array& a) {
  if (a.type == OnnxType::f64) return;
  for (double& v : a.reals) v = round_to(a.type, v);
}

}  // namespace

// The values of one run.
class Frame {
 public:
  Frame(const Network& network, bool shapes_only, Precision precision) noexcept
      : network_(network), shapes_only_(shapes_only), precision_(precision), values_(network.values.size()) {}

  void set(int value, ArrayPtr array) { values_[static_cast<size_t>(value)] = std::move(array); }
  const ArrayPtr& get(int value) const { return values_[static_cast<size_t>(value)]; }
  std::vector<ArrayPtr> take() { return std::move(values_); }

  // `keep`: nothing is let go of when it was last read.
  void run(const Graph& graph, bool keep) {
    std::vector<std::vector<int>> last_read(keep ? 0 : graph.nodes.size());
    if (!keep) {
      std::set<int> seen(graph.outputs.begin(), graph.outputs.end());
      for (size_t i = graph.nodes.size(); i-- > 0;) {
        std::set<int> read;
        read_by(graph.nodes[i], read);
        for (const int value : read)
          if (seen.insert(value).second) last_read[i].push_back(value);
      }
    }
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      run_node(graph.nodes[i]);
      if (!keep)
        for (const int value : last_read[i]) values_[static_cast<size_t>(value)].reset();
    }
  }

  std::vector<ArrayPtr> run_body(const Graph& body, const std::vector<ArrayPtr>& inputs) {
    if (inputs.size() > body.inputs.size())
      throw Error(ErrorKind::bad_schema,
                  text("an inner graph of {} inputs is given {}", body.inputs.size(), inputs.size()));
    forget(body);  // of an earlier round: what is not known now must not seem so
    for (size_t i = 0; i < inputs.size(); ++i) set(body.inputs[i], inputs[i]);
    run(body, true);
    std::vector<ArrayPtr> outputs;
    for (const int output : body.outputs) outputs.push_back(get(output));
    return outputs;
  }

 private:
  void forget(const Graph& graph) {
    each_node(graph, [&](const Node& node) {
      for (const int output : node.outputs)
        if (output != kNone) values_[static_cast<size_t>(output)].reset();
    });
  }
  void run_node(const Node& node) {
    std::vector<ArrayPtr> inputs;
    for (const int input : node.inputs) {
      inputs.push_back(input == kNone ? nullptr : get(input));
      if (input == kNone || inputs.back()) continue;
      if (shapes_only_) return;  // unknown goes in, unknown comes out
      const Value& value = network_.values[static_cast<size_t>(input)];
      throw Error(ErrorKind::bad_value, text("{}: {}: its input '{}' has no numbers", one_line(network_.file),
                                             node.where(network_.values), escaped(value.name)));
    }
    const Operator op = find_operator(node.domain, node.op);
    if (!op) return;  // only in a run for shapes: the Executor has refused it
    const auto where = [&] { return text("{}: {}", one_line(network_.file), node.where(network_.values)); };
    Context context(
        node, std::move(inputs), shapes_only_, where,
        [this](const Graph& body, const std::vector<ArrayPtr>& given) { return run_body(body, given); });
    try {
      op(context);
    } catch (const UnknownShape&) {
      return;
    } catch (const AttributeError& e) {
      throw e.of(where());
    }
    std::vector<ArrayPtr> outputs = context.take_outputs();
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (node.outputs[i] == kNone || !outputs[i]) continue;
      if (precision_ == Precision::f32 && outputs[i]->real() && outputs[i].use_count() == 1)
        round_in_place(const_cast<Array&>(*outputs[i]));  // fresh from make(): nobody else holds it
      set(node.outputs[i], std::move(outputs[i]));
    }
  }

  const Network& network_;
  bool shapes_only_;
  Precision precision_;
  std::vector<ArrayPtr> values_;
};

Executor::Executor(const Network& network, Precision precision)
    : network_(network), precision_(precision), constants_(network.constants.size()) {
  each_node(network.graph, [&](const Node& node) {
    if (!find_operator(node.domain, node.op))
      throw Error(ErrorKind::unsupported,
                  text("{}: {}: operator {} of domain '{}', version {}, cannot be run",
                       one_line(network.file), node.where(network.values), escaped(node.op),
                       node.domain.empty() ? "ai.onnx" : escaped(node.domain), node.version));
  });
}

std::vector<ArrayPtr> Executor::run(const std::vector<ArrayPtr>& inputs, const Replacements& replaced) {
  const Graph& graph = network_.graph;
  if (inputs.size() != graph.inputs.size())
    throw Error(ErrorKind::mismatch, text("{}: expected {} inputs, got {}", one_line(network_.file),
                                          graph.inputs.size(), inputs.size()));
  Frame frame(network_, false, precision_);
  for (size_t v = 0; v < network_.values.size(); ++v) {
    const int c = network_.values[v].constant;
    if (c == kNone) continue;
    if (const auto at = replaced.find(c); at != replaced.end()) {
      frame.set(static_cast<int>(v), at->second);
      continue;
    }
    ArrayPtr& converted = constants_[static_cast<size_t>(c)];
    const Constant& constant = network_.constants[static_cast<size_t>(c)];
    if (!converted && (is_real(constant.type) || is_integer(constant.type)))
      converted = std::make_shared<const Array>(to_array(constant));
    frame.set(static_cast<int>(v), converted);
  }
  for (size_t i = 0; i < inputs.size(); ++i) frame.set(graph.inputs[i], inputs[i]);
  frame.run(graph, false);
  std::vector<ArrayPtr> outputs;
  for (const int output : graph.outputs) outputs.push_back(frame.get(output));
  return outputs;
}

std::vector<ArrayPtr> infer(const Network& network, const std::vector<ArrayPtr>& inputs) {
  constexpr int64_t kSmall = 4'096;  // constants whose numbers a shape may depend on
  Frame frame(network, true, Precision::f64);
  for (size_t v = 0; v < network.values.size(); ++v) {
    const Constant* c = network.constant_of(static_cast<int>(v));
    if (!c || (!is_real(c->type) && !is_integer(c->type))) continue;
    const bool small = c->elements() <= kSmall;
    frame.set(static_cast<int>(v),
              std::make_shared<const Array>(small ? to_array(*c) : Array{.type = c->type, .dims = c->dims}));
  }
  for (size_t i = 0; i < inputs.size(); ++i) frame.set(network.graph.inputs[i], inputs[i]);
  frame.run(network.graph, true);
  return frame.take();
}

std::vector<ArrayPtr> input_shapes(const Network& network, const InputShapes& given) {
  InputShapes unused = given;
  std::map<std::string, int64_t> chosen = given.dimensions;
  std::vector<ArrayPtr> shapes;
  for (const int input : network.graph.inputs) {
    const Value& value = network.values[static_cast<size_t>(input)];
    const auto fail = [&](const std::string& what) {
      throw Error(ErrorKind::mismatch,
                  text("{}: input '{}' {}", one_line(network.file), escaped(value.name), what));
    };
    const auto whole = given.whole.find(value.name);
    unused.whole.erase(value.name);
    if (!value.type || (!is_real(*value.type) && !is_integer(*value.type)))
      fail("is not a tensor of numbers");
    if (!value.dims && whole == given.whole.end()) fail("is of unknown rank: --shape says which");
    Array a{.type = *value.type, .dims = value.dims ? *value.dims : whole->second};
    if (whole != given.whole.end() && whole->second.size() != a.dims.size())
      fail(text("has {} axes, not {}", a.dims.size(), whole->second.size()));
    for (size_t axis = 0; axis < a.dims.size(); ++axis) {
      const std::string symbol = axis < value.symbols.size() ? value.symbols[axis] : std::string();
      unused.dimensions.erase(symbol);
      const int64_t wanted = whole == given.whole.end() ? -1 : whole->second[axis];
      if (a.dims[axis] >= 0) {
        if (wanted >= 0 && wanted != a.dims[axis])
          fail(text("has {} items along axis {}, not {}", a.dims[axis], axis, wanted));
      } else if (wanted >= 0) {
        a.dims[axis] = wanted;
        if (!symbol.empty()) chosen.emplace(symbol, wanted);
      } else {
        const int64_t size = axis == 0 ? kFirstFree : given.otherwise;
        a.dims[axis] = symbol.empty() ? size : chosen.emplace(symbol, size).first->second;
      }
    }
    int64_t numbers = 1;
    for (const int64_t extent : a.dims)
      if (__builtin_mul_overflow(numbers, extent, &numbers)) fail("has a shape beyond 64 bits");
    shapes.push_back(std::make_shared<const Array>(std::move(a)));
  }
  if (!unused.dimensions.empty())
    throw Error(ErrorKind::usage, text("{}: no input has a free dimension '{}'", one_line(network.file),
                                       escaped(unused.dimensions.begin()->first)));
  if (!unused.whole.empty())
    throw Error(ErrorKind::usage,
                text("{}: no input '{}'", one_line(network.file), escaped(unused.whole.begin()->first)));
  return shapes;
}

}  // namespace dws::network
