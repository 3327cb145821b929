// A spec or an element that is accepted must be a bijection of the tensors it names.
#include <algorithm>
#include <string>

#include "core/rng.h"
#include "fuzz.h"
#include "symmetry/element.h"

using namespace dws;

namespace {

void use(const symmetry::Spec& spec, const Json& json) {
  int64_t numbers = 0;
  for (const auto& t : spec.tensors)
    if (__builtin_add_overflow(numbers, network::elements(t.dims), &numbers) || numbers > 100'000) return;
  for (const auto& g : spec.groups)
    if (g.size * g.blocks > 100'000) return;
  Rng rng(1);
  std::vector<symmetry::NetworkElement> elements = {symmetry::random_element(spec, {}, rng)};
  fuzz::accepted([&] { elements.push_back(symmetry::element_from_json(spec, json, "e")); });
  for (const symmetry::NetworkElement& g : elements)
    for (size_t t = 0; t < spec.tensors.size(); ++t) {
      network::Array a{.type = OnnxType::i64, .dims = spec.tensors[t].dims};
      a.ints.resize(static_cast<size_t>(a.size()));
      for (size_t i = 0; i < a.ints.size(); ++i) a.ints[i] = static_cast<int64_t>(i);
      network::Array moved = symmetry::act(spec, g, static_cast<int>(t), a);
      std::ranges::sort(moved.ints);
      fuzz::require(moved.ints == a.ints, "every number is moved to one place");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  fuzz::accepted([&] {
    const Json json = Json::parse(input, "f");
    use(symmetry::spec_from_json(json, "f"), json);
  });
  return 0;
}
