// The arithmetic of batch normalisation between the passes over the data: from sums of columns to the affine
// map of the forward (Ioffe & Szegedy 2015) and to the three coefficients of its backward. Shared by
// ops_norm.cc and the fused networks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace dws {

// Columns c of C belong to parameter set k = set[c] of P, or to none (-1): those come out as zero.
struct Channels {
  int64_t rows = 0, C = 0, P = 0;
  const int* set = nullptr;      // (C)
  double* mean = nullptr;        // (P)
  double* rstd = nullptr;        // (P)
  double* count = nullptr;       // (P) numbers behind each mean: rows times columns
  bool batch_statistics = true;  // mean and rstd depend on the data
};

inline void fill_counts(const Channels& ch) noexcept {
  std::fill_n(ch.count, ch.P, 0.0);
  for (int64_t c = 0; c < ch.C; ++c)
    if (ch.set[c] >= 0) ch.count[ch.set[c]] += static_cast<double>(ch.rows);
}

// ch.mean and ch.rstd from each column's sums of x - origin[set] and of its square. batch_mean, batch_var (P)
// receive the statistics for the running averages, with the unbiased variance; they may be null.
template <class T>
void finish_statistics(const Channels& ch, const double* origin, const double* sum, const double* sum_sq,
                       double eps, T* batch_mean, T* batch_var) noexcept {
  double *mean = ch.mean, *var = ch.rstd;
  std::fill_n(mean, ch.P, 0.0);
  std::fill_n(var, ch.P, 0.0);
  for (int64_t c = 0; c < ch.C; ++c) {
    if (ch.set[c] < 0) continue;
    mean[ch.set[c]] += sum[c];
    var[ch.set[c]] += sum_sq[c];
  }
  for (int64_t k = 0; k < ch.P; ++k) {
    const double n = std::max(ch.count[k], 1.0), offset = mean[k] / n;
    const double squares = var[k] - n * offset * offset;
    // A NaN must stay one; max(squares, 0) would hide it.
    const double variance = squares < 0 ? 0 : squares / n;
    mean[k] = ch.count[k] > 0 ? origin[k] + offset : 0;
    if (batch_mean) batch_mean[k] = static_cast<T>(mean[k]);
    if (batch_var) batch_var[k] = static_cast<T>(n > 1 ? variance * n / (n - 1) : variance);
    ch.rstd[k] = 1 / std::sqrt(variance + eps);
  }
}

// The same from running statistics.
template <class T>
void use_statistics(const Channels& ch, const T* mean, const T* var, double eps) noexcept {
  for (int64_t k = 0; k < ch.P; ++k) {
    ch.mean[k] = static_cast<double>(mean[k]);
    ch.rstd[k] = 1 / std::sqrt(static_cast<double>(var[k]) + eps);
  }
}

// scale, shift (C): gamma (x - mean) rstd + beta = scale x + shift.
template <class T>
void fold_norm(const Channels& ch, const T* gamma, const T* beta, T* scale, T* shift) noexcept {
  for (int64_t c = 0; c < ch.C; ++c) {
    const int k = ch.set[c];
    scale[c] = k < 0 ? T(0) : static_cast<T>(static_cast<double>(gamma[k]) * ch.rstd[k]);
    shift[c] =
        k < 0 ? T(0)
              : static_cast<T>(static_cast<double>(beta[k]) - ch.mean[k] * static_cast<double>(scale[c]));
  }
}

// With g the cotangent behind the affine map, xhat = (x - mean) rstd and means over a channel's count:
// dx = gamma rstd (g - mean(g) - xhat mean(g xhat)) = p g + q x + r, the two means only where statistics are
// the batch's own. g, gx (P): sums of g and of g (x - mean) over a channel. p, q, r (C).
template <class T>
void norm_backward(const Channels& ch, const T* gamma, const double* g, const double* gx, T* p, T* q,
                   T* r) noexcept {
  for (int64_t c = 0; c < ch.C; ++c) {
    const int k = ch.set[c];
    if (k < 0) {
      p[c] = q[c] = r[c] = T(0);
      continue;
    }
    const double slope = static_cast<double>(gamma[k]) * ch.rstd[k];
    const double share = ch.batch_statistics ? slope / ch.count[k] : 0;
    const double curve = -share * gx[k] * ch.rstd[k] * ch.rstd[k];
    p[c] = static_cast<T>(slope);
    q[c] = static_cast<T>(curve);
    r[c] = static_cast<T>(-share * g[k] - curve * ch.mean[k]);
  }
}

}  // namespace dws
