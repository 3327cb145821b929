#include "weights/normalise.h"

#include <cmath>
#include <cstddef>
#include <limits>

#include "core/error.h"
#include "core/text.h"

namespace dws::weights {

void Normaliser::apply(std::span<const float> x, std::span<float> y) const noexcept {
  for (size_t i = 0; i < x.size(); ++i) y[i] = (x[i] - mean[i]) * scale[i];
}

Normaliser Normaliser::identity(int64_t params) {
  const size_t count = static_cast<size_t>(params);
  return {std::vector<float>(count, 0.0f), std::vector<float>(count, 1.0f)};
}

namespace {

// orbit[i]: numbers of one tensor with the same free indices may be exchanged and share their statistics.
std::vector<size_t> orbits(const symmetry::Layout& layout, size_t& count) {
  std::vector<size_t> orbit;
  orbit.reserve(static_cast<size_t>(layout.param_count()));
  count = 0;
  for (const symmetry::TensorAxes& tensor : layout.tensors) {
    size_t free_count = 1;
    for (size_t a = 0; a < tensor.dims.size(); ++a)
      if (tensor.axis_group[a] == symmetry::kFree) free_count *= static_cast<size_t>(tensor.dims[a]);
    for (int64_t e = 0; e < tensor.size(); ++e) {
      size_t free = 0;
      int64_t inner = tensor.size(), rest = e;
      for (size_t a = 0; a < tensor.dims.size(); ++a) {
        inner /= tensor.dims[a];
        const int64_t index = rest / inner;
        rest %= inner;
        if (tensor.axis_group[a] == symmetry::kFree)
          free = free * static_cast<size_t>(tensor.dims[a]) + static_cast<size_t>(index);
      }
      orbit.push_back(count + free);
    }
    count += free_count;
  }
  return orbit;
}

}  // namespace

Normaliser fit_normaliser(const symmetry::Layout& layout, int64_t count,
                          const std::function<void(int64_t, std::span<float>)>& read) {
  if (count < 1) throw Error(ErrorKind::empty, "no networks to take means and deviations from");
  size_t orbit_count = 0;
  const std::vector<size_t> orbit = orbits(layout, orbit_count);
  std::vector<float> x(orbit.size());
  std::vector<double> size(orbit_count, 0.0), sum(orbit_count, 0.0), square(orbit_count, 0.0);
  for (size_t o : orbit) size[o] += static_cast<double>(count);
  for (int64_t n = 0; n < count; ++n) {
    read(n, x);
    for (size_t i = 0; i < x.size(); ++i) sum[orbit[i]] += static_cast<double>(x[i]);
  }
  std::vector<double> mean(orbit_count);
  for (size_t o = 0; o < orbit_count; ++o) mean[o] = sum[o] / size[o];
  // A second pass: differences from the mean lose no digits when the mean is large.
  for (int64_t n = 0; n < count; ++n) {
    read(n, x);
    for (size_t i = 0; i < x.size(); ++i) {
      const double difference = static_cast<double>(x[i]) - mean[orbit[i]];
      square[orbit[i]] += difference * difference;
    }
  }
  Normaliser result;
  for (size_t o : orbit) {
    const double deviation = std::sqrt(square[o] / size[o]);
    if (!std::isfinite(mean[o]) || !std::isfinite(deviation))
      throw Error(ErrorKind::bad_value, "the networks hold numbers that are not finite");
    result.mean.push_back(static_cast<float>(mean[o]));
    // Below the first the deviation of equal numbers is rounding of their mean; below the second its inverse
    // is no float.
    const bool varies = deviation > 1e-9 * std::abs(mean[o]) &&
                        deviation >= static_cast<double>(std::numeric_limits<float>::min());
    result.scale.push_back(varies ? static_cast<float>(1.0 / deviation) : 1.0f);
  }
  return result;
}

}  // namespace dws::weights
