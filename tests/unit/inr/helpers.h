// Small images and quick settings for the tests of this room.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/rng.h"
#include "format/images.h"
#include "inr/fit_zoo.h"
#include "testing.h"

namespace dws::testing {

// `count` images of smooth blobs, all different.
inline Images blob_images(int64_t count, int64_t height, int64_t width, int64_t channels = 1) {
  Images images{count, height, width, channels, {}};
  for (int64_t i = 0; i < count; ++i)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        for (int64_t c = 0; c < channels; ++c) {
          const double wave =
              std::sin(0.4 * static_cast<double>(x + i)) * std::cos(0.3 * static_cast<double>(y + 2 * c));
          images.pixels.push_back(static_cast<uint8_t>(std::lround(127.5 + 100 * wave)));
        }
  return images;
}

inline FitOptions quick_options() {
  FitOptions options;
  options.arch.dims = {2, 8, 8, 1};
  options.steps = 60;
  return options;
}

inline std::vector<float> network(const Zoo& zoo, int64_t i) {
  std::vector<float> params(static_cast<size_t>(zoo.info().arch.param_count()));
  zoo.read(i, params);
  return params;
}

// PSNR in dB of a picture (height, width, channels) against image i.
inline double psnr_against(const std::vector<float>& picture, const Images& images, int64_t i) {
  double squares = 0;
  for (size_t k = 0; k < picture.size(); ++k) {
    const double e = picture[k] - images.image(i)[k] / 255.0;
    squares += e * e;
  }
  return -10 * std::log10(squares / static_cast<double>(picture.size()));
}

}  // namespace dws::testing
