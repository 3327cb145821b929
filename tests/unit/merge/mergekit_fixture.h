// Networks of a few layers in files, configurations over them, and what comes out as numbers.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "format/safetensors.h"
#include "merge/execute.h"
#include "merge/mergekit_plan.h"
#include "testing.h"

namespace dws::merge {

using Tensors = std::map<std::string, std::vector<float>>;

// Vectors of two numbers for an embedding, `layers` layers of attention and mlp, a norm and a head; every number is `start` plus the
// layer's tenth (embedding -1/10, norm and head layers/10).
inline Tensors decoder(int layers, float start) {
  Tensors all;
  const auto add = [&](const std::string& name, float place) { all[name] = {start + place, -start - place}; };
  add("model.embed_tokens.weight", -0.1f);
  for (int i = 0; i < layers; ++i)
    for (const char* part : {"self_attn.q_proj.weight", "mlp.up_proj.weight"})
      add("model.layers." + std::to_string(i) + "." + part, 0.1f * static_cast<float>(i));
  add("model.norm.weight", 0.1f * static_cast<float>(layers));
  add("lm_head.weight", 0.1f * static_cast<float>(layers));
  return all;
}

inline void write_network(const std::string& path, const Tensors& tensors) {
  std::vector<TensorSource> sources;
  for (const auto& [name, values] : tensors)
    sources.push_back(TensorSource::of(name, {static_cast<int64_t>(values.size()), 1}, values));
  write_safetensors(path, std::move(sources), {}, true);
}

class MergekitTest : public ::testing::Test {
 protected:
  std::string network(const std::string& name, const Tensors& tensors) {
    write_network(dir_.file(name), tensors);
    return name;
  }
  static MergeConfig config(const std::string& yaml) { return read_merge_configs(yaml, "f.yml").front(); }
  ConfiguredMerge plan(const std::string& yaml, const ConfigOptions& options = {}) {
    const ModelFinder finder({dir_.path()}, dir_.file("cache"));
    return plan_config(config(yaml), finder, options);
  }
  // The output's tensors as float32, whatever is in the file.
  Tensors merged(const std::string& yaml, const ConfigOptions& options = {}) {
    ConfiguredMerge made = plan(yaml, options);
    for (OutputTensor& t : made.plan.tensors) EXPECT_EQ(t.dtype, Dtype::f32) << t.name;
    Memory memory;
    memory.plan = &made.plan;
    execute(made.plan, made.inputs, {}, memory);
    return memory.tensors;
  }
  std::string refusal(const std::string& yaml, const ConfigOptions& options = {}) {
    try {
      plan(yaml, options);
    } catch (const Error& e) {
      return std::string(to_string(e.kind())) + ": " + e.what() +
             (e.advice().empty() ? "" : " | " + e.advice());
    }
    return "planned";
  }

  struct Memory : Writer {
    const Plan* plan = nullptr;
    Tensors tensors;
    void write(size_t tensor, uint64_t offset, const void* data, size_t size) override {
      std::vector<float>& to = tensors[plan->tensors[tensor].name];
      to.resize(std::max(to.size(), static_cast<size_t>((offset + size) / sizeof(float))));
      std::memcpy(reinterpret_cast<char*>(to.data()) + offset, data, size);
    }
  };
  testing::TempDir dir_;
};

}  // namespace dws::merge
