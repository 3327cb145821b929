#include "tasknets/classifier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "format/safetensors.h"
#include "network/executor.h"
#include "network/stored.h"
#include "tasknets/network_file.h"
#include "testing.h"

namespace dws {
namespace {

using testing::expect_error;
using testing::TempDir;

struct Trained {
  const char* arch;
  nn::Norm norm;
  Activation activation;
};
const Trained kKinds[] = {{"mlp:", nn::Norm::none, Activation::relu},
                          {"mlp:9,7", nn::Norm::none, Activation::relu},
                          {"mlp:9,7", nn::Norm::batch, Activation::tanh},
                          {"mlp:9", nn::Norm::layer, Activation::gelu},
                          {"cnn:4,5s2", nn::Norm::none, Activation::tanh},
                          {"cnn:4k5,p,5k1,a,f6", nn::Norm::batch, Activation::relu},
                          {"vgg:2", nn::Norm::batch, Activation::gelu}};

ClassifierConfig config_of(const Trained& kind) {
  return {.arch = parse_arch(kind.arch),
          .norm = kind.norm,
          .activation = kind.activation,
          .height = 9,
          .width = 8,
          .channels = 3,
          .classes = 4};
}

// Parameters and statistics away from where they start, so that none is one or zero.
template <class T>
void stir(Classifier<T>& model) {
  Rng rng(3);
  for (T& w : model.params().values().span()) w += static_cast<T>(0.1 * rng.normal());
  for (T& s : model.params().buffer_values().span()) s += static_cast<T>(rng.uniform(0.1, 0.5));
}

template <class T>
std::vector<T> pictures(int64_t count) {
  Rng rng(4);
  std::vector<T> x(static_cast<size_t>(count));
  for (T& v : x) v = static_cast<T>(rng.normal());
  return x;
}

// The tape's gradient along a direction against differences of the loss, in double, in training mode.
TEST(Classifier, GradientIsThatOfTheLoss) {
  for (const Trained& kind : kKinds) {
    Classifier<double> model(config_of(kind));
    stir(model);
    const int64_t B = 3;
    const auto x = pictures<double>(B * model.input_size());
    std::vector<double> targets(12), statistics(static_cast<size_t>(model.params().buffer_size()));
    for (size_t b = 0; b < 3; ++b) targets[b * 4 + b] = 1;
    std::vector<double> gradient(static_cast<size_t>(model.params().size()));
    const auto loss = [&](double* to) {
      Tape<double> tape;
      tape.set_training(true);
      tape.bind_gradients(to);
      const auto y = model.forward(tape, {x.data(), {B, model.input_size()}}, statistics.data());
      const auto l = ops::cross_entropy<double>(y, {targets.data(), {B, 4}}, 1.0 / 3);
      if (to) tape.backward(l);
      return *l.data();
    };
    loss(gradient.data());
    Rng rng(5);
    std::vector<double> way(gradient.size()), at(gradient.size());
    for (double& v : way) v = rng.normal();
    const std::span<double> w = model.params().values().span();
    std::copy(w.begin(), w.end(), at.begin());
    const double h = 1e-6;
    const auto moved = [&](double step) {
      for (size_t i = 0; i < at.size(); ++i) w[i] = at[i] + step * way[i];
      return loss(nullptr);
    };
    const double numeric = (moved(h) - moved(-h)) / (2 * h);
    double product = 0;
    for (size_t i = 0; i < way.size(); ++i) product += way[i] * gradient[i];
    EXPECT_TRUE(std::abs(numeric) > 1e-3 && std::abs(product - numeric) <= 1e-6 * (1 + std::abs(numeric)))
        << kind.arch << " " << nn::norm_name(kind.norm) << ": " << product << ", differences " << numeric;
  }
}

// What is written computes what the model does: the graph of its own recipe, run by the reference executor.
TEST(Classifier, ItsFileComputesTheSame) {
  TempDir dir;
  for (const Trained& kind : kKinds) {
    Classifier<float> model(config_of(kind));
    stir(model);
    const ClassifierConfig& c = model.settings();
    const int64_t B = 2, plane = c.height * c.width;
    const auto x = pictures<float>(B * model.input_size());
    Tape<float> tape;
    const auto y = model.forward(tape, {x.data(), {B, model.input_size()}}, nullptr);

    save_network(dir / "net", model, {{"dws.input", "{}"}}, true);
    const auto file = std::make_shared<const Safetensors>(Safetensors::open(dir / "net"));
    EXPECT_EQ(*file->meta("dws.input"), "{}");
    network::StoredTensors stored{.file = "net", .tensors = {}, .owner = file};
    for (const TensorEntry& e : file->tensors())
      stored.tensors.push_back(
          {.name = e.name, .type = *onnx_type(e.dtype), .dims = e.shape, .bytes = file->bytes(e)});
    const Json entry = Json::parse(*file->meta(kNetworkEntry), "entry");
    const auto network =
        network::from_tensors(std::move(stored), {.recipe = {}, .described = entry.at("recipe")}).network;
    network::Array input{.dims = {B, model.input_size()}};
    if (c.arch.of_pictures) input.dims = {B, c.channels, c.height, c.width};
    for (int64_t b = 0; b < B; ++b)
      for (int64_t k = 0; k < c.channels; ++k)
        for (int64_t p = 0; p < plane; ++p)
          input.reals.push_back(x[static_cast<size_t>((b * plane + p) * c.channels + k)]);
    const auto got = network::Executor(network, network::Precision::f64)
                         .run({std::make_shared<const network::Array>(input)});
    ASSERT_EQ(got.at(0)->dims, (std::vector<int64_t>{B, 4}));
    double worst = 0, largest = 0;
    for (size_t i = 0; i < 8; ++i) {
      worst = std::max(worst, std::abs(got[0]->reals[i] - static_cast<double>(y.data()[i])));
      largest = std::max(largest, std::abs(got[0]->reals[i]));
    }
    EXPECT_TRUE(largest > 1e-2 && worst <= 2e-6 * (1 + largest))
        << kind.arch << " " << nn::norm_name(kind.norm) << ": " << worst << " of " << largest;
  }
}

TEST(Classifier, SeedsGiveDifferentNetworksOfOneSize) {
  Classifier<float> model(config_of(kKinds[5]));
  const auto numbers = [&](uint64_t seed) {
    model.init(seed);
    const auto v = model.params().values().span();
    return std::vector<float>(v.begin(), v.end());
  };
  const auto first = numbers(1);
  EXPECT_NE(first, numbers(2));
  EXPECT_EQ(first, numbers(1));
}

TEST(Classifier, RefusesWhatDoesNotFit) {
  expect_error(
      ErrorKind::usage,
      [] {
        Classifier<float>(config_of({"cnn:4,p,p,p,p", {}, {}}));
      },
      "layer 5 halves");
  expect_error(
      ErrorKind::usage,
      [] {
        Classifier<float>(config_of({"cnn:4", nn::Norm::layer, {}}));
      },
      "--norm layer");
  expect_error(
      ErrorKind::usage, [] { parse_activation("rely"); }, "relu, tanh or gelu");
}

}  // namespace
}  // namespace dws
