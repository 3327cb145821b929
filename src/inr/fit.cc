#include "inr/fit.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/rng.h"
#include "core/text.h"

namespace dws {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;

void require(bool condition, const std::string& message) {
  if (!condition) throw Error(ErrorKind::usage, message);
}

void check(const FitOptions& options) {
  require(options.steps >= 0, text("steps: {} is negative", options.steps));
  require(std::isfinite(options.lr) && options.lr > 0, text("learning rate: {} is not above 0", options.lr));
  require(std::isfinite(options.weight_decay) && options.weight_decay >= 0,
          text("weight decay: {} is not 0 or more", options.weight_decay));
  require(std::isfinite(options.omega) && options.omega > 0, text("omega: {} is not above 0", options.omega));
  require(std::isfinite(options.psnr_stop) && options.psnr_stop >= 0,
          text("PSNR to stop at: {} is not 0 or more", options.psnr_stop));
  require(options.init == "random" || options.init == "shared",
          text("init '{}': expected random or shared", escaped(options.init)));
  require(options.views > 0, text("views: {} is not above 0", options.views));
  require(options.limit >= 0, text("limit: {} is negative", options.limit));
  require(options.shard_count > 0 && options.shard_index >= 0 && options.shard_index < options.shard_count,
          text("shard {}/{}: expected I/N with 0 <= I < N", options.shard_index, options.shard_count));
  require(options.fourier_features >= 0 && options.fourier_features <= ZooInfo::kMaxFourierFeatures,
          text("Fourier features: {} is not between 0 and {}", options.fourier_features,
               ZooInfo::kMaxFourierFeatures));
  require(std::isfinite(options.fourier_scale) && options.fourier_scale > 0,
          text("Fourier scale: {} is not above 0", options.fourier_scale));
}

}  // namespace

ZooInfo fit_info(const FitOptions& options, const Images& images) {
  check(options);
  if (images.count == 0) throw Error(ErrorKind::empty, "no images to fit");
  ZooInfo info;
  info.activation = options.activation;
  info.omega = options.omega;
  info.image_height = images.height;
  info.image_width = images.width;
  info.channels = images.channels;
  info.arch = options.arch;
  if (info.arch.dims.empty()) info.arch.dims = {2, 32, 32, images.channels};
  if (options.fourier_features > 0) {
    info.fourier_features = options.fourier_features;
    info.fourier_scale = options.fourier_scale;
    info.fourier_seed = options.seed;
    // The numbers themselves, so that a reader needs no generator of ours.
    info.fourier_matrix = fourier_matrix(info.fourier_features, info.fourier_scale, info.fourier_seed);
    if (info.arch.dims.front() == 2) info.arch.dims.front() = 2 * int64_t{options.fourier_features};
  }
  const Field checked(info);
  Json fit = Json::object();
  fit.set("optimizer", "adam");
  fit.set("steps", options.steps);
  fit.set("lr", options.lr);
  fit.set("weight_decay", options.weight_decay);
  fit.set("psnr_stop", options.psnr_stop);
  fit.set("init", options.init);
  fit.set("views", options.views);
  fit.set("seed", options.seed);
  if (options.limit > 0) fit.set("limit", options.limit);
  if (options.shard_count > 1) fit.set("shard", text("{}/{}", options.shard_index, options.shard_count));
  info.fit = std::move(fit);
  return info;
}

void initial_params(const FitOptions& options, const Field& field, int64_t image_id, int64_t view,
                    std::span<float> params) {
  const auto view_number = static_cast<uint64_t>(view);
  Rng rng(options.seed, options.init == "shared"
                            ? stream_id("fit.init.shared", view_number)
                            : stream_id("fit.init", static_cast<uint64_t>(image_id), view_number));
  const kernels::InrShape& shape = field.shape();
  size_t at = 0;
  for (int i = 0; i < shape.layers; ++i) {
    const int64_t in = shape.dims[i], out = shape.dims[i + 1];
    const bool sine = shape.activation == kernels::InrActivation::sine && i < shape.layers - 1;
    const double fan_in = static_cast<double>(in);
    const double bound = sine ? std::sqrt(6 / fan_in) / options.omega : 1 / std::sqrt(fan_in);
    for (int64_t k = 0; k < in * out; ++k) params[at++] = static_cast<float>(rng.uniform(-bound, bound));
    for (int64_t k = 0; k < out; ++k)
      params[at++] = sine ? 0.0f : static_cast<float>(rng.uniform(-bound, bound));
  }
}

Fitter::Fitter(const FitOptions& options, const Field& field, std::span<const float> inputs, int64_t height,
               int64_t width)
    : options_(options),
      field_(field),
      inputs_(inputs),
      points_(height * width),
      target_(static_cast<size_t>(kernels::inr_padded(points_) * field.channels())),
      weights_(static_cast<size_t>(kernels::inr_packed_size(field.shape()))),
      gradient_(weights_.size()),
      first_moment_(weights_.size()),
      second_moment_(weights_.size()),
      scratch_(static_cast<size_t>(kernels::inr_scratch_size(field.shape()))) {}

FitResult Fitter::fit(const uint8_t* image, int64_t image_id, int64_t view, std::span<float> params) {
  const kernels::InrShape& shape = field_.shape();
  const int64_t channels = field_.channels(), stride = kernels::inr_padded(points_);
  for (int64_t p = 0; p < points_; ++p)
    for (int64_t c = 0; c < channels; ++c)
      target_[static_cast<size_t>(c * stride + p)] = static_cast<float>(image[p * channels + c]) / 255.0f;
  initial_params(options_, field_, image_id, view, params);
  kernels::inr_pack(shape, params.data(), weights_.data());
  std::fill(first_moment_.begin(), first_moment_.end(), 0.0f);
  std::fill(second_moment_.begin(), second_moment_.end(), 0.0f);

  kernels::AdamStep step{static_cast<float>(options_.lr),
                         static_cast<float>(kBeta1),
                         static_cast<float>(kBeta2),
                         static_cast<float>(kEpsilon),
                         static_cast<float>(options_.weight_decay),
                         1,
                         1};
  double power1 = 1, power2 = 1;
  FitResult result;
  for (;; ++result.steps) {
    // The loss belongs to the parameters before the update: the last round only measures.
    const bool last = result.steps == options_.steps;
    const double mse = kernels::inr_loss(shape, points_, inputs_.data(), target_.data(), field_.offset(),
                                         weights_.data(), last ? nullptr : gradient_.data(), scratch_.data());
    if (!std::isfinite(mse)) {
      throw Error(ErrorKind::bad_value,
                  text("image {}, view {}: the fit diverged at step {}", image_id, view, result.steps),
                  "a smaller --lr or --omega helps");
    }
    result.psnr = psnr_of(mse);
    if (last || (options_.psnr_stop > 0 && result.psnr >= options_.psnr_stop)) break;
    if (result.steps % 16 == 0) check_interrupt();
    power1 *= kBeta1;
    power2 *= kBeta2;
    step.correction1 = static_cast<float>(1 - power1);
    step.correction2 = static_cast<float>(1 - power2);
    kernels::adam(static_cast<int64_t>(weights_.size()), step, gradient_.data(), weights_.data(),
                  first_moment_.data(), second_moment_.data());
  }
  kernels::inr_unpack(shape, weights_.data(), params.data());
  return result;
}

}  // namespace dws
