// Convolutions of the shapes that small classifiers have, and a whole step of training one.
#include <memory>
#include <vector>

#include "autograd/ops.h"
#include "bench.h"
#include "core/buffer.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "core/text.h"
#include "kernels/conv.h"
#include "tasknets/classifier.h"

namespace dws::tools {
namespace {

constexpr int64_t kImages = 32;  // of a product: a shard

Buffer<float> random_buffer(int64_t size) {
  Buffer<float> buffer(static_cast<size_t>(size));
  Rng rng(1);
  for (float& x : buffer) x = rng.uniform_float() - 0.5f;
  return buffer;
}

// work(shape, x, w, y, scratch) on pictures of size x size, 3 x 3 kernels.
template <class Work>
BenchCase convolution(const std::string& name, int64_t channels, int64_t filters, int64_t size, Work work) {
  return {name, [=](const BenchContext& context) {
            const kernels::Conv2d c{.channels = channels,
                                    .height = size,
                                    .width = size,
                                    .filters = filters,
                                    .kernel_h = 3,
                                    .kernel_w = 3,
                                    .pad_top = 1,
                                    .pad_left = 1,
                                    .pad_bottom = 1,
                                    .pad_right = 1};
            Buffer<float> x = random_buffer(kImages * size * size * channels),
                          w = random_buffer(c.depth() * filters),
                          y = random_buffer(kImages * size * size * filters);
            Buffer<float> scratch(static_cast<size_t>(
                std::max(kernels::conv2d_nhwc_scratch(c), kernels::conv2d_nchw_scratch(c, kImages))));
            const double seconds =
                best_seconds(context.seconds, [&] { work(c, x.data(), w.data(), y.data(), scratch.data()); });
            Json result = Json::object();
            const double gflops =
                2e-9 * static_cast<double>(kImages * c.places() * c.depth() * filters) / seconds;
            result.set("shape", text("{}x{}x{}x{} to {}", kImages, size, size, channels, filters));
            result.set("seconds", seconds);
            result.set("gflops", gflops);
            result.set("share_of_peak", gflops / context.peak_gflops);
            return result;
          }};
}

// Multiply-adds of the forward pass of a picture, times two.
double flops_of(const ClassifierConfig& config) {
  double flops = 0;
  int64_t C = config.channels, H = config.height, W = config.width;
  for (const Arch::Layer& layer : config.arch.layers) {
    if (layer.kind != Arch::Kind::conv) continue;
    H = (H - 1) / layer.stride + 1;
    W = (W - 1) / layer.stride + 1;
    flops += 2.0 * static_cast<double>(H * W * layer.kernel * layer.kernel * C * layer.width);
    C = layer.width;
  }
  return flops + 2.0 * static_cast<double>(C * config.classes);
}

// Forward and backward of the CNN that alignment is often measured on, a shard on each thread.
Json training_step(const BenchContext& context) {
  const ClassifierConfig config{.arch = parse_arch("cnn:16,32s2,32,64s2,64,128s2,128"),
                                .norm = nn::Norm::batch,
                                .height = 32,
                                .width = 32,
                                .channels = 3,
                                .classes = 10};
  const Classifier<float> model(config);
  const int64_t shards = std::max(1, threads());
  const Buffer<float> x = random_buffer(kImages * model.input_size());
  std::vector<float> targets(static_cast<size_t>(kImages * config.classes));
  for (size_t i = 0; i < static_cast<size_t>(kImages); ++i) targets[i * 10 + i % 10] = 1;
  struct Shard {
    Tape<float> tape;
    Buffer<float> gradient, statistics;
  };
  std::vector<std::unique_ptr<Shard>> all;
  for (int64_t s = 0; s < shards; ++s) {
    all.push_back(std::make_unique<Shard>());
    all.back()->gradient = Buffer<float>(static_cast<size_t>(model.params().size()));
    all.back()->statistics = Buffer<float>(static_cast<size_t>(model.params().buffer_size()));
  }
  const auto step = [&] {
    parallel_for(shards, [&](int64_t s) {
      Shard& shard = *all[static_cast<size_t>(s)];
      shard.tape.reset();
      shard.tape.set_training(true);
      shard.tape.bind_gradients(shard.gradient.data());
      const auto logits =
          model.forward(shard.tape, {x.data(), {kImages, model.input_size()}}, shard.statistics.data());
      shard.tape.backward(ops::cross_entropy<float>(logits, {targets.data(), {kImages, 10}}, 1.0f / kImages));
    });
  };
  const Timing time = measure(context.seconds, step);
  // Backward: twice the forward, but for the first layer, whose input wants no gradient.
  const double forward = flops_of(config), first = 2.0 * 27 * 16 * 32 * 32;
  const auto images = static_cast<double>(shards * kImages);
  const double gflops = 1e-9 * images * (3 * forward - first) / time.best;
  Json result = Json::object();
  result.set("threads", threads());
  result.set("arch", config.arch.text);
  result.set("images_per_second", images / time.best);
  result.set("gflops", gflops);
  result.set("share_of_peak", gflops / context.peak(threads()));
  return result;
}

}  // namespace

std::vector<BenchCase> bench_conv() {
  using kernels::Conv2d;
  const auto forward = [](const Conv2d& c, float* x, float* w, float* y, float* scratch) {
    kernels::conv2d_nhwc<float>(c, kImages, x, w, nullptr, y, scratch);
  };
  const auto dx = [](const Conv2d& c, float* x, float* w, float* y, float* scratch) {
    kernels::conv2d_nhwc_dx<float>(c, kImages, w, y, x, false, scratch);
  };
  const auto dw = [](const Conv2d& c, float* x, float* w, float* y, float* scratch) {
    kernels::conv2d_nhwc_dw<float>(c, kImages, x, y, w, false, scratch);
  };
  const auto channels_first = [](const Conv2d& c, float* x, float* w, float* y, float* scratch) {
    kernels::conv2d_nchw<float>(c, kImages, x, w, nullptr, y, scratch);
  };
  return {convolution("conv.forward", 32, 32, 16, forward),
          convolution("conv.forward.small", 128, 128, 4, forward),
          convolution("conv.forward.wide", 64, 64, 32, forward),
          convolution("conv.input_gradient", 32, 32, 16, dx),
          convolution("conv.weight_gradient", 32, 32, 16, dw),
          convolution("conv.channels_first", 32, 32, 16, channels_first),
          {"conv.training_step", training_step}};
}

}  // namespace dws::tools
