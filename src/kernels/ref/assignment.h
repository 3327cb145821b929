// Scalar twins of assignment.h.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/assignment.h"

namespace dws::kernels::ref {

inline double net_gains(int64_t n, const float* gain, const double* price, double* net,
                        double* group) noexcept {
  double best = -std::numeric_limits<double>::infinity();
  bool finite = true;
  for (int64_t g = 0; group && g < kNetGroups; ++g) group[g] = best;
  for (int64_t j = 0; j < n; ++j) {
    net[j] = gain[j] - price[j];
    finite = finite && std::isfinite(net[j]);
    best = std::fmax(best, net[j]);
    if (group) group[j % kNetGroups] = std::fmax(group[j % kNetGroups], net[j]);
  }
  return finite ? best : std::numeric_limits<double>::quiet_NaN();
}

inline int64_t relax_row(int64_t n, const float* gain, const double* price, double base, int32_t row,
                         const int32_t* owner, double* distance, int32_t* from) noexcept {
  int64_t best = 0;
  for (int64_t j = 0; j < n; ++j) {
    const double d = base + price[j] - gain[j];
    if (d < distance[j]) {
      distance[j] = d;
      from[j] = row;
    }
    if (distance[j] < distance[best] ||
        (distance[j] == distance[best] && owner[j] < 0 && owner[best] >= 0))
      best = j;
  }
  return best;
}

template <class T>
void soften_row(int64_t n, const T* gain, const T* price, T sharpness, T* e, T* mass) noexcept {
  T most = -std::numeric_limits<T>::infinity(), sum = 0;
  for (int64_t j = 0; j < n; ++j) {
    e[j] = (gain[j] - price[j]) * sharpness;
    most = std::fmax(most, e[j]);
  }
  for (int64_t j = 0; j < n; ++j) {
    e[j] = std::exp(e[j] - most);
    sum += e[j];
  }
  for (int64_t j = 0; j < n; ++j) mass[j] += e[j] / sum;
}

inline void extremes(int64_t n, const float* x, float* low, float* high) noexcept {
  bool finite = true;
  *low = *high = x[0];
  for (int64_t i = 0; i < n; ++i) {
    finite = finite && std::isfinite(x[i]);
    *low = std::fmin(*low, x[i]);
    *high = std::fmax(*high, x[i]);
  }
  if (!finite) *low = *high = std::numeric_limits<float>::quiet_NaN();
}

}  // namespace dws::kernels::ref
