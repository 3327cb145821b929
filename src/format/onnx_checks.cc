// What ONNX's own checker asks of a graph (docs/IR.md), and what it does not: names are made once, before they are used, not
// even within another graph, and operators belong to domains that are imported.
#include <set>
#include <unordered_set>

#include "core/text.h"
#include "format/onnx_parts.h"

namespace dws::format {
namespace {

// Names that can be seen at a place: those of this graph and, for reading, of the graphs around it.
class Scope {
 public:
  explicit Scope(const Scope* outer) : outer_(outer) {}
  bool sees(const std::string& name) const {
    for (const Scope* scope = this; scope; scope = scope->outer_)
      if (scope->names_.contains(name)) return true;
    return false;
  }
  void add(const std::string& name) { names_.insert(name); }
  bool has(const std::string& name) const { return names_.contains(name); }

 private:
  const Scope* outer_;
  std::unordered_set<std::string> names_;
};

class Checker {
 public:
  explicit Checker(const OnnxSource& source) : source_(source) {}

  void check(const OnnxGraph& graph, const std::map<std::string, int64_t>& opsets, const Scope* outer) {
    Scope scope(outer);
    for (const OnnxValue& input : graph.inputs) define(scope, input.name, "input");
    std::unordered_set<std::string> initializers;
    const auto initializer = [&](const std::string& name) {
      if (!initializers.insert(name).second)
        refuse(ErrorKind::duplicate_name, text("two initializers are called '{}'", escaped(name)));
      // Before IR version 4 every initializer is an input too, whose default value it is.
      if (!scope.has(name)) define(scope, name, "initializer");
    };
    for (const OnnxTensor& tensor : graph.initializers) initializer(tensor.name);
    for (const std::string& name : graph.sparse) initializer(name);
    check_nodes(graph.nodes, opsets, scope);
    for (const OnnxValue& output : graph.outputs)
      if (!scope.sees(output.name))
        refuse(ErrorKind::missing_tensor, text("output '{}' is made by no node", escaped(output.name)));
  }

  void check(const OnnxFunction& function) {
    Scope scope(nullptr);
    for (const std::string& input : function.inputs) define(scope, input, "input");
    check_nodes(function.nodes, function.opsets, scope);
    for (const std::string& output : function.outputs)
      if (!scope.sees(output))
        refuse(ErrorKind::missing_tensor, text("output '{}' of function '{}' is made by no node",
                                               escaped(output), escaped(function.name)));
  }

 private:
  [[noreturn]] void refuse(ErrorKind kind, const std::string& what) const {
    fail(kind, {.file = source_.file, .what = what});
  }

  void define(Scope& scope, const std::string& name, const std::string& what) {
    if (scope.has(name))
      refuse(ErrorKind::duplicate_name, text("{} '{}' is made twice", what, escaped(name)));
    if (scope.sees(name))
      refuse(ErrorKind::duplicate_name,
             text("{} '{}' hides the one of a graph around it", what, escaped(name)));
    scope.add(name);
  }

  void check_nodes(const std::vector<OnnxNode>& nodes, const std::map<std::string, int64_t>& opsets,
                   Scope& scope) {
    for (const OnnxNode& node : nodes) {
      const std::string label =
          text("{} node '{}'", escaped(node.op),
               escaped(node.name.empty() && !node.outputs.empty() ? node.outputs[0] : node.name));
      if (!opsets.contains(node.domain))
        refuse(ErrorKind::bad_schema,
               text("{} is of domain '{}', which is not imported", label, escaped(node.domain)));
      for (const std::string& input : node.inputs)
        if (!input.empty() && !scope.sees(input))
          refuse(ErrorKind::missing_tensor,
                 text("{} reads '{}', which nothing before it makes", label, escaped(input)));
      for (const OnnxAttribute& attribute : node.attributes)
        for (const auto& graph : attribute.graphs) check(*graph, opsets, &scope);
      for (const std::string& output : node.outputs)
        if (!output.empty()) define(scope, output, text("{}: its output", label));
    }
  }

  const OnnxSource& source_;
};

}  // namespace

void check_onnx_model(const OnnxSource& source, const OnnxGraph& graph,
                      const std::vector<OnnxFunction>& functions,
                      const std::map<std::string, int64_t>& opsets) {
  Checker checker(source);
  checker.check(graph, opsets, nullptr);
  std::set<std::pair<std::string, std::string>> seen;
  for (const OnnxFunction& function : functions) {
    if (!seen.insert({function.domain, function.name}).second)
      fail(ErrorKind::duplicate_name, {.file = source.file,
                                       .what = text("two functions are called '{}' of domain '{}'",
                                                    escaped(function.name), escaped(function.domain))});
    checker.check(function);
  }
}

}  // namespace dws::format
