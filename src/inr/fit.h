// Fitting implicit neural representations to images: full-batch Adam on the mean squared error, one network a
// thread. The default recipe, "DWS-INR", reproduces the data of Navon et al., "Equivariant architectures for
// learning in deep weight spaces" (ICML 2023), as far as the statistics of their weights tell.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/buffer.h"
#include "format/images.h"
#include "format/zoo.h"
#include "inr/field.h"

namespace dws {

struct FitOptions {
  // Widths as the user gives them: 2 (column, row), hidden widths, channels. Empty: 2-32-32-channels. With
  // Fourier features the first width may be 2 or twice the features; in the zoo it is what the first weight
  // matrix has.
  MlpArch arch;
  std::string activation = "siren";  // siren, relu, tanh
  double omega = 30;
  int fourier_features = 0;  // relu, tanh: features before the network, shared by all networks of a zoo
  double fourier_scale = 1;  // their standard deviation, in cycles per unit of the coordinates
  int64_t steps = 1500;
  double lr = 1e-3;
  double weight_decay = 1e-4;                // L2, added to the gradient
  double psnr_stop = 40;                     // dB; a network that reaches it stops. 0: never
  std::string init = "random";               // random: a start for each network; shared: one for all images
  int64_t views = 1;                         // networks an image, each with its own start
  int64_t limit = 0;                         // the first images only; 0: all
  int64_t shard_index = 0, shard_count = 1;  // images with index % count == index
  uint64_t seed = 0;
};

// What a zoo fitted to such images says about itself (without source and summary). Throws
// Error{usage|mismatch} for options that make no sense or do not fit the images.
ZooInfo fit_info(const FitOptions& options, const Images& images);

struct FitResult {
  double psnr = 0;    // of the final parameters
  int64_t steps = 0;  // updates made
};

// Fits networks of one shape to images of one size, one at a time. Make one a thread; fit() gives the same
// bits whichever object and thread runs it.
class Fitter {
 public:
  // `field` and `inputs` (a field.grid(height, width)) outlive the fitter.
  Fitter(const FitOptions& options, const Field& field, std::span<const float> inputs, int64_t height,
         int64_t width);

  // `image` (height, width, channels) bytes; target = byte / 255. `params` (field.param_count()) receives the
  // network in Zoo::read()'s order. Throws Error{bad_value} when the fit diverges, Error{interrupted} on
  // SIGINT.
  FitResult fit(const uint8_t* image, int64_t image_id, int64_t view, std::span<float> params);

 private:
  const FitOptions& options_;
  const Field& field_;
  std::span<const float> inputs_;
  int64_t points_;
  Buffer<float> target_, weights_, gradient_, first_moment_, second_moment_, scratch_;
};

// The start of a network, in Zoo::read()'s order: siren, all sine layers W ~ U(+-sqrt(6 / in) / omega), b = 0
// and the last layer U(+-1 / sqrt(in)); relu and tanh U(+-1 / sqrt(in)) everywhere. Numbers are drawn in
// order from Rng(seed, stream_id("fit.init", image_id, view)), or stream_id("fit.init.shared", view).
void initial_params(const FitOptions& options, const Field& field, int64_t image_id, int64_t view,
                    std::span<float> params);

}  // namespace dws
