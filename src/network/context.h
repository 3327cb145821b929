// One node at work: what an operator's function is given.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "network/array.h"
#include "network/network.h"

namespace dws::network {

// An operator first says the type and shape of its outputs (make()), from shapes and attributes alone where it can;
// then, if computing(), it fills them. So one function serves running and shape inference, and they cannot disagree.
class Context {
 public:
  using RunBody = std::function<std::vector<ArrayPtr>(const Graph&, const std::vector<ArrayPtr>& inputs)>;

  Context(const Node& node, std::vector<ArrayPtr> inputs, bool shapes_only,
          std::function<std::string()> where, RunBody run_body);

  const Node& node() const noexcept { return node_; }
  int64_t version() const noexcept { return node_.version; }
  int count() const noexcept { return static_cast<int>(inputs_.size()); }
  bool has(int input) const noexcept;
  // Throws Error{bad_schema} when the input is left out.
  const Array& in(int input) const;
  ArrayPtr in_ptr(int input) const;  // nullptr when left out
  // The numbers of an input on which the outputs' shapes depend (axes, sizes, repeats): as integers, whatever their
  // rank. In a run for shapes throws UnknownShape when nobody knows them yet.
  std::vector<int64_t> ints(int input) const;
  std::vector<double> reals(int input) const;

  int outputs() const noexcept { return static_cast<int>(node_.outputs.size()); }
  bool wants(int output) const noexcept;
  // The output, zeroed; a scratch array when nobody wants it. In a run for shapes without numbers unless computing().
  Array& make(int output, OnnxType type, std::vector<int64_t> dims);
  // The output is this very array (Identity, a branch of If).
  void pass(int output, ArrayPtr array);
  // False in a run for shapes when an input is not known or the output is large: stop after make().
  bool computing() const noexcept { return computing_; }
  // Whether numbers are wanted in earnest: false in a run for shapes, even where it computes.
  bool shapes_only() const noexcept { return shapes_only_; }

  // An axis from an attribute or input: negative ones count from the end. Throws Error{bad_value} outside.
  int axis(int64_t axis, int rank) const;
  // The same node given other inputs, for an operator that is another one of numbers in another form.
  Context with_inputs(std::vector<ArrayPtr> inputs) const;
  std::vector<ArrayPtr> run_body(const Graph& body, const std::vector<ArrayPtr>& inputs) const;

  // Throw, with the node in front. `kind` is bad_schema unless given.
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void fail(ErrorKind kind, const std::string& what) const;
  void require(bool fine, std::string_view what) const {
    if (!fine) fail(std::string(what));
  }

  std::vector<ArrayPtr> take_outputs();

 private:
  const Node& node_;
  std::vector<ArrayPtr> inputs_;
  std::vector<std::shared_ptr<Array>> outputs_;
  std::vector<ArrayPtr> passed_;
  bool shapes_only_, computing_;
  std::function<std::string()> where_;
  RunBody run_body_;
};

// Thrown in a run for shapes where an output's shape depends on numbers that are not known. Not an error.
struct UnknownShape {};

using Operator = void (*)(Context&);
// nullptr: not known. `domain` is "" for ONNX's own.
Operator find_operator(std::string_view domain, std::string_view op) noexcept;
// "Conv", "com.microsoft.Gelu", sorted: everything that can be run.
std::vector<std::string> operator_names();

}  // namespace dws::network
