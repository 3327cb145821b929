#include "align/initial_duals.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "kernels/assignment.h"

namespace dws::align {
namespace {

// Temperatures fall from the gains' scale to a fiftieth of it, in equal ratios.
constexpr int kSweeps = 8;
constexpr double kFirst = 1, kLast = 0.02;
constexpr int64_t kRows = 128;  // a block of rows adds up its own mass

// Root mean square of what the gains of a row differ from its mean, over some rows.
double scale_of(int64_t n, const float* gain) {
  const int64_t step = std::max<int64_t>(1, n / 64);
  double total = 0;
  int64_t rows = 0;
  for (int64_t i = 0; i < n; i += step, ++rows) {
    double sum = 0, squares = 0;
    for (int64_t j = 0; j < n; ++j) {
      const double g = gain[i * n + j];
      sum += g;
      squares += g * g;
    }
    total += std::max(0.0, squares - sum * sum / static_cast<double>(n));
  }
  return std::sqrt(total / static_cast<double>(rows * n));
}

}  // namespace

void AnnealedDuals::find(int64_t n, const float* gain, float spread, std::span<double> dual) {
  const auto size = static_cast<size_t>(n);
  const int64_t blocks = (n + kRows - 1) / kRows;
  price_.assign(size, 0.f);
  mass_.resize(static_cast<size_t>(blocks) * size);
  scratch_.resize(static_cast<size_t>(threads()) * size);
  const double scale = scale_of(n, gain);
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    // Hardly less than float32 can tell apart.
    const double temperature =
        std::max(scale * kFirst * std::pow(kLast / kFirst, sweep / (kSweeps - 1.0)), spread * 1e-6);
    const auto sharpness = static_cast<float>(1 / temperature);
    parallel_blocks(n, kRows, [&](int64_t begin, int64_t end) {
      float* mass = mass_.data() + static_cast<size_t>(begin / kRows) * size;
      float* e = scratch_.data() + static_cast<size_t>(worker_index()) * size;
      std::fill_n(mass, size, 0.f);
      for (int64_t i = begin; i < end; ++i)
        kernels::soften_row(n, gain + i * n, price_.data(), sharpness, e, mass);
    });
    for (size_t j = 0; j < size; ++j) {
      double total = 0;
      for (int64_t b = 0; b < blocks; ++b) total += mass_[static_cast<size_t>(b) * size + j];
      price_[j] += static_cast<float>(temperature * std::log(std::max(total, 1e-6)));
    }
  }
  std::copy(price_.begin(), price_.end(), dual.begin());
}

}  // namespace dws::align
