// Graphs within graphs.
#include "core/text.h"
#include "network/ops/families.h"

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

constexpr OperatorRow kRows[] = {{"If", branch}};

}  // namespace

std::span<const OperatorRow> control_operators() {
  return kRows;
}

}  // namespace dws::network
