// Graphs within graphs.
#include <algorithm>

#include "core/text.h"
#include "network/ops/families.h"
#include "network/ops/pick.h"

namespace dws::network {
namespace {

std::vector<ArrayPtr> try_body(const Context& c, const Graph& body, std::string& error) {
  try {
    return c.run_body(body, {});
  } catch (const Error& e) {
    error = e.what();
    return {};
  }
}
// Shapes without numbers.
std::vector<ArrayPtr> hollow(std::vector<ArrayPtr> arrays) {
  for (ArrayPtr& a : arrays)
    if (a) a = std::make_shared<const Array>(Array{.type = a->type, .dims = a->dims});
  return arrays;
}

void branch(Context& c) {
  const Graph *then_body = c.node().body("then_branch"), *else_body = c.node().body("else_branch");
  c.require(then_body && else_body, "both branches are needed");
  const Array& condition = c.in(0);
  c.require(!condition.real() && condition.size() == 1, "the condition is one boolean");
  const auto take = [&](const std::vector<ArrayPtr>& outputs) {
    for (int i = 0; i < c.outputs() && i < static_cast<int>(outputs.size()); ++i)
      if (outputs[static_cast<size_t>(i)]) c.pass(i, outputs[static_cast<size_t>(i)]);
  };
  if (!c.shapes_only()) {
    take(c.run_body(condition.ints[0] ? *then_body : *else_body, {}));
    return;
  }
  // Shapes of the values in both, and of the outputs where the condition is known or both agree.
  // A branch that cannot be for these inputs (another sampling rate) is nothing against the other.
  std::string first_error, second_error;
  std::vector<ArrayPtr> first = try_body(c, *then_body, first_error);
  const std::vector<ArrayPtr> second = try_body(c, *else_body, second_error);
  if (!first_error.empty() && !second_error.empty()) throw Error(ErrorKind::bad_schema, first_error);
  if (first_error.empty() != second_error.empty()) {
    take(hollow(first_error.empty() ? first : second));
    return;
  }
  if (condition.known()) {
    take(condition.ints[0] ? first : second);
    return;
  }
  for (size_t i = 0; i < first.size(); ++i) {
    const bool agree = i < second.size() && first[i] && second[i] && first[i]->dims == second[i]->dims &&
                       first[i]->type == second[i]->type;
    if (!agree) first[i] = nullptr;
  }
  take(hollow(std::move(first)));
}

constexpr int64_t kMostRounds = int64_t{1} << 20;

ArrayPtr hollow(const ArrayPtr& a) {
  return a ? std::make_shared<const Array>(Array{.type = a->type, .dims = a->dims}) : nullptr;
}
ArrayPtr scalar(OnnxType type, int64_t value) {
  return std::make_shared<const Array>(Array{.type = type, .dims = {}, .reals = {}, .ints = {value}});
}
bool same_shape(const ArrayPtr& a, const ArrayPtr& b) {
  return a && b && a->type == b->type && a->dims == b->dims;
}
// Runs the body for shapes until what goes round has one shape in every round, or none that is known: `states` are its
// inputs from `first` on, and its outputs from `first_out` on.
std::vector<ArrayPtr> settled(const Context& c, const Graph& body, std::vector<ArrayPtr>& inputs,
                              size_t first, size_t first_out, size_t states) {
  while (true) {
    std::vector<ArrayPtr> outputs = c.run_body(body, inputs);
    bool changed = false;
    for (size_t i = 0; i < states; ++i)
      if (inputs[first + i] && !same_shape(inputs[first + i], outputs[first_out + i])) {
        inputs[first + i] = nullptr;
        changed = true;
      }
    if (!changed) return outputs;
  }
}

// Slices of a scanned value, put together along `axis`.
class Stack {
 public:
  Stack(const Context& c, int output, int64_t rounds, int64_t axis, bool backward)
      : c_(c), output_(output), rounds_(rounds), axis_(axis), backward_(backward) {}
  void add(const ArrayPtr& slice) {
    if (!slice) c_.fail("a scanned output was not made");
    if (!slices_.empty() && !same_shape(slice, slices_.front()))
      c_.fail("a scanned output changes its shape from round to round");
    if ((numbers_ += slice->size()) > (int64_t{1} << 28))
      c_.fail(ErrorKind::resource_limit, "a scanned output of more than 2^28 numbers");
    slices_.push_back(slice);
  }
  // `like`: the shape of a slice where no round was run.
  void put(Context& c, const ArrayPtr& like) const {
    const Array& one = slices_.empty() ? *like : *slices_.front();
    const int axis = c.axis(axis_, one.rank() + 1);
    std::vector<int64_t> dims = one.dims;
    dims.insert(dims.begin() + axis, rounds_ < 0 ? static_cast<int64_t>(slices_.size()) : rounds_);
    auto y = std::make_shared<Array>(Array{.type = one.type, .dims = dims});
    if (!slices_.empty()) {
      const auto count = static_cast<size_t>(elements(dims));
      y->real() ? y->reals.resize(count) : y->ints.resize(count);
      int64_t inner = 1;
      for (int a = axis; a < one.rank(); ++a) inner *= one.dims[static_cast<size_t>(a)];
      const auto n = static_cast<int64_t>(slices_.size());
      for (int64_t k = 0; k < n; ++k) {
        const Array& slice = *slices_[static_cast<size_t>(backward_ ? n - 1 - k : k)];
        for (int64_t i = 0; i < slice.size(); ++i)
          copy_item(slice, i, *y, (i / inner * n + k) * inner + i % inner);
      }
    }
    c.pass(output_, std::move(y));
  }

 private:
  const Context& c_;
  int output_;
  int64_t rounds_, axis_;
  bool backward_;
  int64_t numbers_ = 0;
  std::vector<ArrayPtr> slices_;
};

// At most M rounds, as long as the condition holds. Inputs M, condition, states; the body's: round, condition, states; its
// outputs: condition, states, scanned.
void loop(Context& c) {
  const Graph* body = c.node().body("body");
  c.require(body && c.count() >= 2, "a body, M and a condition are needed");
  const auto states = static_cast<size_t>(c.count()) - 2;
  c.require(body->inputs.size() == states + 2 && body->outputs.size() >= states + 1, "the body does not fit");
  const size_t scanned = body->outputs.size() - states - 1;
  c.require(c.node().outputs.size() <= states + scanned, "more outputs than the body makes");
  for (const int i : {0, 1})
    c.require(!c.has(i) || c.in(i).size() == 1, "M and the condition are one number");
  std::vector<ArrayPtr> inputs = {nullptr, nullptr};
  for (size_t i = 0; i < states; ++i) inputs.push_back(c.in_ptr(static_cast<int>(i) + 2));
  if (c.shapes_only()) {
    for (ArrayPtr& a : inputs) a = hollow(a);
    inputs[0] = std::make_shared<const Array>(Array{.type = OnnxType::i64, .dims = {}});
    inputs[1] = scalar(OnnxType::boolean, 1);  // inside the body it holds
    const std::vector<ArrayPtr> outputs = settled(c, *body, inputs, 2, 1, states);
    for (size_t i = 0; i < states; ++i)
      if (inputs[i + 2]) c.pass(static_cast<int>(i), hollow(inputs[i + 2]));
    // How many rounds is known where nothing but M ends them.
    const auto holds = [](const ArrayPtr& a) {
      return a && a->known() && !a->real() && a->size() == 1 && a->ints[0];
    };
    if (!c.has(0) || !c.in(0).known() || !holds(outputs[0]) || (c.has(1) && !holds(c.in_ptr(1)))) return;
    for (size_t i = 0; i < scanned; ++i)
      if (outputs[1 + states + i])
        Stack(c, static_cast<int>(states + i), std::max<int64_t>(c.in(0).ints[0], 0), 0, false)
            .put(c, outputs[1 + states + i]);
    return;
  }
  std::vector<Stack> stacks;
  for (size_t i = 0; i < scanned; ++i) stacks.emplace_back(c, static_cast<int>(states + i), -1, 0, false);
  int64_t rounds = 0;
  bool going = !c.has(1) || c.ints(1)[0] != 0;
  for (; going && (!c.has(0) || rounds < c.ints(0)[0]); ++rounds) {
    if (rounds == kMostRounds) c.fail(ErrorKind::resource_limit, text("more than {} rounds", kMostRounds));
    inputs[0] = scalar(OnnxType::i64, rounds);
    inputs[1] = scalar(OnnxType::boolean, 1);
    const std::vector<ArrayPtr> outputs = c.run_body(*body, inputs);
    c.require(outputs[0] && !outputs[0]->real() && outputs[0]->size() == 1,
              "the body's condition is no boolean");
    going = outputs[0]->ints[0] != 0;
    std::copy_n(outputs.begin() + 1, states, inputs.begin() + 2);
    for (size_t i = 0; i < scanned; ++i) stacks[i].add(outputs[1 + states + i]);
  }
  for (size_t i = 0; i < states; ++i) c.pass(static_cast<int>(i), inputs[i + 2]);
  c.require(rounds > 0 || scanned == 0, "scanned outputs of no rounds cannot be run");
  for (const Stack& s : stacks) s.put(c, nullptr);
}

// One item along an axis of each scanned input a round. Inputs: states, scanned; outputs alike.
void scan(Context& c) {
  const Graph* body = c.node().body("body");
  const int64_t given = c.node().attr_int("num_scan_inputs", 0);
  if (c.version() < 9) c.fail(ErrorKind::mismatch, "a scan over a batch (operator set 8) cannot be run");
  c.require(body && given >= 1 && given <= c.count(), "a body and num_scan_inputs are needed");
  const auto scanned_in = static_cast<size_t>(given), states = static_cast<size_t>(c.count()) - scanned_in;
  c.require(body->inputs.size() == states + scanned_in && body->outputs.size() >= states,
            "the body does not fit");
  const size_t scanned = body->outputs.size() - states;
  c.require(c.node().outputs.size() <= states + scanned, "more outputs than the body makes");
  const auto list = [&](const char* name, size_t length) {
    std::vector<int64_t> values = c.node().attr_ints(name).value_or(std::vector<int64_t>(length, 0));
    if (values.size() != length) c.fail(text("{}: expected {} numbers, got {}", name, length, values.size()));
    return values;
  };
  const std::vector<int64_t> axes = list("scan_input_axes", scanned_in),
                             turned = list("scan_input_directions", scanned_in),
                             out_axes = list("scan_output_axes", scanned),
                             out_turned = list("scan_output_directions", scanned);
  std::vector<ArrayPtr> inputs;
  for (size_t i = 0; i < states; ++i) inputs.push_back(c.in_ptr(static_cast<int>(i)));
  int64_t rounds = -1;
  std::vector<std::vector<int64_t>> dims;
  for (size_t i = 0; i < scanned_in; ++i) {
    const Array& x = c.in(static_cast<int>(states + i));
    const auto axis = static_cast<size_t>(c.axis(axes[i], x.rank()));
    c.require(rounds < 0 || rounds == x.dims[axis], "scanned inputs of different lengths");
    rounds = x.dims[axis];
    dims.push_back(x.dims);
    dims.back().erase(dims.back().begin() + static_cast<std::ptrdiff_t>(axis));
    inputs.push_back(std::make_shared<const Array>(Array{.type = x.type, .dims = dims.back()}));
  }
  std::vector<Stack> stacks;
  for (size_t i = 0; i < scanned; ++i)
    stacks.emplace_back(c, static_cast<int>(states + i), rounds, out_axes[i], out_turned[i] != 0);
  if (c.shapes_only()) {
    for (ArrayPtr& a : inputs) a = hollow(a);
    const std::vector<ArrayPtr> outputs = settled(c, *body, inputs, 0, 0, states);
    for (size_t i = 0; i < states; ++i)
      if (inputs[i]) c.pass(static_cast<int>(i), hollow(inputs[i]));
    for (size_t i = 0; i < scanned; ++i)
      if (outputs[states + i]) stacks[i].put(c, outputs[states + i]);
    return;
  }
  for (int64_t r = 0; r < rounds; ++r) {
    for (size_t i = 0; i < scanned_in; ++i) {
      const Array& x = c.in(static_cast<int>(states + i));
      const auto axis = static_cast<size_t>(c.axis(axes[i], x.rank()));
      std::vector<int64_t> strides = strides_of(x.dims);
      const int64_t first = (turned[i] ? rounds - 1 - r : r) * strides[axis];
      strides.erase(strides.begin() + static_cast<std::ptrdiff_t>(axis));
      Array item{.type = x.type, .dims = dims[i]};
      const auto count = static_cast<size_t>(elements(item.dims));
      item.real() ? item.reals.resize(count) : item.ints.resize(count);
      pick(x, item, first, strides);
      inputs[states + i] = std::make_shared<const Array>(std::move(item));
    }
    const std::vector<ArrayPtr> outputs = c.run_body(*body, inputs);
    std::copy_n(outputs.begin(), states, inputs.begin());
    for (size_t i = 0; i < scanned; ++i) stacks[i].add(outputs[states + i]);
  }
  for (size_t i = 0; i < states; ++i) c.pass(static_cast<int>(i), inputs[i]);
  c.require(rounds > 0 || scanned == 0, "scanned outputs of no rounds cannot be run");
  for (const Stack& s : stacks) s.put(c, nullptr);
}

constexpr OperatorRow kRows[] = {{"If", branch}, {"Loop", loop}, {"Scan", scan}};

}  // namespace

std::span<const OperatorRow> control_operators() {
  return kRows;
}

}  // namespace dws::network
