// Networks of tests/models with what was found of their symmetry.
#pragma once

#include <memory>
#include <string>

#include "align/pair.h"
#include "core/rng.h"
#include "format/safetensors.h"
#include "network/executor.h"
#include "network/stored.h"
#include "symmetry/element.h"
#include "symmetry/spec.h"

namespace dws::testing {

struct Found {
  network::Network network;
  std::vector<network::ArrayPtr> inputs;
  symmetry::Spec spec;
};

inline Found found(network::Network network) {
  Found f{.network = std::move(network), .inputs = {}, .spec = {}};
  f.inputs = network::input_shapes(f.network, {});
  f.spec = symmetry::discover(f.network, f.inputs);
  return f;
}
// "cnn": tests/models/cnn.onnx.
inline Found found(const std::string& name) {
  return found(network::from_onnx(
      std::make_shared<const Onnx>(Onnx::open(std::string(DWS_TEST_DATA) + "/../models/" + name + ".onnx"))));
}
inline network::StoredTensors stored_tensors(const std::string& name) {
  const std::string path = std::string(DWS_TEST_DATA) + "/../models/stored/" + name + ".safetensors";
  const auto file = std::make_shared<const Safetensors>(Safetensors::open(path));
  network::StoredTensors all{.file = path, .tensors = {}, .owner = file};
  for (const TensorEntry& e : file->tensors())
    all.tensors.push_back(
        {.name = e.name, .type = *onnx_type(e.dtype), .dims = e.shape, .bytes = file->bytes(e)});
  return all;
}

// Numbers like these, but random, so that nothing is alike by chance.
inline align::Numbers random_numbers(const align::Numbers& like, uint64_t seed) {
  align::Numbers n = like;
  Rng rng(seed, stream_id("test.numbers"));
  for (size_t t = 0; t < n.tensors.size(); ++t) {
    auto made = std::make_shared<std::vector<float>>(n.tensors[t].size());
    for (float& v : *made) v = static_cast<float>(rng.normal());
    n.held[t] = made;
    n.tensors[t] = *made;
  }
  return n;
}

}  // namespace dws::testing
