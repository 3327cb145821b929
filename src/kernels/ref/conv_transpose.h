// Scalar twin of conv_transpose.h: the sums as they are defined.
#pragma once

#include "kernels/ref/conv.h"

namespace dws::kernels::ref {

template <class T>
void conv2d_transpose_nchw(const Conv2d& c, int64_t images, const T* x, const T* w, const T* bias,
                           T* y) noexcept {
  const int64_t out = c.channels / c.groups, in = c.filters / c.groups, plane = c.height * c.width;
  for (int64_t n = 0; n < images; ++n)
    for (int64_t o = 0; o < c.channels; ++o) {
      T* to = y + (n * c.channels + o) * plane;
      for (int64_t p = 0; p < plane; ++p) to[p] = bias ? bias[o] : T(0);
      for (int64_t k = 0; k < in; ++k) {
        const int64_t f = o / out * in + k;
        const T *from = x + (n * c.filters + f) * c.places(),
                *kernel = w + (f * out + o % out) * c.kernel_h * c.kernel_w;
        each_tap(c, [&](int64_t oh, int64_t ow, int64_t i, int64_t j, int64_t ih, int64_t iw) {
          to[ih * c.width + iw] += kernel[i * c.kernel_w + j] * from[oh * c.out_width() + ow];
        });
      }
    }
}

}  // namespace dws::kernels::ref
