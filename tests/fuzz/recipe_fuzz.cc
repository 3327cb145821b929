// A recipe that is accepted makes a network whose symmetry can be looked for, and which runs where it is small.
#include <string>

#include "fuzz.h"
#include "network/executor.h"
#include "network/recipe.h"
#include "recipe_tensors.h"
#include "symmetry/verify.h"

using namespace dws;

namespace {

void use(const network::Network& net) {
  if (net.graph.nodes.size() > 500) return;
  const std::vector<network::ArrayPtr> inputs = network::input_shapes(net, {});
  int64_t numbers = 0;
  for (const network::ArrayPtr& a : network::infer(net, inputs)) {
    if (!a || __builtin_add_overflow(numbers, a->size(), &numbers) || numbers > 20'000) return;
  }
  const symmetry::Spec spec = symmetry::discover(net, inputs);
  fuzz::require(spec.coverage() >= 0 && spec.coverage() <= 1 + 1e-9, "the coverage is a share");
  (void)symmetry::verify(net, inputs, spec, {.trials = 1, .tolerance = 1e-6});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  fuzz::accepted([&] {
    const Json recipe = Json::parse(input, "f");
    use(network::from_recipe(recipe, "f", fuzz::recipe_tensors(), fuzz::recipe_settings()).network);
  });
  return 0;
}
