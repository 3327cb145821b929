// Scalar twins of pool.h.
#pragma once

#include "kernels/pool.h"
#include "kernels/ref/scalar.h"

namespace dws::kernels::ref {

// visit(at) with ih W + iw of every element under the window of output (oh, ow), in order.
template <class Visit>
void each_under(const Pool2d& p, int64_t oh, int64_t ow, Visit visit) noexcept {
  for (int64_t i = 0; i < p.kernel_h; ++i)
    for (int64_t j = 0; j < p.kernel_w; ++j) {
      const int64_t ih = oh * p.stride_h - p.pad_top + i * p.dilation_h;
      const int64_t iw = ow * p.stride_w - p.pad_left + j * p.dilation_w;
      if (ih >= 0 && ih < p.height && iw >= 0 && iw < p.width) visit(ih * p.width + iw);
    }
}

// visit(x, y, oh, ow): offsets of the picture's first element of this channel and of the output.
template <class Visit>
void each_window(const Pool2d& p, int64_t outer, int64_t inner, Visit visit) noexcept {
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t oh = 0; oh < p.out_height(); ++oh)
      for (int64_t ow = 0; ow < p.out_width(); ++ow)
        for (int64_t i = 0; i < inner; ++i)
          visit(o * p.height * p.width * inner + i,
                ((o * p.out_height() + oh) * p.out_width() + ow) * inner + i, oh, ow);
}

template <class T>
void max_pool2d(const Pool2d& p, int64_t outer, int64_t inner, const T* x, T* y, int32_t* index) noexcept {
  each_window(p, outer, inner, [&](int64_t from, int64_t to, int64_t oh, int64_t ow) {
    int64_t best = -1;
    each_under(p, oh, ow, [&](int64_t at) {
      const double value = real_part(x[from + at * inner]);
      if (best < 0 || value > real_part(x[from + best * inner]) || value != value) best = at;
    });
    y[to] = x[from + best * inner];
    if (index) index[to] = static_cast<int32_t>(best);
  });
}

template <class T>
void max_pool2d_backward(const Pool2d& p, int64_t outer, int64_t inner, const T* dy, const int32_t* index,
                         T* dx, bool accumulate) noexcept {
  for (int64_t i = 0; !accumulate && i < outer * p.height * p.width * inner; ++i) dx[i] = T(0);
  each_window(p, outer, inner,
              [&](int64_t from, int64_t to, int64_t, int64_t) { dx[from + index[to] * inner] += dy[to]; });
}

// One divided by the number of elements that a mean is taken over.
inline double share_of(const Pool2d& p, int64_t oh, int64_t ow) noexcept {
  int64_t count = p.kernel_h * p.kernel_w;
  if (!p.count_pads) {
    count = 0;
    each_under(p, oh, ow, [&](int64_t) { ++count; });
  }
  return 1.0 / static_cast<double>(count);
}

template <class T>
void mean_pool2d(const Pool2d& p, int64_t outer, int64_t inner, const T* x, T* y) noexcept {
  each_window(p, outer, inner, [&](int64_t from, int64_t to, int64_t oh, int64_t ow) {
    T sum(0);
    each_under(p, oh, ow, [&](int64_t at) { sum += x[from + at * inner]; });
    y[to] = sum * T(share_of(p, oh, ow));
  });
}

template <class T>
void mean_pool2d_backward(const Pool2d& p, int64_t outer, int64_t inner, const T* dy, T* dx,
                          bool accumulate) noexcept {
  for (int64_t i = 0; !accumulate && i < outer * p.height * p.width * inner; ++i) dx[i] = T(0);
  each_window(p, outer, inner, [&](int64_t from, int64_t to, int64_t oh, int64_t ow) {
    const T part = dy[to] * T(share_of(p, oh, ow));
    each_under(p, oh, ow, [&](int64_t at) { dx[from + at * inner] += part; });
  });
}

}  // namespace dws::kernels::ref
