// Small zoos for tests.
#pragma once

#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "core/text.h"
#include "format/safetensors.h"
#include "format/zoo.h"
#include "testing.h"

namespace dws::testing {

inline ZooInfo small_info() {
  ZooInfo info;
  info.arch = MlpArch::parse("2-3-1");
  info.image_height = info.image_width = 28;
  return info;
}

// `count` networks of 2-3-1 (13 parameters); parameter p of network i is 100 i + p.
struct SmallZoo {
  explicit SmallZoo(int64_t count = 3) : rows(static_cast<size_t>(count) * 13) {
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i / 13 * 100 + i % 13);
    content.info = small_info();
    content.count = count;
    content.context = rows.data();
    content.network = [](const void* context, int64_t i) {
      return static_cast<const float*>(context) + i * 13;
    };
  }
  SmallZoo(const SmallZoo&) = delete;

  std::vector<float> rows;
  ZooContent content;
};

inline std::vector<float> read_network(const Zoo& zoo, int64_t i) {
  std::vector<float> out(static_cast<size_t>(zoo.info().arch.param_count()));
  zoo.read(i, out);
  return out;
}

inline void write_file(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

// One tensor of `shape` filled with 0, 1, 2, ... and its bytes.
struct OwnedTensor {
  OwnedTensor(std::string tensor_name, std::vector<int64_t> extents)
      : name(std::move(tensor_name)), shape(extents) {
    values.resize(static_cast<size_t>(
        std::accumulate(extents.begin(), extents.end(), int64_t{1}, std::multiplies<>())));
    std::iota(values.begin(), values.end(), 0.f);
  }
  TensorSource source() const { return TensorSource::of(name, shape, values); }
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
};

// Writes tensors of these names and shapes.
inline void write_tensors(const std::string& path, const std::vector<OwnedTensor>& tensors,
                          const std::vector<std::pair<std::string, std::string>>& metadata = {}) {
  std::vector<TensorSource> sources;
  for (const OwnedTensor& tensor : tensors) sources.push_back(tensor.source());
  write_safetensors(path, std::move(sources), metadata, true);
}

}  // namespace dws::testing
