// Small networks in files, plans over them, and results in memory.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "format/safetensors.h"
#include "merge/compose.h"
#include "merge/execute.h"
#include "testing.h"

namespace dws::merge {

struct Numbers {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
};

inline Input write_input(const std::string& path, const std::vector<Numbers>& tensors) {
  std::vector<TensorSource> sources;
  for (const Numbers& t : tensors) sources.push_back(TensorSource::of(t.name, t.shape, t.values));
  write_safetensors(path, std::move(sources), {}, true);
  return Input::open(path);
}

// The bytes of each tensor.
class MemoryWriter : public Writer {
 public:
  explicit MemoryWriter(const Plan& plan) {
    for (const OutputTensor& t : plan.tensors) {
      size_t size = static_cast<size_t>(dtype_bits(t.dtype)) / 8;
      for (const int64_t extent : t.shape) size *= static_cast<size_t>(extent);
      bytes.emplace_back(size);
    }
  }
  void write(size_t tensor, uint64_t offset, const void* data, size_t size) override {
    std::memcpy(bytes[tensor].data() + offset, data, size);
  }
  std::vector<float> floats(size_t tensor) const {
    std::vector<float> x(bytes[tensor].size() / sizeof(float));
    std::memcpy(x.data(), bytes[tensor].data(), bytes[tensor].size());
    return x;
  }
  std::vector<std::vector<std::byte>> bytes;
};

inline std::vector<std::vector<std::byte>> run(const Plan& plan, const std::vector<Input>& inputs,
                                               const ExecuteOptions& options = {}) {
  MemoryWriter writer(plan);
  execute(plan, inputs, options, writer);
  return writer.bytes;
}

}  // namespace dws::merge
