#include "weights/noise.h"

#include <cmath>

namespace dws::weights {

namespace {

// Standard normals of about 24 bits by the ziggurat (Marsaglia & Tsang, "The ziggurat method for generating
// random variables", 2000; 256 layers), layer and place from bits of their own as Doornik 2005 asks for. Noise
// is half of the time that augmentation takes, and takes half as long as by Box-Muller in float.
class Ziggurat {
 public:
  Ziggurat() {
    double x = kTail;
    x_[0] = static_cast<float>(kArea / density(x));
    x_[1] = static_cast<float>(x);
    for (int i = 2; i < kLayers; ++i) {
      x = std::sqrt(-2 * std::log(kArea / x + density(x)));
      x_[i] = static_cast<float>(x);
    }
    x_[kLayers] = 0;
    for (int i = 0; i <= kLayers; ++i) y_[i] = static_cast<float>(density(static_cast<double>(x_[i])));
  }

  float operator()(Rng& rng) const {
    for (;;) {
      const uint32_t word = rng.next_u32(), layer = word & (kLayers - 1);
      // Uniform in (-1, 1), symmetric.
      const float u = static_cast<float>(static_cast<int32_t>(word >> 8) * 2 - 0xFFFFFF) * 0x1p-24f;
      const float x = u * x_[layer];
      if (std::abs(x) < x_[layer + 1]) return x;
      if (layer == 0) return std::copysign(tail(rng), u);
      const float y = y_[layer] + rng.uniform_float() * (y_[layer + 1] - y_[layer]);
      if (static_cast<double>(y) < density(static_cast<double>(x))) return x;
    }
  }

 private:
  static constexpr int kLayers = 256;
  static constexpr double kTail = 3.6541528853610088, kArea = 0.00492867323399;
  static double density(double x) { return std::exp(-x * x / 2); }
  // Beyond kTail (Marsaglia 1964).
  static float tail(Rng& rng) {
    for (;;) {
      const double x = -std::log(1 - rng.uniform()) / kTail, y = -std::log(1 - rng.uniform());
      if (2 * y > x * x) return static_cast<float>(kTail + x);
    }
  }
  float x_[kLayers + 1], y_[kLayers + 1];
};

double deviation(int64_t count, const float* x) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]);
  const double mean = sum / static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) {
    const double d = static_cast<double>(x[i]) - mean;
    squares += d * d;
  }
  return std::sqrt(squares / static_cast<double>(count));
}

}  // namespace

void add_noise(const symmetry::Layout& layout, double amount, Rng& rng, float* x) {
  static const Ziggurat normal;
  for (const symmetry::TensorAxes& tensor : layout.tensors) {
    const int64_t size = tensor.size();
    if (size > 1) {
      const auto scale = static_cast<float>(amount * deviation(size, x));
      for (int64_t i = 0; i < size; ++i) x[i] += scale * normal(rng);
    }
    x += size;
  }
}

void drop_weights(int64_t count, double p, Rng& rng, float* x) {
  if (!(p > 0)) return;
  const auto keep = static_cast<float>(1 / (1 - p));
  for (int64_t i = 0; i < count; ++i) x[i] *= keep;
  // The gaps between dropped numbers are geometric: a draw for each dropped one instead of one for each.
  const double rate = 1 / std::log1p(-p);
  for (int64_t i = -1;;) {
    const double gap = std::floor(std::log(1.0 - rng.uniform()) * rate);
    if (gap >= static_cast<double>(count - i - 1)) return;
    i += 1 + static_cast<int64_t>(gap);
    x[i] = 0;
  }
}

}  // namespace dws::weights
