#include "network/context.h"

#include <algorithm>

#include "core/text.h"

namespace dws::network {
namespace {

// In a run for shapes: larger arrays are never worked out. Shapes, axes and index tables are small.
constexpr int64_t kKnownElements = 65'536;
// In a run: what one value may hold, 2 GiB of doubles. Files are hostile.
constexpr int64_t kMostElements = int64_t{1} << 28;

}  // namespace

Context::Context(const Node& node, std::vector<ArrayPtr> inputs, bool shapes_only,
                 std::function<std::string()> where, RunBody run_body)
    : node_(node),
      inputs_(std::move(inputs)),
      outputs_(node.outputs.size()),
      passed_(node.outputs.size()),
      shapes_only_(shapes_only),
      computing_(std::ranges::all_of(inputs_, [](const ArrayPtr& a) { return !a || a->known(); })),
      where_(std::move(where)),
      run_body_(std::move(run_body)) {}

bool Context::has(int input) const noexcept {
  return input < count() && inputs_[static_cast<size_t>(input)] != nullptr;
}
const Array& Context::in(int input) const {
  if (!has(input)) fail(text("input {} is missing", input));
  return *inputs_[static_cast<size_t>(input)];
}
ArrayPtr Context::in_ptr(int input) const {
  return input < count() ? inputs_[static_cast<size_t>(input)] : nullptr;
}
std::vector<int64_t> Context::ints(int input) const {
  const Array& a = in(input);
  if (a.real()) fail(text("input {}: expected integers", input));
  if (!a.known()) throw UnknownShape{};
  return a.ints;
}
std::vector<double> Context::reals(int input) const {
  const Array& a = in(input);
  if (!a.known()) throw UnknownShape{};
  if (a.real()) return a.reals;
  return {a.ints.begin(), a.ints.end()};
}
bool Context::wants(int output) const noexcept {
  return output < outputs() && node_.outputs[static_cast<size_t>(output)] != kNone;
}

Array& Context::make(int output, OnnxType type, std::vector<int64_t> dims) {
  if (output >= static_cast<int>(outputs_.size())) {
    outputs_.resize(static_cast<size_t>(output) + 1);
    passed_.resize(outputs_.size());
  }
  if (!is_real(type) && !is_integer(type))
    fail(ErrorKind::unknown_dtype, text("numbers of type {} cannot be run", onnx_type_name(type)));
  const int64_t count = elements(dims);
  if (shapes_only_ && count > kKnownElements) computing_ = false;
  if (computing_ && count > kMostElements)
    fail(ErrorKind::resource_limit, text("a value of {} numbers: expected at most {}", count, kMostElements));
  auto array = std::make_shared<Array>(Array{.type = type, .dims = std::move(dims)});
  if (computing_) {
    if (array->real())
      array->reals.resize(static_cast<size_t>(count));
    else
      array->ints.resize(static_cast<size_t>(count));
  }
  outputs_[static_cast<size_t>(output)] = array;
  return *array;
}
void Context::pass(int output, ArrayPtr array) {
  if (output < static_cast<int>(passed_.size())) passed_[static_cast<size_t>(output)] = std::move(array);
}

int Context::axis(int64_t axis, int rank) const {
  if (axis < -rank || axis >= rank) fail(ErrorKind::bad_value, text("axis {} of {} axes", axis, rank));
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}
Context Context::with_inputs(std::vector<ArrayPtr> inputs) const {
  return Context(node_, std::move(inputs), shapes_only_, where_, run_body_);
}
std::vector<ArrayPtr> Context::run_body(const Graph& body, const std::vector<ArrayPtr>& inputs) const {
  return run_body_(body, inputs);
}
void Context::fail(const std::string& what) const {
  fail(ErrorKind::bad_schema, what);
}
void Context::fail(ErrorKind kind, const std::string& what) const {
  throw Error(kind, text("{}: {}", where_(), what));
}

std::vector<ArrayPtr> Context::take_outputs() {
  std::vector<ArrayPtr> taken(node_.outputs.size());
  for (size_t i = 0; i < taken.size(); ++i) {
    if (passed_[i]) {
      taken[i] = std::move(passed_[i]);
    } else if (outputs_[i]) {
      // Made before it turned out that nobody computes: no half-known numbers.
      if (!computing_) {
        outputs_[i]->reals.clear();
        outputs_[i]->ints.clear();
      }
      taken[i] = std::move(outputs_[i]);
    }
  }
  return taken;
}

}  // namespace dws::network
