// Graphs within graphs.
#include "core/text.h"
#include "network/ops/families.h"

namespace dws::network {
namespace {

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
  std::vector<ArrayPtr> first = c.run_body(*then_body, {});
  const std::vector<ArrayPtr> second = c.run_body(*else_body, {});
  if (condition.known()) {
    take(condition.ints[0] ? first : second);
    return;
  }
  for (size_t i = 0; i < first.size(); ++i) {
    const bool agree = i < second.size() && first[i] && second[i] && first[i]->dims == second[i]->dims &&
                       first[i]->type == second[i]->type;
    if (agree)
      first[i] = std::make_shared<const Array>(Array{.type = first[i]->type, .dims = first[i]->dims});
    else
      first[i] = nullptr;
  }
  take(first);
}

constexpr OperatorRow kRows[] = {{"If", branch}};

}  // namespace

std::span<const OperatorRow> control_operators() {
  return kRows;
}

}  // namespace dws::network
