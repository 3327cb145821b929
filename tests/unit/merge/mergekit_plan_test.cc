#include <gtest/gtest.h>

#include <cmath>

#include "mergekit_fixture.h"

namespace dws::merge {
namespace {

// Gradients and filters of a model's weight, against numbers worked out here.
TEST_F(MergekitTest, GradientsAndFilters) {
  const Tensors a = decoder(5, 1), b = decoder(5, 2);
  network("a.safetensors", a);
  network("b.safetensors", b);
  const Tensors got = merged(R"(merge_method: linear
models:
  - model: a.safetensors
    parameters: {weight: 1}
  - model: b.safetensors
    parameters:
      weight:
        - filter: mlp
          value: [0, 2, 1]
        - filter: lm_head
          value: 7
        - value: 0.25
parameters: {normalize: false}
)");
  ASSERT_EQ(got.size(), a.size());
  const double mlp[] = {0, 1, 2, 1.5, 1};  // at t = 0, 1/4, 1/2, 3/4, 1
  for (const auto& [name, x] : a) {
    double w = 0.25;
    if (name.find("mlp") != name.npos) w = mlp[name[std::string("model.layers.").size()] - '0'];
    if (name == "lm_head.weight") w = 7;
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(got.at(name)[i], x[i] + w * b.at(name)[i], 1e-5) << name;
  }
}

// A gradient's ends are those of the layers; what stands before them has its beginning, what stands behind them its end.
TEST_F(MergekitTest, EmbeddingAndHeadAreAtTheEndsOfAGradient) {
  network("a.safetensors", decoder(3, 1));
  network("b.safetensors", decoder(3, 2));
  const ConfiguredMerge made = plan(R"(merge_method: slerp
base_model: b.safetensors
models: [{model: a.safetensors}, {model: b.safetensors}]
parameters: {t: [0, 1]}
)");
  std::map<std::string, double> t;
  for (const OutputTensor& tensor : made.plan.tensors) {
    t[tensor.name] = tensor.parameters.t;
    ASSERT_EQ(tensor.sources.size(), 2u);
    EXPECT_EQ(made.names[static_cast<size_t>(tensor.sources[0].input)], "b.safetensors");
    EXPECT_FALSE(tensor.base.has_value());
  }
  EXPECT_EQ(t.at("model.embed_tokens.weight"), 0);
  EXPECT_EQ(t.at("model.layers.0.mlp.up_proj.weight"), 0);
  EXPECT_EQ(t.at("model.layers.1.mlp.up_proj.weight"), 0.5);
  EXPECT_EQ(t.at("model.layers.2.mlp.up_proj.weight"), 1);
  EXPECT_EQ(t.at("model.norm.weight"), 1);
  EXPECT_EQ(t.at("lm_head.weight"), 1);
}

// At the source before the slice, before the module, before the whole; a filter that does not fit gives way.
TEST_F(MergekitTest, Precedence) {
  network("a.safetensors", decoder(2, 1));
  const ConfiguredMerge made = plan(R"(merge_method: passthrough
modules:
  default:
    parameters: {scale: 4}
    slices:
      - sources: [{model: a.safetensors, layer_range: [0, 1], parameters: {scale: [{filter: mlp, value: 2}]}}]
        parameters: {scale: [{filter: embed, value: 3}]}
      - sources: [{model: a.safetensors, layer_range: [1, 2]}]
parameters: {scale: 5}
)");
  std::map<std::string, double> scale;
  for (const OutputTensor& tensor : made.plan.tensors) scale[tensor.name] = tensor.sources.at(0).scale;
  EXPECT_EQ(scale.at("model.layers.0.mlp.up_proj.weight"), 2);
  EXPECT_EQ(scale.at("model.embed_tokens.weight"), 3);
  EXPECT_EQ(scale.at("model.layers.0.self_attn.q_proj.weight"), 4);
  EXPECT_EQ(scale.at("model.layers.1.mlp.up_proj.weight"), 4);
  EXPECT_EQ(scale.at("lm_head.weight"), 4);
}

// Slices stack layers: numbers count on, the embedding is of the first slice and the head of the last.
TEST_F(MergekitTest, SlicesStackLayers) {
  const Tensors a = decoder(3, 1), b = decoder(4, 2);
  network("a.safetensors", a);
  network("b.safetensors", b);
  const std::string yaml = R"(merge_method: passthrough
slices:
  - sources: [{model: a.safetensors, layer_range: [0, 2]}]
  - sources: [{model: b.safetensors, layer_range: [1, 4]}]
)";
  const ConfiguredMerge made = plan(yaml);
  EXPECT_TRUE(made.restacked);
  ASSERT_EQ(made.layers.size(), 1u);
  EXPECT_EQ(made.layers[0].before, 3);
  EXPECT_EQ(made.layers[0].origin, (std::vector<int64_t>{0, 1, 1, 2, 3}));
  for (const OutputTensor& tensor : made.plan.tensors) EXPECT_TRUE(tensor.copy) << tensor.name;
  const Tensors got = merged(yaml);
  EXPECT_EQ(got.size(), 2u * 5 + 3);
  const std::pair<const Tensors*, int> from[] = {{&a, 0}, {&a, 1}, {&b, 1}, {&b, 2}, {&b, 3}};
  for (int i = 0; i < 5; ++i)
    for (const char* part : {".self_attn.q_proj.weight", ".mlp.up_proj.weight"})
      EXPECT_EQ(got.at("model.layers." + std::to_string(i) + part),
                from[i].first->at("model.layers." + std::to_string(from[i].second) + part));
  EXPECT_EQ(got.at("model.embed_tokens.weight"), a.at("model.embed_tokens.weight"));
  EXPECT_EQ(got.at("model.norm.weight"), b.at("model.norm.weight"));
  EXPECT_EQ(got.at("lm_head.weight"), b.at("lm_head.weight"));
}

// Gradients run over each slice; layers with other numbers are merged.
TEST_F(MergekitTest, SlicesOfSeveralSources) {
  const Tensors a = decoder(4, 1), b = decoder(6, 2);
  network("a.safetensors", a);
  network("b.safetensors", b);
  const Tensors got = merged(R"(merge_method: linear
slices:
  - sources:
      - {model: a.safetensors, layer_range: [0, 3], parameters: {weight: [1, 0]}}
      - {model: b.safetensors, layer_range: [3, 6], parameters: {weight: [0, 1]}}
)");
  for (int i = 0; i < 3; ++i) {
    const std::string part = ".mlp.up_proj.weight";
    const double t = 0.5 * i;
    EXPECT_NEAR(got.at("model.layers." + std::to_string(i) + part)[0],
                (1 - t) * a.at("model.layers." + std::to_string(i) + part)[0] +
                    t * b.at("model.layers." + std::to_string(i + 3) + part)[0],
                1e-6);
  }
  EXPECT_FALSE(got.contains("model.layers.3.mlp.up_proj.weight"));
}

// The base is where deltas start from, among the models or not, however its path is spelled.
TEST_F(MergekitTest, BaseModel) {
  const Tensors base = decoder(2, 1), a = decoder(2, 3), b = decoder(2, 6);
  network("base.safetensors", base);
  network("a.safetensors", a);
  network("b.safetensors", b);
  for (const std::string model : {"", "  - model: ./base.safetensors\n"}) {
    const std::string spelled = dir_.path() + "/" + "./base.safetensors";
    const Tensors got =
        merged("merge_method: task_arithmetic\nbase_model: base.safetensors\nmodels:\n" +
               (model.empty() ? "" : "  - model: " + spelled + "\n") +
               "  - {model: a.safetensors, parameters: {weight: 0.5}}\n"
               "  - {model: b.safetensors, parameters: {weight: 0}}\nparameters: {lambda: 3}\n");
    for (const auto& [name, x] : base)
      EXPECT_NEAR(got.at(name)[0], x[0] + 3 * 0.5 * (a.at(name)[0] - x[0]), 1e-5) << name;
  }
}

TEST_F(MergekitTest, ParametersOfMethods) {
  for (const char* name : {"base", "a", "b"}) network(std::string(name) + ".safetensors", decoder(2, 1));
  const auto first = [&](const std::string& method, const std::string& parameters) {
    const bool base = traits(parse_method(method)).needs_base;
    return plan("merge_method: " + method + "\n" + (base ? "base_model: base.safetensors\n" : "") +
                "models: [{model: a.safetensors}, {model: b.safetensors}]\nparameters: {weight: 1, " +
                parameters + "}\n")
        .plan.tensors.front();
  };
  OutputTensor t = first("dare_ties", "density: 0.25, rescale: false, normalize: true");
  EXPECT_EQ(t.sources.at(1).density, 0.25);
  EXPECT_EQ(t.parameters.rescale, Rescale::none);
  EXPECT_TRUE(t.parameters.normalize);
  ASSERT_TRUE(t.base.has_value());
  t = first("dare_linear", "int8_mask: true");
  EXPECT_EQ(t.sources.at(0).density, 1);
  EXPECT_EQ(t.parameters.rescale, Rescale::paper);
  EXPECT_FALSE(t.parameters.normalize);
  t = first("breadcrumbs", "gamma: 0.02, density: 0.9");
  EXPECT_EQ(t.sources.at(0).gamma, 0.02);
  t = first("della", "epsilon: 0.1, density: 0.5, lambda: 1.1");
  EXPECT_EQ(t.sources.at(0).epsilon, 0.1);
  EXPECT_EQ(t.parameters.lambda, 1.1);
  t = first("ram", "epsilon: 0.1");
  EXPECT_EQ(t.parameters.ram_epsilon, 0.1);
  t = first("ramplus_tl", "r: 0.3, alpha: 0.4");
  EXPECT_EQ(t.parameters.ram_r, 0.3);
  EXPECT_EQ(t.parameters.ram_alpha, 0.4);
  t = first("nuslerp", "nuslerp_flatten: false, nuslerp_row_wise: true");
  EXPECT_EQ(t.parameters.over, Over::rows);
  EXPECT_EQ(first("nuslerp", "nuslerp_flatten: false").parameters.over, Over::columns);
  EXPECT_EQ(first("nuslerp", "nuslerp_row_wise: true").parameters.over, Over::tensor);
  EXPECT_EQ(first("model_stock", "filter_wise: true").parameters.over, Over::rows);
  EXPECT_EQ(first("sce", "select_topk: 0.5").parameters.select_topk, 0.5);
  t = first("karcher", "max_iter: 20, tol: 1e-7");
  EXPECT_EQ(t.parameters.max_iterations, 20);
  EXPECT_EQ(t.parameters.tolerance, 1e-7);
  EXPECT_FALSE(first("multislerp", "normalize_weights: false").parameters.normalize);
  EXPECT_FALSE(first("linear", "normalize: 0").parameters.normalize);
}

TEST_F(MergekitTest, TypesOfTheResult) {
  network("a.safetensors", decoder(2, 1));
  const std::string yaml = "merge_method: passthrough\nmodels: [{model: a.safetensors}]\n";
  for (const auto& [more, dtype] : {std::pair{"", Dtype::f32}, std::pair{"dtype: bfloat16", Dtype::bf16},
                                    std::pair{"dtype: bfloat16\nout_dtype: float16", Dtype::f16}}) {
    const ConfiguredMerge made = plan(yaml + more);
    EXPECT_EQ(made.plan.tensors.front().dtype, dtype) << more;
    EXPECT_EQ(made.plan.tensors.front().copy, dtype == Dtype::f32);
  }
  ConfigOptions options;
  options.dtype = Dtype::f64;
  EXPECT_EQ(plan(yaml + "dtype: bfloat16", options).plan.tensors.front().dtype, Dtype::f64);
}

// A head that one network shares with its embedding.
TEST_F(MergekitTest, TiedEmbeddings) {
  const Tensors a = decoder(2, 1);
  Tensors tied = decoder(2, 2);
  tied.erase("lm_head.weight");
  network("a.safetensors", a);
  network("tied.safetensors", tied);
  const std::string both =
      "merge_method: linear\nmodels: [{model: tied.safetensors}, {model: a.safetensors}]\n";
  EXPECT_TRUE(plan(both).untied);
  const Tensors got = merged(both);
  EXPECT_NEAR(got.at("lm_head.weight")[0],
              (tied.at("model.embed_tokens.weight")[0] + a.at("lm_head.weight")[0]) / 2, 1e-6);
  const std::string one = "merge_method: linear\nmodels: [{model: tied.safetensors}]\n";
  EXPECT_FALSE(plan(one).untied);
  EXPECT_FALSE(merged(one).contains("lm_head.weight"));
}

TEST_F(MergekitTest, ModulesHaveLayersOfTheirOwn) {
  Tensors a, b;
  for (const char* name : {"shared.weight", "encoder.block.0.x", "encoder.block.1.x", "encoder.block.2.x",
                           "encoder.norm", "decoder.block.0.x", "decoder.block.1.x", "lm_head.weight"}) {
    a[name] = {1, 2};
    b[name] = {3, 4};
  }
  network("a.safetensors", a);
  network("b.safetensors", b);
  const Tensors got = merged(R"(merge_method: passthrough
base_model: a.safetensors
modules:
  encoder:
    models: [{model: b.safetensors}]
  decoder:
    slices:
      - sources: [{model: a.safetensors, layer_range: [0, 2]}]
      - sources: [{model: b.safetensors, layer_range: [1, 2]}]
)");
  EXPECT_EQ(got.size(), 9u);
  EXPECT_EQ(got.at("shared.weight"), b["shared.weight"]);  // of the first module
  EXPECT_EQ(got.at("encoder.block.2.x"), b["encoder.block.2.x"]);
  EXPECT_EQ(got.at("encoder.norm"), b["encoder.norm"]);
  EXPECT_EQ(got.at("decoder.block.1.x"), a["decoder.block.1.x"]);
  EXPECT_EQ(got.at("decoder.block.2.x"), b["decoder.block.1.x"]);
  EXPECT_EQ(got.at("lm_head.weight"), b["lm_head.weight"]);  // of the last
  EXPECT_EQ(refusal("merge_method: passthrough\nmodules:\n  vision: {models: [{model: a.safetensors}]}\n")
                .find("mismatch: f.yml: line 3: module 'vision'"),
            0u);
}

TEST_F(MergekitTest, RefusesWhatDoesNotFit) {
  network("a.safetensors", decoder(3, 1));
  network("b.safetensors", decoder(4, 1));
  network("flat.safetensors", {{"x", {1}}, {"y", {2}}});
  const std::string slices =
      "merge_method: linear\nslices:\n  - sources:\n    - {model: a.safetensors, layer_range: [0, 3]}\n    "
      "- ";
  EXPECT_EQ(refusal(slices + "{model: b.safetensors, layer_range: [0, 2]}")
                .find("mismatch: f.yml: line 3: 3 layers of "),
            0u);
  EXPECT_EQ(refusal(slices + "{model: b.safetensors, layer_range: [2, 5]}")
                .find("mismatch: f.yml: line 5: layer_range [2, 5]: "),
            0u);
  EXPECT_EQ(
      refusal(slices + "{model: flat.safetensors, layer_range: [0, 3]}").find("mismatch: f.yml: line 5: "),
      0u);
  EXPECT_EQ(refusal("merge_method: linear\nmodels: [{model: a.safetensors}, {model: b.safetensors}]")
                .find("mismatch: f.yml: line 2: 3 layers of "),
            0u);
  EXPECT_EQ(refusal("merge_method: ties\nmodels: [{model: a.safetensors}]"),
            "usage: f.yml: line 2: ties needs the key 'base_model'");
  EXPECT_EQ(refusal("merge_method: ties\nbase_model: b.safetensors\nslices:\n  - sources: [{model: "
                    "a.safetensors, layer_range: [0, 3]}]"),
            "usage: f.yml: line 4: base_model b.safetensors is none of the sources of this slice | add it to "
            "'sources' with its "
            "layer_range");
  EXPECT_EQ(refusal("merge_method: passthrough\nmodels: [{model: a.safetensors}, {model: a.safetensors}]"),
            "usage: f.yml: line 2: passthrough takes 1 networks, got 2");
  EXPECT_EQ(refusal("merge_method: slerp\nbase_model: a.safetensors\nmodels: [{model: a.safetensors}]"),
            "usage: f.yml: line 3: slerp takes 2 networks, got 1");
  EXPECT_EQ(refusal("merge_method: slerp\nbase_model: a.safetensors\nmodels: [{model: a.safetensors}, "
                    "{model: a.safetensors}]")
                .find("usage: f.yml: slerp needs the parameter 't'"),
            0u);
  EXPECT_EQ(
      refusal("merge_method: linear\nmodels:\n  - model: a.safetensors\n    parameters:\n      weight: "
              "[{filter: mlp, value: 1}]")
          .find("usage: f.yml: line 5: weight: none of the filters fits tensor 'model.embed_tokens.weight'"),
      0u);
  EXPECT_EQ(refusal("merge_method: ties\nbase_model: a.safetensors\nmodels: [{model: a.safetensors}, {model: "
                    "a.safetensors, parameters: {density: 2}}]")
                .find("usage: tensor '"),
            0u);
  network("other.safetensors", {{"x", {1}}, {"z", {2}}});
  const std::string differ =
      "merge_method: linear\nmodels: [{model: flat.safetensors}, {model: other.safetensors}]";
  EXPECT_EQ(refusal(differ).find("missing_tensor: "), 0u);
  ConfigOptions options;
  options.allow_missing = true;
  EXPECT_EQ(merged(differ, options).size(), 3u);
  network("longer.safetensors", {{"x", {1, 5}}, {"y", {2}}});
  const std::string longer =
      "merge_method: linear\nmodels: [{model: flat.safetensors}, {model: longer.safetensors}]";
  EXPECT_EQ(refusal(longer).find("mismatch: "), 0u);
  options.pad_vocab = true;
  EXPECT_EQ(merged(longer, options).at("x"), (std::vector<float>{1, 5}));
}

}  // namespace
}  // namespace dws::merge
