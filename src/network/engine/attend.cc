#include "network/engine/attend.h"

#include <algorithm>

#include "kernels/elementwise.h"
#include "kernels/matmul.h"
#include "kernels/sincos.h"

namespace dws::network::engine {
namespace {

constexpr float kHidden = -std::numeric_limits<float>::infinity();
constexpr int64_t kOne = 1;

// Queries whose scores stay in the second-level cache.
int64_t block_of(const AttentionSizes& a) noexcept {
  return std::min(a.S, std::clamp<int64_t>((int64_t{1} << 16) / std::max(a.T, kOne), 24, 128));
}

// Adds what lies on a row of `n` scores; false: nothing of it is seen.
bool masked(const Sight& sight, int64_t h, int64_t s, int64_t n, float* row) {
  for (const ScoreMask& m : sight.masks) {
    const float* add = m.at + h * m.head + s * m.query;
    if (m.truth)
      for (int64_t t = 0; t < n; ++t) row[t] += add[t * m.key] != 0 ? 0.0f : m.refused;
    else
      for (int64_t t = 0; t < n; ++t) row[t] += add[t * m.key];
  }
  for (int64_t t = std::max<int64_t>(sight.listed, 0); t < n; ++t) row[t] += sight.unlisted;
  const int64_t seen = std::clamp<int64_t>(std::min(sight.there, sight.last + s + 1), 0, n);
  std::fill(row + seen, row + n, kHidden);
  return std::any_of(row, row + seen, [](float score) { return score != kHidden; });
}

}  // namespace

int64_t attend_scratch(const AttentionSizes& a) noexcept {
  return a.T * (2 * a.d + block_of(a));
}

void attend(const AttentionSizes& a, const Rows<float>& q, const Rows<float>& k, const Rows<float>& v,
            const Sight& sight, const Rows<float>& y, float* products, float* weights, float* scratch) {
  float *turned = scratch, *together = turned + a.d * a.T, *scores = together + a.d * a.T;
  const bool whole = products || weights;
  const int64_t block = block_of(a), shared = a.H / a.KV;
  std::vector<char> seen(static_cast<size_t>(block));
  for (int64_t h = 0; h < a.H; ++h) {
    const int64_t own = h / shared;
    if (h % shared == 0) {
      const float* keys = k.of(own, 0);
      if (k.row != a.d) {
        copy_rows(1, a.T, a.d, {k.of(own, 0), 0, k.row}, nullptr, {together, 0, a.d});
        keys = together;
      }
      kernels::transpose(a.T, a.d, keys, turned);
      kernels::scale(a.T * a.d, a.scale, turned, turned, false);
    }
    for (int64_t s = 0; s < a.S; s += block) {
      const int64_t rows = std::min(block, a.S - s);
      // Keys that no query of the block sees are left out.
      const int64_t n =
          whole ? a.T : std::clamp<int64_t>(std::min(sight.there, sight.last + s + rows), 0, a.T);
      if (n > 0) {
        kernels::matmul(rows, n, a.d, q.of(h, s), q.row, kOne, turned, a.T, scores, n, false);
        if (products) std::copy_n(scores, rows * n, products + (h * a.S + s) * a.T);
        if (a.softcap != 0) {
          kernels::scale(rows * n, 1 / a.softcap, scores, scores, false);
          kernels::tanh(rows * n, scores, scores);
          kernels::scale(rows * n, a.softcap, scores, scores, false);
        }
        for (int64_t r = 0; r < rows; ++r)
          seen[static_cast<size_t>(r)] = masked(sight, h, s + r, n, scores + r * n);
        kernels::softmax(rows, n, scores, scores);
        for (int64_t r = 0; r < rows; ++r)
          if (!seen[static_cast<size_t>(r)]) std::fill_n(scores + r * n, n, 0.0f);
        if (weights) std::copy_n(scores, rows * n, weights + (h * a.S + s) * a.T);
      }
      kernels::matmul(rows, a.dv, n, scores, n, kOne, v.of(own, 0), v.row, y.of(h, s), y.row, false);
    }
  }
}

void copy_rows(int64_t heads, int64_t length, int64_t size, const Rows<float>& from, const float* bias,
               const Rows<float>& to) {
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t l = 0; l < length; ++l) {
      if (bias)
        kernels::add(size, from.of(h, l), bias + h * size, to.of(h, l));
      else
        std::copy_n(from.of(h, l), size, to.of(h, l));
    }
}

}  // namespace dws::network::engine
