// Scalar twin of siren.h: any number of points, natural parameter order, no padding. T is float, double or
// std::complex<double> (complex step).
#pragma once

#include <cmath>
#include <vector>

#include "kernels/ref/scalar.h"
#include "kernels/siren.h"

namespace dws::kernels::ref {

template <class T>
T inr_activation(InrActivation kind, double omega, T z) {
  using std::sin, std::tanh;
  if (kind == InrActivation::sine) return sin(T(omega) * z);
  if (kind == InrActivation::tanh) return tanh(z);
  return real_part(z) < 0 ? T(0) : z;  // NaN stays NaN
}

template <class T>
T inr_slope(InrActivation kind, double omega, T z) {
  using std::cos, std::tanh;
  if (kind == InrActivation::sine) return T(omega) * cos(T(omega) * z);
  if (kind == InrActivation::tanh) return T(1) - tanh(z) * tanh(z);
  return real_part(z) > 0 ? T(1) : T(0);
}

// y (d_L) = f(x) at one point x (d_0). h[i] and z[i] (d_i), i in 1 .. L - 1, receive what the way back needs.
template <class T>
void inr_forward(const InrShape& shape, const T* x, T offset, const T* parameters, T* y,
                 std::vector<std::vector<T>>& h, std::vector<std::vector<T>>& z) {
  h.assign(static_cast<size_t>(shape.layers), {});
  z = h;
  h[0].assign(x, x + shape.dims[0]);
  for (int i = 0; i < shape.layers; ++i) {
    const int64_t in = shape.dims[i], out = shape.dims[i + 1];
    const bool last = i == shape.layers - 1;
    for (int64_t o = 0; o < out; ++o) {
      T sum = parameters[out * in + o];
      for (int64_t k = 0; k < in; ++k)
        sum += parameters[o * in + k] * h[static_cast<size_t>(i)][static_cast<size_t>(k)];
      if (last) {
        y[o] = sum + offset;
      } else {
        z[static_cast<size_t>(i) + 1].push_back(sum);
        h[static_cast<size_t>(i) + 1].push_back(inr_activation(shape.activation, shape.omega, sum));
      }
    }
    parameters += out * (in + 1);
  }
}

// Mean squared error and its gradient (natural order, overwritten; may be null). x (points, d_0), target
// (d_L, points; rows `stride` apart).
template <class T>
T inr_loss(const InrShape& shape, int64_t points, const T* x, const T* target, int64_t stride, T offset,
           const T* parameters, T* gradient) {
  const int64_t channels = shape.dims[shape.layers];
  const T count = T(static_cast<double>(points * channels));
  std::vector<int64_t> start(1, 0);
  for (int i = 0; i < shape.layers; ++i)
    start.push_back(start.back() + shape.dims[i + 1] * (shape.dims[i] + 1));
  for (int64_t i = 0; gradient && i < start.back(); ++i) gradient[i] = T(0);
  std::vector<std::vector<T>> h, z;
  std::vector<T> y(static_cast<size_t>(channels));
  T loss = T(0);
  for (int64_t p = 0; p < points; ++p) {
    inr_forward(shape, x + p * shape.dims[0], offset, parameters, y.data(), h, z);
    std::vector<T> dz;
    for (int64_t o = 0; o < channels; ++o) {
      const T e = y[static_cast<size_t>(o)] - target[o * stride + p];
      loss += e * e / count;
      dz.push_back(T(2) * e / count);
    }
    for (int i = shape.layers - 1; gradient && i >= 0; --i) {
      const size_t layer = static_cast<size_t>(i);
      const int64_t in = shape.dims[i], out = shape.dims[i + 1];
      const T* w = parameters + start[layer];
      T* dw = gradient + start[layer];
      std::vector<T> below(static_cast<size_t>(in), T(0));
      for (int64_t o = 0; o < out; ++o) {
        const T d = dz[static_cast<size_t>(o)];
        for (int64_t k = 0; k < in; ++k) {
          dw[o * in + k] += d * h[layer][static_cast<size_t>(k)];
          below[static_cast<size_t>(k)] += d * w[o * in + k];
        }
        dw[out * in + o] += d;
      }
      for (size_t k = 0; i > 0 && k < below.size(); ++k)
        below[k] *= inr_slope(shape.activation, shape.omega, z[layer][k]);
      dz = below;
    }
  }
  return loss;
}

template <class T>
void adam(int64_t n, const AdamStep& step, const T* g, T* w, T* m, T* v) {
  using std::sqrt;
  for (int64_t i = 0; i < n; ++i) {
    const T d = g[i] + T(step.weight_decay) * w[i];
    m[i] = T(step.beta1) * m[i] + (T(1) - T(step.beta1)) * d;
    v[i] = T(step.beta2) * v[i] + (T(1) - T(step.beta2)) * d * d;
    w[i] -= T(step.lr) / T(step.correction1) * m[i] / (sqrt(v[i] / T(step.correction2)) + T(step.eps));
  }
}

}  // namespace dws::kernels::ref
