// Elementwise kernels, forward and backward side by side. n elements; in and out may be the same array unless
// said. `accumulate`: add to the output instead of overwriting it. T is float or double.
#pragma once

#include <cstdint>

namespace dws::kernels {

template <class T>
void add(int64_t n, const T* a, const T* b, T* y) noexcept;
// y = factor * a, or y += factor * a.
template <class T>
void scale(int64_t n, T factor, const T* a, T* y, bool accumulate) noexcept;
// NaN stays NaN, so that a run that has diverged is seen.
template <class T>
void relu(int64_t n, const T* a, T* y) noexcept;
// dx = dy where y > 0, else 0; y is the output of relu.
template <class T>
void relu_backward(int64_t n, const T* y, const T* dy, T* dx, bool accumulate) noexcept;
// y[i] = keep(i) ? a[i] / (1 - p) : 0, keep(i) from Philox word i of (seed, stream). Also its own backward.
template <class T>
void dropout(int64_t n, double p, uint64_t seed, uint64_t stream, const T* a, T* y, bool accumulate) noexcept;
// y (rows, C) = x + v (C) on every row.
template <class T>
void add_row_vector(int64_t rows, int64_t C, const T* x, const T* v, T* y) noexcept;
// v (C) = column sums of x (rows, C).
template <class T>
void column_sums(int64_t rows, int64_t C, const T* x, T* v, bool accumulate) noexcept;
// Softmax of each row of (rows, C); backward from the output y.
template <class T>
void softmax(int64_t rows, int64_t C, const T* x, T* y) noexcept;
template <class T>
void softmax_backward(int64_t rows, int64_t C, const T* y, const T* dy, T* dx, bool accumulate) noexcept;

}  // namespace dws::kernels
