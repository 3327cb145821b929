// A network of one operator, its inputs the network's or stored with it.
#pragma once

#include <string>
#include <vector>

#include "engine_harness.h"

namespace dws::network {

// What stands at an input of the operator. Numbers are normal; with `most`, whole numbers of [least, most].
struct Given {
  std::vector<int64_t> dims{};  // of one sample; where it is stored, in all
  bool stored = false;
  int type = onnx::TensorProto::FLOAT;
  int64_t least = 0, most = 0;
  bool none = false;
};
inline Given flows(std::vector<int64_t> dims) {
  return {.dims = std::move(dims)};
}
inline Given stored(std::vector<int64_t> dims) {
  return {.dims = std::move(dims), .stored = true};
}
inline Given whole(std::vector<int64_t> dims, int type, int64_t least, int64_t most) {
  return {.dims = std::move(dims), .type = type, .least = least, .most = most};
}
inline Given nothing() {
  return {.none = true};
}

struct OneOperator {
  Network network;
  Samples samples;
};
inline OneOperator one_operator(const std::string& op, const std::vector<Given>& given, size_t outputs,
                                const dws::testing::Attributes& attributes, int64_t count = 5,
                                int64_t opset = 23) {
  dws::testing::GraphMaker g(opset, 7);
  Rng rng(11);
  OneOperator made{.network = {}, .samples = {.dims = {}, .numbers = {}, .count = count}};
  dws::testing::Strings in;
  for (size_t i = 0; i < given.size(); ++i) {
    const Given& what = given[i];
    const std::string name = text("in{}", i);
    in.push_back(what.none ? "" : name);
    if (what.none) continue;
    const bool integers = what.most > what.least || what.type != onnx::TensorProto::FLOAT;
    const auto number = [&] {
      const auto range = static_cast<uint64_t>(what.most - what.least + 1);
      return integers ? static_cast<double>(what.least + static_cast<int64_t>(rng.below(range)))
                      : rng.normal();
    };
    if (what.stored) {
      const auto size = static_cast<size_t>(elements(what.dims));
      if (what.type == onnx::TensorProto::FLOAT) {
        std::vector<float> values(size);
        for (float& v : values) v = static_cast<float>(0.5 * number());
        g.floats(name, what.dims, values);
      } else {
        std::vector<int64_t> values(size);
        for (int64_t& v : values) v = static_cast<int64_t>(number());
        g.ints(name, what.dims, values, what.type);
      }
      continue;
    }
    std::vector<int64_t> dims = {-1};
    dims.insert(dims.end(), what.dims.begin(), what.dims.end());
    g.input(name, dims, what.type);
    made.samples.dims.push_back(what.dims);
    auto& numbers = made.samples.numbers.emplace_back(static_cast<size_t>(count * elements(what.dims)));
    for (float& v : numbers) v = static_cast<float>(number());
  }
  for (const std::string& out : g.nodes(op, in, outputs, attributes)) g.output(out, {});
  made.network = g.network();
  return made;
}

}  // namespace dws::network
