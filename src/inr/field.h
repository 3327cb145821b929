// What all networks of a zoo share when they are read as functions of position: the kernels' shape, the
// Fourier features in front, and the points of a pixel grid.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/buffer.h"
#include "format/zoo.h"
#include "kernels/siren.h"

namespace dws {

class Field {
 public:
  // Throws Error{mismatch} when architecture, Fourier features and channels do not fit together,
  // Error{bad_schema} for Fourier features beyond ZooInfo::kMaxFourierFeatures, without a scale or with a
  // wrong matrix.
  explicit Field(const ZooInfo& info);

  const kernels::InrShape& shape() const noexcept { return shape_; }
  int64_t channels() const noexcept { return shape_.dims[shape_.layers]; }
  int64_t param_count() const noexcept { return param_count_; }
  float offset() const noexcept { return offset_; }

  // Inputs of the first layer at the pixel centres of a height x width image, row-major: (points padded to
  // kernels::kInrPad, d_0). An axis of n pixels runs over the zoo's range, both ends included; one pixel sits
  // in the middle. A point is (x = column, y = row), or with Fourier features [sin(2 pi B x), cos(2 pi B x)].
  Buffer<float> grid(int64_t height, int64_t width) const;

  // `image` (points, channels) = the network at the first `points` points of `inputs` (a grid()); `params` in
  // Zoo::read()'s order. Not clipped. Any number of threads may call it at once.
  void evaluate(std::span<const float> params, std::span<const float> inputs, int64_t points,
                std::span<float> image) const;

 private:
  kernels::InrShape shape_;
  int64_t param_count_ = 0;
  float offset_ = 0;
  double low_ = -1, high_ = 1;
  std::vector<double> fourier_;  // B (features, 2) row-major: the zoo's own, or fourier_matrix()
};

// B (features, 2) row-major: entry k is scale times the k-th normal of Rng(seed, stream_id("inr.fourier"))
// (Tancik et al., "Fourier features let networks learn high frequency functions in low dimensional domains",
// NeurIPS 2020).
std::vector<double> fourier_matrix(int features, double scale, uint64_t seed);

// -10 log10(mse), in dB for the value range 1; at most 150, so that a perfect fit stays a number.
double psnr_of(double mse) noexcept;

}  // namespace dws
