// A recipe that is accepted makes a network whose symmetry can be looked for, and which runs where it is small.
#include <string>

#include "fuzz.h"
#include "network/executor.h"
#include "network/recipe.h"
#include "symmetry/verify.h"

using namespace dws;

namespace {

// What recipes are tried on: layers, a convolution, a table, a norm.
network::StoredTensors tensors() {
  static const std::vector<float> numbers(256, 0.25f);
  network::StoredTensors all{.file = "f", .tensors = {}, .owner = nullptr};
  const auto add = [&](const char* name, std::vector<int64_t> dims) {
    network::Constant c{.name = name, .type = OnnxType::f32, .dims = std::move(dims), .bytes = {}};
    c.bytes = std::as_bytes(std::span(numbers)).first(static_cast<size_t>(c.elements()) * 4);
    all.tensors.push_back(std::move(c));
  };
  add("fc1.weight", {6, 4});
  add("fc1.bias", {6});
  add("fc2.weight", {12, 6});
  add("fc3.weight", {4, 4});
  add("norm.weight", {6});
  add("table", {8, 6});
  add("conv1.weight", {4, 2, 3, 3});
  return all;
}

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
    network::RecipeSettings settings;
    settings.config = Json::object({{"heads", 2}, {"act", "tanh"}});
    use(network::from_recipe(recipe, "f", tensors(), settings).network);
  });
  return 0;
}
