// Scalar twins of conv.h: the sums as they are defined, without columns.
#pragma once

#include "kernels/conv.h"
#include "kernels/ref/scalar.h"

namespace dws::kernels::ref {

// visit(oh, ow, i, j, ih, iw) for every place of the output and of the kernel that has a place of the input.
template <class Visit>
void each_tap(const Conv2d& c, Visit visit) noexcept {
  for (int64_t oh = 0; oh < c.out_height(); ++oh)
    for (int64_t ow = 0; ow < c.out_width(); ++ow)
      for (int64_t i = 0; i < c.kernel_h; ++i)
        for (int64_t j = 0; j < c.kernel_w; ++j) {
          const int64_t ih = oh * c.stride_h - c.pad_top + i * c.dilation_h;
          const int64_t iw = ow * c.stride_w - c.pad_left + j * c.dilation_w;
          if (ih >= 0 && ih < c.height && iw >= 0 && iw < c.width) visit(oh, ow, i, j, ih, iw);
        }
}

template <class T>
void conv2d_nchw(const Conv2d& c, int64_t images, const T* x, const T* w, const T* bias, T* y) noexcept {
  const int64_t in = c.channels / c.groups, out = c.filters / c.groups;
  for (int64_t n = 0; n < images; ++n)
    for (int64_t f = 0; f < c.filters; ++f) {
      T* plane = y + (n * c.filters + f) * c.places();
      for (int64_t p = 0; p < c.places(); ++p) plane[p] = bias ? bias[f] : T(0);
      for (int64_t k = 0; k < in; ++k) {
        const T* from = x + (n * c.channels + f / out * in + k) * c.height * c.width;
        const T* kernel = w + (f * in + k) * c.kernel_h * c.kernel_w;
        each_tap(c, [&](int64_t oh, int64_t ow, int64_t i, int64_t j, int64_t ih, int64_t iw) {
          plane[oh * c.out_width() + ow] += kernel[i * c.kernel_w + j] * from[ih * c.width + iw];
        });
      }
    }
}

// visit(x, w, y) with the offset of every term of the sums: y[y] += x[x] * w[w].
template <class Visit>
void each_term_nhwc(const Conv2d& c, int64_t images, Visit visit) noexcept {
  for (int64_t n = 0; n < images; ++n)
    each_tap(c, [&](int64_t oh, int64_t ow, int64_t i, int64_t j, int64_t ih, int64_t iw) {
      for (int64_t k = 0; k < c.channels; ++k)
        for (int64_t f = 0; f < c.filters; ++f)
          visit(((n * c.height + ih) * c.width + iw) * c.channels + k,
                ((i * c.kernel_w + j) * c.channels + k) * c.filters + f,
                ((n * c.out_height() + oh) * c.out_width() + ow) * c.filters + f);
    });
}

template <class T>
void conv2d_nhwc(const Conv2d& c, int64_t images, const T* x, const T* w, const T* bias, T* y) noexcept {
  for (int64_t i = 0; i < images * c.places() * c.filters; ++i) y[i] = bias ? bias[i % c.filters] : T(0);
  each_term_nhwc(c, images, [&](int64_t ix, int64_t iw, int64_t iy) { y[iy] += x[ix] * w[iw]; });
}

template <class T>
void conv2d_nhwc_dx(const Conv2d& c, int64_t images, const T* w, const T* dy, T* dx,
                    bool accumulate) noexcept {
  for (int64_t i = 0; !accumulate && i < images * c.height * c.width * c.channels; ++i) dx[i] = T(0);
  each_term_nhwc(c, images, [&](int64_t ix, int64_t iw, int64_t iy) { dx[ix] += w[iw] * dy[iy]; });
}

template <class T>
void conv2d_nhwc_dw(const Conv2d& c, int64_t images, const T* x, const T* dy, T* dw,
                    bool accumulate) noexcept {
  for (int64_t i = 0; !accumulate && i < c.depth() * c.filters; ++i) dw[i] = T(0);
  each_term_nhwc(c, images, [&](int64_t ix, int64_t iw, int64_t iy) { dw[iw] += x[ix] * dy[iy]; });
}

}  // namespace dws::kernels::ref
