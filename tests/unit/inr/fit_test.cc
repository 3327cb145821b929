// One network: start, recipe, early stop, agreement with the scalar twin.
#include "inr/fit.h"

#include <cmath>

#include "core/rng.h"
#include "helpers.h"
#include "kernels/ref/siren.h"

namespace dws {
namespace {

using testing::blob_images;
using testing::expect_error;
using testing::quick_options;

std::vector<float> start(const FitOptions& options, const Images& images, int64_t image, int64_t view) {
  const Field field(fit_info(options, images));
  std::vector<float> params(static_cast<size_t>(field.param_count()));
  initial_params(options, field, image, view, params);
  return params;
}

TEST(FitStart, SirenRangesAndZeroBiases) {
  const Images images = blob_images(1, 4, 4);
  FitOptions options;
  const std::vector<float> params = start(options, images, 3, 0);
  ASSERT_EQ(params.size(), 1185u);
  const auto largest = [&](size_t begin, size_t end) {
    float most = 0;
    for (size_t i = begin; i < end; ++i) most = std::max(most, std::fabs(params[i]));
    return most;
  };
  const double first = std::sqrt(3.0) / 30, second = std::sqrt(6.0 / 32) / 30, last = 1 / std::sqrt(32.0);
  EXPECT_LE(largest(0, 64), first);
  EXPECT_GT(largest(0, 64), 0.9 * first);
  EXPECT_EQ(largest(64, 96), 0);
  EXPECT_LE(largest(96, 1120), second);
  EXPECT_GT(largest(96, 1120), 0.99 * second);
  EXPECT_EQ(largest(1120, 1152), 0);
  EXPECT_LE(largest(1152, 1185), last);
  EXPECT_GT(largest(1152, 1184), 0.9 * last);
  EXPECT_NE(params[1184], 0);
}

TEST(FitStart, RandomDiffersByImageAndViewSharedByViewAlone) {
  const Images images = blob_images(1, 4, 4);
  FitOptions options;
  EXPECT_EQ(start(options, images, 1, 0), start(options, images, 1, 0));
  EXPECT_NE(start(options, images, 1, 0), start(options, images, 2, 0));
  EXPECT_NE(start(options, images, 1, 0), start(options, images, 1, 1));
  options.init = "shared";
  EXPECT_EQ(start(options, images, 1, 0), start(options, images, 2, 0));
  EXPECT_NE(start(options, images, 1, 0), start(options, images, 1, 1));
  const std::vector<float> before = start(options, images, 1, 0);
  options.seed = 1;
  EXPECT_NE(start(options, images, 1, 0), before);
}

// The whole recipe in double precision, by the twin: the float kernels stay close for some hundred steps.
TEST(Fit, FollowsTheTwin) {
  const Images images = blob_images(1, 9, 7, 3);
  FitOptions options = quick_options();
  options.arch.dims = {2, 8, 6, 3};
  const Field field(fit_info(options, images));
  const Buffer<float> inputs = field.grid(9, 7);
  std::vector<float> params(static_cast<size_t>(field.param_count()));
  const FitResult result = Fitter(options, field, inputs.span(), 9, 7).fit(images.image(0), 5, 1, params);
  EXPECT_EQ(result.steps, 60);

  std::vector<float> first(params.size());
  initial_params(options, field, 5, 1, first);
  std::vector<double> w(first.begin(), first.end()), g(w.size()), m(w.size()), v(w.size());
  const std::vector<double> x(inputs.begin(), inputs.end());
  std::vector<double> target;
  for (size_t c = 0; c < 3; ++c)
    for (size_t p = 0; p < 63; ++p) target.push_back(images.pixels[p * 3 + c] / 255.0);
  for (int t = 1; t <= 60; ++t) {
    kernels::ref::inr_loss<double>(field.shape(), 63, x.data(), target.data(), 63, 0.5, w.data(), g.data());
    const kernels::AdamStep step{1e-3f,
                                 0.9f,
                                 0.999f,
                                 1e-8f,
                                 1e-4f,
                                 static_cast<float>(1 - std::pow(0.9, t)),
                                 static_cast<float>(1 - std::pow(0.999, t))};
    kernels::ref::adam<double>(static_cast<int64_t>(w.size()), step, g.data(), w.data(), m.data(), v.data());
  }
  double worst = 0;
  for (size_t i = 0; i < w.size(); ++i)
    if (!(std::fabs(params[i] - w[i]) <= worst)) worst = std::fabs(params[i] - w[i]);
  EXPECT_TRUE(worst <= 2e-5) << worst;
  const double loss =
      kernels::ref::inr_loss<double>(field.shape(), 63, x.data(), target.data(), 63, 0.5, w.data(), nullptr);
  EXPECT_NEAR(result.psnr, psnr_of(loss), 1e-3);
}

TEST(Fit, StopsAtThePsnrAndReportsTheFinalOne) {
  const Images images = blob_images(1, 8, 8);
  FitOptions options = quick_options();
  options.steps = 3000;
  options.lr = 3e-3;
  options.psnr_stop = 20;
  const Field field(fit_info(options, images));
  const Buffer<float> inputs = field.grid(8, 8);
  std::vector<float> params(static_cast<size_t>(field.param_count())), picture(64);
  Fitter fitter(options, field, inputs.span(), 8, 8);
  const FitResult result = fitter.fit(images.image(0), 0, 0, params);
  EXPECT_GE(result.psnr, 20);
  EXPECT_LT(result.psnr, 21);
  EXPECT_LT(result.steps, 3000);
  EXPECT_GT(result.steps, 10);
  field.evaluate(params, inputs.span(), 64, picture);
  EXPECT_NEAR(testing::psnr_against(picture, images, 0), result.psnr, 1e-3);
  // The same fitter again: nothing is left over from the first network.
  std::vector<float> again(params.size());
  EXPECT_EQ(fitter.fit(images.image(0), 0, 0, again).steps, result.steps);
  EXPECT_EQ(again, params);
}

TEST(Fit, ActivationsAndFourierFeaturesLearn) {
  const Images images = blob_images(1, 12, 12);
  for (const char* activation : {"siren", "relu", "tanh"}) {
    FitOptions options = quick_options();
    options.activation = activation;
    options.steps = 300;
    if (options.activation != "siren") options.fourier_features = 12;
    const ZooInfo info = fit_info(options, images);
    EXPECT_EQ(info.arch.dims[0], options.activation == "siren" ? 2 : 24);
    const Field field(info);
    const Buffer<float> inputs = field.grid(12, 12);
    std::vector<float> params(static_cast<size_t>(field.param_count()));
    const FitResult result = Fitter(options, field, inputs.span(), 12, 12).fit(images.image(0), 0, 0, params);
    FitOptions none = options;
    none.steps = 0;
    const FitResult before = Fitter(none, field, inputs.span(), 12, 12).fit(images.image(0), 0, 0, params);
    EXPECT_TRUE(result.psnr > before.psnr + 5) << activation << ": " << before.psnr << " to " << result.psnr;
  }
}

TEST(Fit, DivergenceIsAnError) {
  const Images images = blob_images(1, 8, 8);
  FitOptions options = quick_options();
  options.activation = "relu";
  options.lr = 1e30;
  const Field field(fit_info(options, images));
  const Buffer<float> inputs = field.grid(8, 8);
  std::vector<float> params(static_cast<size_t>(field.param_count()));
  expect_error(
      ErrorKind::bad_value,
      [&] { Fitter(options, field, inputs.span(), 8, 8).fit(images.image(0), 4, 0, params); },
      "image 4, view 0: the fit diverged");
}

TEST(FitInfo, RefusesWhatMakesNoSense) {
  const Images images = blob_images(1, 4, 4), colour = blob_images(1, 4, 4, 3);
  const auto with = [&](auto change, ErrorKind kind, const std::string& part) {
    FitOptions options;
    change(options);
    expect_error(
        kind, [&] { fit_info(options, images); }, part);
  };
  with([](FitOptions& o) { o.steps = -1; }, ErrorKind::usage, "steps");
  with([](FitOptions& o) { o.lr = 0; }, ErrorKind::usage, "learning rate");
  with([](FitOptions& o) { o.lr = std::nan(""); }, ErrorKind::usage, "learning rate");
  with([](FitOptions& o) { o.omega = -1; }, ErrorKind::usage, "omega");
  with([](FitOptions& o) { o.init = "learned"; }, ErrorKind::usage, "init");
  with([](FitOptions& o) { o.views = 0; }, ErrorKind::usage, "views");
  with([](FitOptions& o) { o.shard_index = 2, o.shard_count = 2; }, ErrorKind::usage, "shard 2/2");
  with([](FitOptions& o) { o.activation = "gelu"; }, ErrorKind::usage, "gelu");
  with([](FitOptions& o) { o.fourier_features = 4; }, ErrorKind::mismatch, "siren");
  with([](FitOptions& o) { o.arch.dims = {2, 1}; }, ErrorKind::mismatch, "hidden");
  with([](FitOptions& o) { o.arch.dims = {3, 8, 1}; }, ErrorKind::mismatch, "3");
  with([](FitOptions& o) { o.arch.dims = {2, 8, 3}; }, ErrorKind::mismatch, "3 outputs");
  EXPECT_EQ(fit_info(FitOptions{}, colour).arch.str(), "2-32-32-3");
  expect_error(ErrorKind::empty, [] { fit_info(FitOptions{}, Images{}); });
}

}  // namespace
}  // namespace dws
