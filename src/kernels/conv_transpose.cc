#include "kernels/conv_transpose.h"

#include <algorithm>
#include <type_traits>

#include "kernels/elementwise.h"
#include "kernels/matmul.h"
#include "kernels/ref/conv_transpose.h"

namespace dws::kernels {
namespace {

// Floats of columns at a time: half of a second-level cache of 1 MiB.
constexpr int64_t kColumns = int64_t{1} << 17;

int64_t rows_at_once(const Conv2d& c) noexcept {
  return std::clamp<int64_t>(kColumns / std::max<int64_t>(1, c.depth() * c.out_width()), 1,
                             std::max<int64_t>(1, c.out_height()));
}

// Columns (KH, KW, rows, OW) of one channel, of the input's rows from `row` on, onto its plane.
void spread(const Conv2d& c, int64_t row, int64_t rows, const float* cols, float* y) noexcept {
  const int64_t OW = c.out_width();
  for (int64_t i = 0; i < c.kernel_h; ++i)
    for (int64_t j = 0; j < c.kernel_w; ++j, cols += rows * OW) {
      // Columns ow with 0 <= ow stride + shift < width.
      const int64_t shift = j * c.dilation_w - c.pad_left;
      const int64_t begin = shift >= 0 ? 0 : (-shift + c.stride_w - 1) / c.stride_w;
      const int64_t end = c.width <= shift ? 0 : std::min(OW, (c.width - 1 - shift) / c.stride_w + 1);
      if (begin >= end) continue;
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t ih = (row + r) * c.stride_h - c.pad_top + i * c.dilation_h;
        if (ih < 0 || ih >= c.height) continue;
        const float* from = cols + r * OW;
        float* to = y + ih * c.width + shift;
        if (c.stride_w == 1)
          add(end - begin, to + begin, from + begin, to + begin);
        else
          for (int64_t ow = begin; ow < end; ++ow) to[ow * c.stride_w] += from[ow];
      }
    }
}

}  // namespace

int64_t conv2d_transpose_nchw_scratch(const Conv2d& c) noexcept {
  return c.depth() * rows_at_once(c) * c.out_width();
}

template <class T>
void conv2d_transpose_nchw(const Conv2d& c, int64_t images, const T* x, const T* w, const T* bias, T* y,
                           T* scratch) noexcept {
  if constexpr (!std::is_same_v<T, float>) {
    ref::conv2d_transpose_nchw(c, images, x, w, bias, y);
  } else {
    const int64_t out = c.channels / c.groups, in = c.filters / c.groups, plane = c.height * c.width,
                  P = c.places(), OW = c.out_width(), K = c.depth(), taps = c.kernel_h * c.kernel_w,
                  step = rows_at_once(c);
    for (int64_t n = 0; n < images; ++n, x += c.filters * P, y += c.channels * plane) {
      for (int64_t o = 0; o < c.channels; ++o) std::fill_n(y + o * plane, plane, bias ? bias[o] : 0.0f);
      for (int64_t g = 0; g < c.groups; ++g)
        for (int64_t row = 0; row < c.out_height(); row += step) {
          const int64_t rows = std::min(step, c.out_height() - row), N = rows * OW;
          matmul(K, N, in, w + g * in * K, int64_t{1}, K, x + g * in * P + row * OW, P, scratch, N, false);
          for (int64_t o = 0; o < out; ++o)
            spread(c, row, rows, scratch + o * taps * N, y + (g * out + o) * plane);
        }
    }
  }
}
template void conv2d_transpose_nchw(const Conv2d&, int64_t, const float*, const float*, const float*, float*,
                                    float*) noexcept;
template void conv2d_transpose_nchw(const Conv2d&, int64_t, const double*, const double*, const double*,
                                    double*, double*) noexcept;

}  // namespace dws::kernels
