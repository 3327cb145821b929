// Fitting at the default recipe, as a whole and in parts.
#include <algorithm>

#include "bench.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "inr/fit.h"
#include "kernels/sincos.h"

namespace dws::tools {
namespace {

// One image of noise under a smooth hill: no fit of it comes near the PSNR to stop at.
Images bench_image() {
  Images images{1, 28, 28, 1, std::vector<uint8_t>(784)};
  Rng rng(1);
  for (int64_t i = 0; i < 784; ++i) {
    const int64_t x = i % 28 - 14, y = i / 28 - 14;
    const auto hill = static_cast<uint64_t>(std::max<int64_t>(0, 150 - x * x - y * y));
    images.pixels[static_cast<size_t>(i)] = static_cast<uint8_t>(hill + rng.below(100));
  }
  return images;
}

// Floating-point operations of one step, a multiply-add counting two: the products alone (sines, Adam and the
// rest count nothing). A point costs sum of d_i d_{i+1} forward, the same for the gradient of the weights,
// and the same without the first layer for the gradient of the activations.
double step_flops(const kernels::InrShape& shape, int64_t points) {
  double sum = 0;
  for (int i = 0; i < shape.layers; ++i)
    sum += (i == 0 ? 2 : 3) * static_cast<double>(shape.dims[i] * shape.dims[i + 1]);
  return 2 * sum * static_cast<double>(points);
}

struct Setup {
  Images images = bench_image();
  FitOptions options;
  Field field{fit_info(options, images)};
  Buffer<float> inputs = field.grid(28, 28);
};

Json fit_networks(const BenchContext& context, int workers) {
  const Setup setup;
  const double rate = fit_rate(context.seconds, workers);
  const double gflops =
      1e-9 * step_flops(setup.field.shape(), 784) * static_cast<double>(setup.options.steps) * rate;
  Json result = Json::object();
  result.set("threads", workers);
  result.set("networks_per_second", rate);
  result.set("gflops", gflops);
  result.set("share_of_peak", gflops / context.peak(workers));
  return result;
}

// Where the time of a step goes: the sine and cosine of all hidden units, Adam, and the rest (products and
// what is fused to them). The parts are timed alone, on arrays of the same size, so they need not add up
// exactly.
Json fit_split(const BenchContext& context) {
  const Setup setup;
  const kernels::InrShape& shape = setup.field.shape();
  const auto packed = static_cast<size_t>(kernels::inr_packed_size(shape));
  Buffer<float> weights(packed), gradient(packed), m(packed), v(packed), target(784),
      scratch(static_cast<size_t>(kernels::inr_scratch_size(shape)));
  std::vector<float> params(static_cast<size_t>(setup.field.param_count()));
  initial_params(setup.options, setup.field, 0, 0, params);
  kernels::inr_pack(shape, params.data(), weights.data());
  const double step = best_seconds(context.seconds / 3, [&] {
    kernels::inr_loss(shape, 784, setup.inputs.data(), target.data(), 0.5f, weights.data(), gradient.data(),
                      scratch.data());
  });
  // A block of points at a time, as the step does it.
  const int64_t block = 2 * 32 * kernels::inr_block(shape);
  Buffer<float> x(static_cast<size_t>(block)), s(x.size()), c(x.size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 97) * 0.05f;
  const double sines =
      best_seconds(context.seconds / 3, [&] { kernels::sincos(block, x.data(), s.data(), c.data()); }) *
      (2.0 * 32 * 784) / static_cast<double>(block);
  const kernels::AdamStep adam{1e-3f, 0.9f, 0.999f, 1e-8f, 1e-4f, 0.1f, 0.001f};
  const double update = best_seconds(context.seconds / 3, [&] {
    kernels::adam(static_cast<int64_t>(packed), adam, gradient.data(), weights.data(), m.data(), v.data());
  });
  Json result = Json::object();
  result.set("microseconds_per_step", 1e6 * (step + update));
  result.set("share_sine", sines / (step + update));
  result.set("share_adam", update / (step + update));
  result.set("share_products_and_rest", (step - sines) / (step + update));
  result.set("gflops_without_sine", 1e-9 * step_flops(shape, 784) / (step - sines));
  return result;
}

}  // namespace

double fit_rate(double seconds, int workers) {
  const Setup setup;
  std::vector<std::vector<float>> params(static_cast<size_t>(workers),
                                         std::vector<float>(static_cast<size_t>(setup.field.param_count())));
  const auto fit_one = [&](int64_t i) {
    Fitter fitter(setup.options, setup.field, setup.inputs.span(), 28, 28);
    fitter.fit(setup.images.image(0), i, 0, params[static_cast<size_t>(i)]);
  };
  return workers / best_seconds(seconds, [&] { parallel_for(workers, fit_one); });
}

std::vector<BenchCase> bench_fit() {
  return {{"fit.one_thread", [](const BenchContext& context) { return fit_networks(context, 1); }},
          {"fit.all_threads", [](const BenchContext& context) { return fit_networks(context, threads()); }},
          {"fit.split", fit_split}};
}

}  // namespace dws::tools
