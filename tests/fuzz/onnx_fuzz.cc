// A model that is read, expanded and looked at: shapes, symmetry, and a run where its values are small.
#include <algorithm>
#include <memory>

#include "core/rng.h"
#include "format/onnx.h"
#include "fuzz.h"
#include "network/executor.h"
#include "symmetry/verify.h"

using namespace dws;

namespace {

// Runs only what takes no time.
bool small(const std::vector<network::ArrayPtr>& shapes, const network::Network& net) {
  int64_t numbers = 0;
  for (const auto& a : shapes) {
    if (!a || __builtin_add_overflow(numbers, a->size(), &numbers)) return false;
    if (numbers > 20'000) return false;
  }
  return net.graph.nodes.size() < 50;
}

void use(const std::shared_ptr<const Onnx>& onnx) {
  const network::Network net = network::from_onnx(onnx);
  for (const auto& c : net.constants) {
    const auto bits = static_cast<uint64_t>(onnx_type_bits(c.type)) * static_cast<uint64_t>(c.elements());
    fuzz::require(c.bytes.size() == (bits + 7) / 8, "a constant's bytes fit its shape");
  }
  const std::vector<network::ArrayPtr> inputs = network::input_shapes(net, {});
  const std::vector<network::ArrayPtr> shapes = network::infer(net, inputs);
  const symmetry::Spec spec = symmetry::discover(net, inputs);
  fuzz::require(spec.coverage() >= 0 && spec.coverage() <= 1 + 1e-9, "the coverage is a share");
  const Json json = symmetry::to_json(spec);
  if (small(shapes, net)) {
    fuzz::accepted([&] { (void)symmetry::spec_from_json(json, "s"); });
    const symmetry::Verdict verdict = symmetry::verify(net, inputs, spec, {.trials = 1, .tolerance = 1e-6});
    (void)verdict;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes input = fuzz::bytes_of(data, size);
  fuzz::accepted([&] { use(std::make_shared<const Onnx>(Onnx::parse(input, "f"))); });
  return 0;
}
