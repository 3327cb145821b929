// How the engine's plan is made: a planner an operator turns a node into steps on float arrays.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "network/executor.h"
#include "network/network.h"

namespace dws::network::engine {

// Where the numbers of every value lie while one worker runs one piece.
struct Frame {
  float* const* values = nullptr;
  float* scratch = nullptr;  // of the step that runs
  const float* in(int value) const noexcept { return values[value]; }
  float* out(int value) const noexcept { return values[value]; }
};
using Work = std::function<void(const Frame&)>;
using Fold = std::function<void(const Frame&, float* to)>;

struct Step {
  std::vector<int> reads{}, writes{};
  int64_t scratch = 0;    // floats
  bool in_place = false;  // the first write may lie where the first read does
  Work work{};
};
// A value beyond the network's, made of fixed values alone whenever those change: folded or transposed weights.
struct Derived {
  int value;
  int64_t size;
  std::vector<int> from;
  Fold work;
};

// A value is fixed when it follows from stored tensors and shapes alone, else it flows.
class Builder {
 public:
  // `shapes`: of every value at this piece, from infer(). Throws Error{unsupported} where a node cannot run on its own.
  Builder(const Network& network, std::vector<ArrayPtr> shapes, const std::vector<int>& watched);

  const Network& network() const noexcept { return network_; }
  const Array& shape(int value) const { return *shapes_[static_cast<size_t>(value)]; }
  const ArrayPtr& shape_ptr(int value) const { return shapes_[static_cast<size_t>(value)]; }
  int64_t size(int value) const;
  bool fixed(int value) const noexcept { return fixed_[static_cast<size_t>(value)]; }
  bool real(int value) const { return shape(value).real(); }
  // The numbers of a fixed value of integers; nullptr where they are not known.
  ArrayPtr integers(int value) const;
  // The node that alone reads a flowing value which nobody else wants, and what that node makes; nullptr.
  const Node* sole_reader(int value) const;
  // The node is done by another one's step.
  void absorb(const Node& node) { absorbed_.push_back(&node); }

  // Steps run in the order in which they are added.
  void step(Step step);
  int derive(int64_t size, std::vector<int> from, Fold work);
  // `out` is `in` under another shape.
  void alias(int out, int in);
  void add_flops(double flops) noexcept { flops_ += flops; }

  // What came of it.
  struct Result {
    std::vector<Step> steps;
    std::vector<Derived> derived;
    std::vector<int> alias_of;             // by value, kNone: itself
    std::vector<char> fixed;               // by value
    std::vector<int64_t> sizes;            // by value, numbers
    std::vector<const Node*> fixed_nodes;  // in order, all of whose inputs are fixed
    std::vector<ArrayPtr> shapes;          // of the network's values
    std::vector<std::string> slow;
    double flops = 0;
  };
  Result take();

 private:
  void plan(const Node& node);
  void by_reference(const Node& node);

  const Network& network_;
  std::vector<ArrayPtr> shapes_;
  std::vector<std::vector<const Node*>> readers_;
  std::vector<char> kept_;  // outputs and watched values
  std::vector<char> fixed_;
  std::vector<int64_t> sizes_;
  std::vector<int> alias_of_;
  std::vector<const Node*> absorbed_, fixed_nodes_;
  std::vector<Step> steps_;
  std::vector<Derived> derived_;
  std::vector<std::string> slow_;
  double flops_ = 0;
};

// False: this form of the operator has no fast one, and nothing was added.
using Planner = bool (*)(Builder&, const Node&);
struct PlannerRow {
  std::string_view op;
  Planner plan;
  std::string_view domain = {};
};
std::vector<PlannerRow> elementwise_planners();
std::vector<PlannerRow> broadcast_planners();
std::vector<PlannerRow> product_planners();
std::vector<PlannerRow> convolution_planners();
std::vector<PlannerRow> norm_planners();
std::vector<PlannerRow> reduction_planners();
std::vector<PlannerRow> movement_planners();
std::vector<PlannerRow> attention_planners();
std::vector<PlannerRow> rotary_planners();
std::vector<PlannerRow> recurrent_planners();
std::vector<PlannerRow> resize_planners();
// nullptr: none.
Planner find_planner(std::string_view domain, std::string_view op);

// The reference function of a node on arrays. Throws Error{unsupported} for a node with inner graphs.
std::vector<ArrayPtr> run_reference(const Network& network, const Node& node, std::vector<ArrayPtr> inputs);
// Numbers of an array as floats and back. Integers are exact up to 2^24: beyond, Error{unsupported}.
void to_floats(const Array& array, float* out);
ArrayPtr from_floats(const Array& shape, const float* numbers);

// Inputs and outputs of a node, kNone where left out or beyond.
inline int input_of(const Node& node, size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : kNone;
}
inline int output_of(const Node& node, size_t i) {
  return i < node.outputs.size() ? node.outputs[i] : kNone;
}

}  // namespace dws::network::engine
