#include "inr/field.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/rng.h"
#include "core/text.h"

namespace dws {
namespace {

kernels::InrActivation activation_of(const std::string& name) {
  if (name == "siren") return kernels::InrActivation::sine;
  if (name == "relu") return kernels::InrActivation::relu;
  if (name == "tanh") return kernels::InrActivation::tanh;
  throw Error(ErrorKind::usage, text("activation '{}': expected siren, relu or tanh", escaped(name)));
}

// Before anything is made whose size comes from a file. The same object, so that it can be used first.
const ZooInfo& checked(const ZooInfo& info) {
  const MlpArch& arch = info.arch;
  if (arch.layers() < 2) {
    throw Error(ErrorKind::mismatch,
                text("architecture {}: an implicit network needs a hidden layer", arch.str()),
                "for example 2-32-32-1");
  }
  if (arch.layers() > kernels::InrShape::kMaxLayers) {
    throw Error(ErrorKind::resource_limit,
                text("architecture {}: more than {} layers", arch.str(), kernels::InrShape::kMaxLayers));
  }
  if (info.activation == "siren" && info.fourier_features > 0)
    throw Error(ErrorKind::mismatch,
                "Fourier features stand before relu and tanh networks only, not before siren");
  if (info.fourier_features < 0 || info.fourier_features > ZooInfo::kMaxFourierFeatures)
    throw Error(ErrorKind::bad_schema, text("{} Fourier features: expected 0 to {}", info.fourier_features,
                                            ZooInfo::kMaxFourierFeatures));
  const int64_t inputs = info.fourier_features > 0 ? 2 * int64_t{info.fourier_features} : 2;
  if (arch.dims.front() != inputs) {
    throw Error(ErrorKind::mismatch,
                text("architecture {}: expected {} inputs ({}), got {}", arch.str(), inputs,
                     info.fourier_features > 0 ? "sine and cosine of every Fourier feature"
                                               : "column and row of an image",
                     arch.dims.front()));
  }
  if (arch.dims.back() != info.channels) {
    throw Error(ErrorKind::mismatch, text("architecture {}: {} outputs for an image of {} channel(s)",
                                          arch.str(), arch.dims.back(), info.channels));
  }
  if (info.fourier_features == 0) return info;
  const std::vector<double>& matrix = info.fourier_matrix;
  if (!std::isfinite(info.fourier_scale) || !(info.fourier_scale > 0))
    throw Error(ErrorKind::bad_schema, text("Fourier scale: {} is not above 0", info.fourier_scale));
  if (!matrix.empty() && matrix.size() != 2 * static_cast<size_t>(info.fourier_features))
    throw Error(ErrorKind::bad_schema, text("Fourier matrix: expected {} numbers, got {}",
                                            2 * info.fourier_features, matrix.size()));
  if (!std::all_of(matrix.begin(), matrix.end(), [](double entry) { return std::isfinite(entry); }))
    throw Error(ErrorKind::bad_schema, "Fourier matrix: not finite");
  return info;
}

double pixel_centre(int64_t i, int64_t n, double low, double high) {
  if (n == 1) return (low + high) / 2;
  return low + (high - low) * static_cast<double>(i) / static_cast<double>(n - 1);
}

}  // namespace

std::vector<double> fourier_matrix(int features, double scale, uint64_t seed) {
  Rng rng(seed, stream_id("inr.fourier"));
  std::vector<double> matrix(static_cast<size_t>(features) * 2);
  for (double& entry : matrix) entry = scale * rng.normal();
  return matrix;
}

double psnr_of(double mse) noexcept {
  return std::isfinite(mse) ? -10 * std::log10(std::max(mse, 1e-15)) : mse;
}

Field::Field(const ZooInfo& info)
    : param_count_(checked(info).arch.param_count()),
      offset_(static_cast<float>(info.output_offset)),
      low_(info.range[0]),
      high_(info.range[1]),
      fourier_(info.fourier_matrix.empty()
                   ? fourier_matrix(info.fourier_features, info.fourier_scale, info.fourier_seed)
                   : info.fourier_matrix) {
  if (info.fourier_features == 0) fourier_.clear();
  shape_.activation = activation_of(info.activation);
  shape_.layers = info.arch.layers();
  std::copy(info.arch.dims.begin(), info.arch.dims.end(), shape_.dims);
  shape_.omega = static_cast<float>(info.omega);
}

Buffer<float> Field::grid(int64_t height, int64_t width) const {
  const int64_t points = height * width, inputs = shape_.dims[0];
  Buffer<float> grid(static_cast<size_t>(kernels::inr_padded(points) * inputs));
  const size_t features = fourier_.size() / 2;
  for (int64_t p = 0; p < points; ++p) {
    const double x = pixel_centre(p % width, width, low_, high_);
    const double y = pixel_centre(p / width, height, low_, high_);
    float* row = grid.data() + p * inputs;
    if (features == 0) {
      row[0] = static_cast<float>(x);
      row[1] = static_cast<float>(y);
    }
    for (size_t f = 0; f < features; ++f) {
      const double angle = 2 * std::numbers::pi * (fourier_[2 * f] * x + fourier_[2 * f + 1] * y);
      row[f] = static_cast<float>(std::sin(angle));
      row[features + f] = static_cast<float>(std::cos(angle));
    }
  }
  return grid;
}

void Field::evaluate(std::span<const float> params, std::span<const float> inputs, int64_t points,
                     std::span<float> image) const {
  const int64_t stride = kernels::inr_padded(points), colours = channels();
  if (static_cast<int64_t>(params.size()) != param_count_ ||
      static_cast<int64_t>(inputs.size()) < stride * shape_.dims[0] ||
      static_cast<int64_t>(image.size()) != points * colours)
    throw Error(ErrorKind::internal, "Field::evaluate: sizes do not fit");
  Buffer<float> packed(static_cast<size_t>(kernels::inr_packed_size(shape_)));
  Buffer<float> scratch(static_cast<size_t>(kernels::inr_scratch_size(shape_)));
  Buffer<float> planes(static_cast<size_t>(stride * colours));
  kernels::inr_pack(shape_, params.data(), packed.data());
  kernels::inr_forward(shape_, points, inputs.data(), offset_, packed.data(), planes.data(), scratch.data());
  for (int64_t c = 0; c < colours; ++c)
    for (int64_t p = 0; p < points; ++p)
      image[static_cast<size_t>(p * colours + c)] = planes[static_cast<size_t>(c * stride + p)];
}

}  // namespace dws
