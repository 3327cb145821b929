// Models by name, and the file a trained one lives in.
#include "metanets/registry.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "core/rng.h"
#include "format/safetensors.h"
#include "testing.h"

namespace dws {
namespace {

using dws::testing::TempDir;
using dws::testing::throws_error;

const std::vector<int64_t> kDims = {2, 5, 4, 1};

Tensor<float> random_networks(int64_t batch, int64_t params, uint64_t seed) {
  Tensor<float> x(Shape{batch, params});
  Rng rng(seed);
  for (float& v : x.span()) v = static_cast<float>(rng.normal());
  return x;
}

std::vector<float> logits(const Model<float>& model, const Tensor<float>& x) {
  Tape<float> tape;
  tape.set_recording(false);
  const Var<float> y = model.forward(tape, x.view(), nullptr);
  return {y.data(), y.data() + y.shape().size()};
}

ModelFile sample(const std::string& kind) {
  ModelFile file;
  file.zoo.arch.dims = kDims;
  file.model = make_model<float>(kind, file.zoo.arch, 3, Json::object());
  file.model->init(7);
  // Buffers that are not what a fresh model has.
  for (float& v : file.model->params().buffer_values().span()) v += 0.25f;
  file.normaliser = weights::Normaliser::identity(file.model->input_size());
  file.normaliser.mean[3] = 0.5f;
  file.normaliser.scale[4] = 2.0f;
  file.classes = {"zero", "one", "two"};
  file.recipe = Json::object({{"epochs", Json(3)}});
  return file;
}

TEST(Registry, EveryModelReadsABatch) {
  const MlpArch arch{kDims};
  for (const std::string& kind : model_names()) {
    const auto model = make_model<float>(kind, arch, 3, Json());
    EXPECT_EQ(model->kind(), kind);
    EXPECT_EQ(model->input_size(), arch.param_count());
    EXPECT_EQ(model->invariant(), kind != "mlp");
    const std::vector<float> y = logits(*model, random_networks(4, arch.param_count(), 1));
    ASSERT_EQ(y.size(), 12u);
    for (float v : y) EXPECT_TRUE(std::isfinite(v));
  }
}

// Weights decay; biases, norms and scales do not (Loshchilov & Hutter 2019 and common practice).
TEST(Registry, WeightsDecayAndNothingElse) {
  for (const std::string& kind : model_names()) {
    for (const char* norm : {"batch", "layer"}) {
      const Json config = kind == "dws" ? Json::object({{"norm", Json(norm)}}) : Json();
      const auto model = make_model<float>(kind, MlpArch{kDims}, 3, config);
      const ParamSet<float>& params = model->params();
      int weights = 0, others = 0;
      for (int i = 0; i < params.count(); ++i) {
        const ParamInfo& info = params.info(i);
        const bool weight = info.name.find("norm") == std::string::npos &&
                            info.name.find("bias") == std::string::npos && info.shape.rank() >= 2;
        EXPECT_EQ(info.decay, weight) << kind << ": " << info.name;
        ++(weight ? weights : others);
      }
      EXPECT_GT(weights, 1);
      EXPECT_GT(others, 1);
    }
  }
}

TEST(Registry, ConfigurationBuildsTheSameModelAgain) {
  const MlpArch arch{kDims};
  const Json config = Json::parse(
      R"({"hidden": 8, "layers": 3, "reduction": "mean", "norm": "layer", "residual": true, "head": [], "diagonal": true})",
      "config");
  const auto a = make_model<float>("dws", arch, 3, config);
  const auto b = make_model<float>("dws", arch, 3, a->config());
  EXPECT_EQ(a->config().dump(), b->config().dump());
  EXPECT_EQ(a->params().size(), b->params().size());
  a->init(11);
  b->init(11);
  const Tensor<float> x = random_networks(4, arch.param_count(), 2);
  EXPECT_EQ(logits(*a, x), logits(*b, x));
  b->init(12);
  EXPECT_NE(logits(*a, x), logits(*b, x));
}

TEST(Registry, RefusesWhatItDoesNotKnow) {
  const MlpArch arch{kDims};
  const auto make = [&](const std::string& kind, const std::string& json) {
    return [=] { make_model<float>(kind, arch, 3, Json::parse(json, "config")); };
  };
  EXPECT_TRUE(throws_error(ErrorKind::usage, make("dwz", "{}"), "unknown model 'dwz'"));
  EXPECT_TRUE(throws_error(ErrorKind::usage, make("dws", R"({"hiden": 8})"), "no option 'hiden'"));
  EXPECT_TRUE(throws_error(ErrorKind::usage, make("dws", R"({"hidden": 0})"), "'hidden' is 0"));
  EXPECT_TRUE(throws_error(ErrorKind::usage, make("dws", R"({"hidden": "8"})"), "an integer"));
  EXPECT_TRUE(throws_error(ErrorKind::usage, make("dws", R"({"reduction": "median"})"), "max, mean, sum"));
  EXPECT_TRUE(throws_error(ErrorKind::usage, make("dws", R"({"dropout": 1})"), "'dropout' is 1"));
  EXPECT_TRUE(throws_error(ErrorKind::usage, make("dws", R"({"set_layer": "sab", "hidden": 6})"), "heads"));
  EXPECT_TRUE(throws_error(
      ErrorKind::usage, make("dws", R"({"blocks": ["weight_self", "weight_self", "weight_self", "weight_self",
                                 "weight_self", "weight_self"]})"),
      "each at most once"));
  EXPECT_TRUE(throws_error(ErrorKind::usage, make("mlp", R"({"diagonal": true})"), "'mlp' has no option"));
  EXPECT_TRUE(throws_error(ErrorKind::usage, make("dws", "[]"), "not a JSON object"));
  try {
    make("dws", R"({"hiden": 8})")();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.advice(), "did you mean 'hidden'?");
  }
}

TEST(Registry, RefusesNetworksOfAnotherSize) {
  for (const std::string& kind : model_names()) {
    const auto model = make_model<float>(kind, MlpArch{kDims}, 3, Json());
    EXPECT_TRUE(throws_error(
        ErrorKind::mismatch, [&] { logits(*model, random_networks(2, 9, 1)); }, "(2, 9)"));
  }
}

TEST(ModelFile, ComesBackAsItWas) {
  TempDir dir;
  for (const std::string& kind : model_names()) {
    const ModelFile out = sample(kind);
    save_model(dir / kind, out, false);
    EXPECT_TRUE(throws_error(ErrorKind::exists, [&] { save_model(dir / kind, out, false); }));
    const ModelFile in = load_model(dir / kind);
    EXPECT_EQ(in.model->kind(), kind);
    EXPECT_EQ(in.zoo.arch, out.zoo.arch);
    EXPECT_EQ(in.classes, out.classes);
    EXPECT_EQ(in.recipe.dump(), out.recipe.dump());
    EXPECT_EQ(in.normaliser.mean, out.normaliser.mean);
    EXPECT_EQ(in.normaliser.scale, out.normaliser.scale);
    EXPECT_EQ(in.model->config().dump(), out.model->config().dump());
    const Tensor<float> x = random_networks(3, out.model->input_size(), 5);
    EXPECT_EQ(logits(*in.model, x), logits(*out.model, x));
  }
}

// Writes the sample model again with its tensors changed by `edit`.
void rewrite(const std::string& from, const std::string& to,
             const std::function<void(std::vector<TensorSource>&,
                                      std::vector<std::pair<std::string, std::string>>&)>& edit) {
  const Safetensors file = Safetensors::open(from);
  std::vector<std::vector<float>> data;
  std::vector<TensorSource> tensors;
  data.reserve(file.tensors().size());
  for (const TensorEntry& entry : file.tensors()) {
    data.emplace_back(static_cast<size_t>(entry.elements()));
    file.read(entry, data.back());
    tensors.push_back(TensorSource::of(entry.name, entry.shape, std::span<const float>(data.back())));
  }
  auto metadata = file.metadata();
  edit(tensors, metadata);
  write_safetensors(to, tensors, metadata, true);
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
}

TEST(ModelFile, RefusesFilesThatAreNotWhole) {
  TempDir dir;
  const std::string good = dir / "good", bad = dir / "bad";
  save_model(good, sample("dws"), false);
  using Tensors = std::vector<TensorSource>;
  using Metadata = std::vector<std::pair<std::string, std::string>>;
  const auto drop = [](const std::string& name) {
    return [name](Tensors& t, Metadata&) {
      std::erase_if(t, [&](const TensorSource& s) { return s.name == name; });
    };
  };
  const auto about = [](const std::string& from, const std::string& to) {
    return [=](Tensors&, Metadata& m) {
      for (auto& [key, value] : m)
        if (key == "dws.model") replace(value, from, to);
    };
  };
  const auto load = [&] { load_model(bad); };

  rewrite(good, bad, [](Tensors&, Metadata&) {});
  EXPECT_NO_THROW(load());
  rewrite(good, bad, drop("params/head.0.weight"));
  EXPECT_TRUE(throws_error(ErrorKind::missing_tensor, load, "params/head.0.weight"));
  rewrite(good, bad, drop("buffers/norms.0.scalar.mean"));
  EXPECT_TRUE(throws_error(ErrorKind::missing_tensor, load, "buffers/norms.0.scalar.mean"));
  rewrite(good, bad, drop("normaliser/scale"));
  EXPECT_TRUE(throws_error(ErrorKind::missing_tensor, load, "normaliser/scale"));
  rewrite(good, bad, [](Tensors&, Metadata& m) { m.clear(); });
  EXPECT_TRUE(throws_error(ErrorKind::bad_schema, load, "not a model"));
  rewrite(good, bad, about("\"kind\":\"dws\"", "\"kind\":\"dxs\""));
  EXPECT_TRUE(throws_error(ErrorKind::usage, load, "unknown model 'dxs'"));
  rewrite(good, bad, about("dws.model/1", "dws.model/9"));
  EXPECT_TRUE(throws_error(ErrorKind::bad_schema, load, "dws.model/9"));
  rewrite(good, bad, about("\"hidden\":32", "\"hidden\":16"));
  EXPECT_TRUE(throws_error(ErrorKind::size_mismatch, load, "expected shape ("));
  rewrite(good, bad, about("\"layers\":4", "\"layers\":3"));
  EXPECT_TRUE(throws_error(ErrorKind::bad_schema, load, "does not belong"));
  // A size that the file has no numbers for is seen before a model of that size is built.
  save_model(dir / "mlp", sample("mlp"), false);
  rewrite(dir / "mlp", bad, about("[2,5,4,1]", "[2,100,100,1]"));
  EXPECT_TRUE(throws_error(ErrorKind::size_mismatch, load, "normaliser/mean"));
  rewrite(dir / "mlp", bad, about("\"outputs\":3", "\"outputs\":30000"));
  EXPECT_TRUE(throws_error(ErrorKind::mismatch, load, "3 class names for 30000 outputs"));
  rewrite(good, bad, about("[\"zero\",", "["));
  EXPECT_TRUE(throws_error(ErrorKind::mismatch, load, "2 class names for 3 outputs"));
  const std::vector<float> poison = {1, 2, std::nanf("")};
  rewrite(good, bad, [&](Tensors& t, Metadata&) {
    for (TensorSource& s : t)
      if (s.name == "params/head.1.bias") s = TensorSource::of(s.name, {3}, std::span<const float>(poison));
  });
  EXPECT_TRUE(throws_error(ErrorKind::bad_value, load, "params/head.1.bias"));
}

}  // namespace
}  // namespace dws
