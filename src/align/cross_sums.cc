#include "align/cross_sums.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "kernels/matmul.h"

namespace dws::align {
namespace {

constexpr int64_t kRows = 1'024;  // of which products are summed in float32
constexpr int64_t kTile = 64;     // items of A at a time
constexpr double kDead = 1e-12;   // a variance below this share of the mean square is rounding

}  // namespace

// Columns by blocks; the rows of each in order.
void CrossSums::take(Side& side, int64_t rows, float* x) const {
  if (side.origin.empty()) {
    side.origin.assign(static_cast<size_t>(items_), 0.f);
    side.sum.assign(static_cast<size_t>(items_), 0.);
    side.squares.assign(static_cast<size_t>(items_), 0.);
    parallel_blocks(items_, kTile, [&](int64_t begin, int64_t end) {
      std::vector<double> sums(static_cast<size_t>(end - begin));
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t i = begin; i < end; ++i)
          sums[static_cast<size_t>(i - begin)] += double{x[r * items_ + i]};
      for (int64_t i = begin; i < end; ++i)
        side.origin[static_cast<size_t>(i)] =
            static_cast<float>(sums[static_cast<size_t>(i - begin)] / static_cast<double>(rows));
    });
  }
  parallel_blocks(items_, kTile, [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = begin; i < end; ++i) {
        float& v = x[r * items_ + i];
        v -= side.origin[static_cast<size_t>(i)];
        side.sum[static_cast<size_t>(i)] += double{v};
        side.squares[static_cast<size_t>(i)] += double{v} * v;
      }
  });
}

void CrossSums::add(int64_t rows, float* a, float* b) {
  if (rows == 0) return;
  if (cross_.empty()) cross_.assign(static_cast<size_t>(items_ * items_), 0.);
  take(a_, rows, a);
  take(b_, rows, b);
  parallel_blocks(items_, kTile, [&](int64_t begin, int64_t end) {
    std::vector<float> tile(static_cast<size_t>((end - begin) * items_));
    for (int64_t r = 0; r < rows; r += kRows) {
      const int64_t here = std::min(kRows, rows - r);
      kernels::matmul<float>(end - begin, items_, here, a + r * items_ + begin, 1, items_, b + r * items_,
                             items_, tile.data(), items_, false);
      double* to = cross_.data() + begin * items_;
      for (size_t k = 0; k < tile.size(); ++k) to[k] += double{tile[k]};
    }
  });
  rows_ += rows;
}

bool CrossSums::finite() const noexcept {
  const auto all = [](const std::vector<double>& x) {
    return std::ranges::all_of(x, [](double v) { return std::isfinite(v); });
  };
  return all(a_.squares) && all(b_.squares) && all(cross_);
}
double CrossSums::mean(const Side& s, int64_t item) const noexcept {
  const auto i = static_cast<size_t>(item);
  return rows_ > 0 ? double{s.origin[i]} + s.sum[i] / static_cast<double>(rows_) : 0;
}
double CrossSums::variance(const Side& s, int64_t item) const noexcept {
  if (rows_ == 0) return 0;
  const auto i = static_cast<size_t>(item);
  const auto n = static_cast<double>(rows_);
  const double above = s.sum[i] / n, square = s.squares[i] / n, v = square - above * above;
  const double size = square + double{s.origin[i]} * s.origin[i];
  return v > kDead * size ? v : 0;
}
double CrossSums::covariance(int64_t i, int64_t j) const noexcept {
  const auto n = static_cast<double>(rows_);
  return cross_[static_cast<size_t>(i * items_ + j)] / n -
         a_.sum[static_cast<size_t>(i)] / n * (b_.sum[static_cast<size_t>(j)] / n);
}

void CrossSums::correlations(std::vector<float>& out) const {
  out.assign(static_cast<size_t>(items_ * items_), 0.f);
  if (rows_ == 0) return;
  std::vector<double> scale_b(static_cast<size_t>(items_));
  const auto inverse = [](double variance) { return variance > 0 ? 1 / std::sqrt(variance) : 0; };
  for (int64_t j = 0; j < items_; ++j) scale_b[static_cast<size_t>(j)] = inverse(variance_b(j));
  parallel_for(items_, [&](int64_t i) {
    const double scale_a = inverse(variance_a(i));
    for (int64_t j = 0; j < items_; ++j)
      out[static_cast<size_t>(i * items_ + j)] = static_cast<float>(
          std::clamp(covariance(i, j) * scale_a * scale_b[static_cast<size_t>(j)], -1., 1.));
  });
}

void CrossSums::products(std::vector<float>& out) const {
  out.assign(static_cast<size_t>(items_ * items_), 0.f);
  if (rows_ == 0) return;
  parallel_for(items_, [&](int64_t i) {
    for (int64_t j = 0; j < items_; ++j)
      out[static_cast<size_t>(i * items_ + j)] = static_cast<float>(covariance(i, j) + mean_a(i) * mean_b(j));
  });
}

}  // namespace dws::align
