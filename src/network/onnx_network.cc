// From the ONNX reader's structs to the graph: names become numbers, functions are expanded.
#include <cstring>
#include <deque>
#include <span>
#include <unordered_map>

#include "core/text.h"
#include "network/network.h"

namespace dws::network {
namespace {

constexpr int64_t kNewestOpset = 23;  // of ONNX's own operators, that this program has been written by
constexpr int kFunctionDepth = 32;
// After expansion: functions that call functions grow exponentially, and each call copies attributes, which may be long.
constexpr int64_t kMaxNodes = 1'000'000;
constexpr size_t kMemoryFloor = size_t{256} << 20,
                 kMemoryFactor = 16;  // for attributes: bytes, and times the file

size_t size_of(const OnnxAttribute& a) {
  size_t size = sizeof a + a.name.size() + a.s.size() + 8 * (a.floats.size() + a.ints.size());
  for (const std::string& s : a.strings) size += sizeof s + s.size();
  for (const OnnxTensor& t : a.tensors) size += sizeof t + t.name.size() + 8 * t.dims.size();
  return size;
}

// What the network's constants point into.
struct Owner {
  std::shared_ptr<const Onnx> model;
  std::deque<std::vector<std::byte>> made;  // numbers that were attributes
};

using Names = std::unordered_map<std::string, int>;
struct Scope {
  const Scope* outer = nullptr;
  Names names{};
};
// Attributes of the call while a function is expanded; nullptr outside.
using Arguments = std::vector<OnnxAttribute>;

class Builder {
 public:
  explicit Builder(std::shared_ptr<const Onnx> model) : model_(*model), owner_(std::make_shared<Owner>()) {
    owner_->model = std::move(model);
    net_.file = model_.path();
    net_.opsets = model_.opsets();
    net_.warnings = model_.warnings();
    if (const auto own = net_.opsets.find(""); own != net_.opsets.end() && own->second > kNewestOpset)
      net_.warnings.push_back(
          text("{}: operator set {} is newer than this program, which knows those up to {}",
               one_line(net_.file), own->second, kNewestOpset));
    for (const OnnxFunction& f : model_.functions()) functions_.emplace(f.domain + '\0' + f.name, &f);
  }

  Network take() {
    Scope scope;
    net_.graph = graph(model_.graph(), scope, model_.opsets(), nullptr, 0);
    net_.owner = owner_;
    return std::move(net_);
  }

 private:
  using Opsets = std::map<std::string, int64_t>;

  [[noreturn]] void fail(ErrorKind kind, const std::string& what) const {
    throw Error(kind, text("{}: {}", one_line(net_.file), what));
  }
  int fresh(Scope& scope, const std::string& name) {
    net_.values.push_back({.name = name});
    return scope.names[name] = static_cast<int>(net_.values.size()) - 1;
  }
  int constant(Scope& scope, const std::string& name, const OnnxTensor& tensor, bool is_made = false) {
    const int value = fresh(scope, name);
    Value& v = net_.values[static_cast<size_t>(value)];
    v.constant = static_cast<int>(net_.constants.size());
    v.type = tensor.type;
    v.dims = tensor.dims;
    net_.constants.push_back(
        {.name = name, .type = tensor.type, .dims = tensor.dims, .bytes = tensor.bytes, .made = is_made});
    return value;
  }
  int lookup(const Scope& scope, const std::string& name) const {
    if (name.empty()) return kNone;
    for (const Scope* s = &scope; s; s = s->outer)
      if (const auto at = s->names.find(name); at != s->names.end()) return at->second;
    fail(ErrorKind::internal, text("value '{}' is used and never made", escaped(name)));
  }
  void declare(int value, const OnnxValue& said) {
    Value& v = net_.values[static_cast<size_t>(value)];
    v.type = said.type;
    v.dims = said.dims;
    v.symbols = said.symbols;
  }

  Graph graph(const OnnxGraph& from, Scope& scope, const Opsets& opsets, const Arguments* arguments,
              int depth) {
    Graph to;
    for (const OnnxTensor& tensor : from.initializers) constant(scope, tensor.name, tensor);
    for (const std::string& name : from.sparse) fresh(scope, name);
    for (const OnnxValue& input : from.inputs) {
      if (scope.names.contains(input.name))
        continue;  // an initializer that the caller may replace: it stands
      to.inputs.push_back(fresh(scope, input.name));
      declare(to.inputs.back(), input);
    }
    for (const OnnxNode& n : from.nodes) node(n, scope, opsets, arguments, depth, to.nodes);
    for (const OnnxValue& value : from.values)
      if (const auto at = scope.names.find(value.name); at != scope.names.end()) {
        Value& v = net_.values[static_cast<size_t>(at->second)];
        if (v.constant == kNone && !v.dims) declare(at->second, value);
      }
    for (const OnnxValue& output : from.outputs) {
      to.outputs.push_back(lookup(scope, output.name));
      Value& v = net_.values[static_cast<size_t>(to.outputs.back())];
      if (v.constant == kNone && !v.dims) declare(to.outputs.back(), output);
    }
    return to;
  }

  void spend(const OnnxAttribute& copied) {
    memory_ += size_of(copied);
    if (memory_ > kMemoryFloor + kMemoryFactor * model_.file_bytes().size())
      fail(ErrorKind::resource_limit, text("its functions, expanded, need more than {} bytes for attributes",
                                           kMemoryFloor + kMemoryFactor * model_.file_bytes().size()));
  }
  void node(const OnnxNode& from, Scope& scope, const Opsets& opsets, const Arguments* arguments, int depth,
            std::vector<Node>& to) {
    if (++nodes_ > kMaxNodes) fail(ErrorKind::resource_limit, text("more than {} nodes", kMaxNodes));
    Node node{.name = from.name, .op = from.op, .domain = from.domain == "ai.onnx" ? "" : from.domain};
    const auto opset = opsets.find(node.domain);
    node.version = opset == opsets.end() ? 0 : opset->second;
    for (const OnnxAttribute& attribute : from.attributes) {
      const OnnxAttribute* a = &attribute;
      if (!a->parameter.empty()) {
        const OnnxAttribute* given = nullptr;
        if (arguments)
          for (const OnnxAttribute& argument : *arguments)
            if (argument.name == a->parameter) given = &argument;
        if (!given) continue;  // left out by the call: left out here
        spend(*given);
        node.attributes.push_back(*given);
        node.attributes.back().name = a->name;
        a = &node.attributes.back();
      } else {
        spend(*a);
        node.attributes.push_back(*a);
      }
      if (a->kind == OnnxAttribute::Kind::graph || a->kind == OnnxAttribute::Kind::graphs) {
        const OnnxAttribute held = *a;
        node.attributes.pop_back();
        for (const auto& body : held.graphs) {
          Scope inner{.outer = &scope};
          node.bodies.push_back({held.name, graph(*body, inner, opsets, arguments, depth)});
        }
      }
    }
    if (node.domain.empty() && node.op == "Constant") return constant_node(node, from, scope);
    for (const std::string& input : from.inputs) node.inputs.push_back(lookup(scope, input));
    if (const auto f = functions_.find(node.domain + '\0' + node.op); f != functions_.end())
      return call(*f->second, node, from, scope, depth, to);
    for (const std::string& output : from.outputs)
      node.outputs.push_back(output.empty() ? kNone : fresh(scope, output));
    to.push_back(std::move(node));
  }

  void call(const OnnxFunction& function, const Node& node, const OnnxNode& from, Scope& scope, int depth,
            std::vector<Node>& to) {
    if (depth >= kFunctionDepth)
      fail(ErrorKind::resource_limit,
           text("function '{}' is called too deep within functions: expected at most {} levels",
                escaped(function.name), kFunctionDepth));
    Scope inner;
    for (size_t i = 0; i < function.inputs.size(); ++i)
      inner.names[function.inputs[i]] = i < node.inputs.size() ? node.inputs[i] : kNone;
    Opsets opsets = model_.opsets();
    for (const auto& [domain, version] : function.opsets) opsets[domain == "ai.onnx" ? "" : domain] = version;
    for (const OnnxNode& n : function.nodes) this->node(n, inner, opsets, &node.attributes, depth + 1, to);
    for (size_t i = 0; i < from.outputs.size(); ++i) {
      if (from.outputs[i].empty()) continue;
      if (i >= function.outputs.size())
        fail(ErrorKind::bad_schema,
             text("{}: expected at most {} outputs of the function, got {}", node.where(net_.values),
                  function.outputs.size(), from.outputs.size()));
      const int value = lookup(inner, function.outputs[i]);
      scope.names[from.outputs[i]] = value;
      // The caller's name is the one that graph outputs and messages use.
      if (value != kNone && net_.values[static_cast<size_t>(value)].constant == kNone)
        net_.values[static_cast<size_t>(value)].name = from.outputs[i];
    }
  }

  template <class T>
  OnnxTensor made(OnnxType type, std::vector<int64_t> dims, std::span<const T> numbers) {
    std::vector<std::byte> bytes(numbers.size_bytes());
    if (!bytes.empty()) std::memcpy(bytes.data(), numbers.data(), bytes.size());
    owner_->made.push_back(std::move(bytes));
    return {.name = {}, .type = type, .dims = std::move(dims), .bytes = owner_->made.back()};
  }

  void constant_node(const Node& node, const OnnxNode& from, Scope& scope) {
    using Kind = OnnxAttribute::Kind;
    if (from.outputs.size() != 1 || node.attributes.size() != 1)
      fail(ErrorKind::bad_schema, "a Constant node needs one attribute and one output");
    const OnnxAttribute& a = node.attributes.front();
    const std::string& name = from.outputs.front();
    const auto count = [](const auto& list) {
      return std::vector<int64_t>{static_cast<int64_t>(list.size())};
    };
    if (a.kind == Kind::tensor && a.tensors.size() == 1) {
      constant(scope, name, a.tensors.front());
    } else if (a.kind == Kind::f) {
      const float f = static_cast<float>(a.f);
      constant(scope, name, made<float>(OnnxType::f32, {}, {&f, 1}), true);
    } else if (a.kind == Kind::i) {
      constant(scope, name, made<int64_t>(OnnxType::i64, {}, {&a.i, 1}), true);
    } else if (a.kind == Kind::floats) {
      const std::vector<float> f(a.floats.begin(), a.floats.end());
      constant(scope, name, made<float>(OnnxType::f32, count(f), f), true);
    } else if (a.kind == Kind::ints) {
      constant(scope, name, made<int64_t>(OnnxType::i64, count(a.ints), a.ints), true);
    } else if (a.kind == Kind::s || a.kind == Kind::strings) {
      constant(scope, name, {.name = {}, .type = OnnxType::string, .dims = {}, .bytes = {}});
    } else {
      fresh(scope, name);  // sparse: nothing makes its numbers, so that whoever runs it is told
    }
  }

  const Onnx& model_;
  std::shared_ptr<Owner> owner_;
  Network net_;
  std::unordered_map<std::string, const OnnxFunction*> functions_;
  int64_t nodes_ = 0;
  size_t memory_ = 0;
};

}  // namespace

Network from_onnx(std::shared_ptr<const Onnx> model) {
  return Builder(std::move(model)).take();
}

}  // namespace dws::network
