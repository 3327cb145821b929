// Float bodies of the columns of conv.h for one instruction set.
#pragma once

#include "kernels/conv.h"
#include "kernels/elementwise_body.h"

namespace dws::kernels::DWS_ISA {

DWS_INLINE void copy_floats(int64_t n, const float* from, float* to) {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED { store_n(to + i, load_n(from + i, lanes), lanes); });
}
DWS_INLINE void clear_floats(int64_t n, float* to) {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED { store_n(to + i, zero(), lanes); });
}
DWS_INLINE void add_floats(int64_t n, const float* from, float* to) {
  each(n, [&](int64_t i, int64_t lanes)
              DWS_INLINED { store_n(to + i, load_n(to + i, lanes) + load_n(from + i, lanes), lanes); });
}

// Of k = 0 .. n-1 with at + k step in [0, extent): the first and the one behind the last; first <= last.
struct Inside {
  int64_t first, last;
};
DWS_INLINE Inside inside(int64_t at, int64_t step, int64_t n, int64_t extent) {
  const int64_t first = at >= 0 ? 0 : (-at + step - 1) / step;
  const int64_t last = at >= extent ? 0 : (extent - at + step - 1) / step;
  const int64_t begin = first < n ? first : n, end = last < n ? last : n;
  return {begin, end > begin ? end : begin};
}

// cols (channels KH KW, rows OW), rows `ld` apart: what lies under each place of the kernel, for the output rows
// [row, row + rows) of one picture's planes x (channels, H, W).
static void columns_nchw(const Conv2d& c, int64_t channels, const float* x, int64_t row, int64_t rows,
                         float* cols, int64_t ld) noexcept {
  const int64_t OW = c.out_width();
  for (int64_t k = 0; k < channels; ++k, x += c.height * c.width)
    for (int64_t i = 0; i < c.kernel_h; ++i)
      for (int64_t j = 0; j < c.kernel_w; ++j, cols += ld) {
        const int64_t left = j * c.dilation_w - c.pad_left;
        const Inside in = inside(left, c.stride_w, OW, c.width);
        float* to = cols;
        for (int64_t oh = row; oh < row + rows; ++oh, to += OW) {
          const int64_t ih = oh * c.stride_h - c.pad_top + i * c.dilation_h;
          if (ih < 0 || ih >= c.height) {
            clear_floats(OW, to);
            continue;
          }
          const float* from = x + ih * c.width + left;
          clear_floats(in.first, to);
          if (c.stride_w == 1)
            copy_floats(in.last - in.first, from + in.first, to + in.first);
          else
            for (int64_t ow = in.first; ow < in.last; ++ow) to[ow] = from[ow * c.stride_w];
          clear_floats(OW - in.last, to + in.last);
        }
      }
}

// Calls row(i, place, j, last) for each row i of the kernel over each place [first, first + count) of pictures with
// channels last: the offsets j .. last - 1 within the row lie inside the picture, from element `place` of x on; an
// empty range where none does.
template <class Row>
DWS_INLINE void each_kernel_row(const Conv2d& c, int64_t first, int64_t count, Row row) {
  const int64_t OW = c.out_width(), OH = c.out_height();
  int64_t ow = first % OW, oh = first / OW % OH, n = first / OW / OH;
  for (int64_t p = 0; p < count; ++p) {
    const int64_t left = ow * c.stride_w - c.pad_left;
    const Inside in = inside(left, c.dilation_w, c.kernel_w, c.width);
    for (int64_t i = 0; i < c.kernel_h; ++i) {
      const int64_t ih = oh * c.stride_h - c.pad_top + i * c.dilation_h;
      if (ih < 0 || ih >= c.height)
        row(0, 0, 0);
      else
        row(((n * c.height + ih) * c.width + left + in.first * c.dilation_w) * c.channels, in.first, in.last);
    }
    if (++ow == OW) {
      ow = 0;
      if (++oh == OH) oh = 0, ++n;
    }
  }
}

// cols (count, KH KW C): what lies under the kernel at the places [first, first + count) of x (images, H, W, C).
static void columns_nhwc(const Conv2d& c, const float* x, int64_t first, int64_t count,
                         float* cols) noexcept {
  const int64_t C = c.channels, width = c.kernel_w * C;
  each_kernel_row(c, first, count, [&](int64_t at, int64_t j, int64_t last) DWS_INLINED {
    clear_floats(j * C, cols);
    if (c.dilation_w == 1)
      copy_floats((last - j) * C, x + at, cols + j * C);
    else
      for (int64_t k = j; k < last; ++k) copy_floats(C, x + at + (k - j) * c.dilation_w * C, cols + k * C);
    clear_floats((c.kernel_w - last) * C, cols + last * C);
    cols += width;
  });
}

// The way back: x += cols.
static void add_columns_nhwc(const Conv2d& c, const float* cols, int64_t first, int64_t count,
                             float* x) noexcept {
  const int64_t C = c.channels, width = c.kernel_w * C;
  each_kernel_row(c, first, count, [&](int64_t at, int64_t j, int64_t last) DWS_INLINED {
    if (c.dilation_w == 1)
      add_floats((last - j) * C, cols + j * C, x + at);
    else
      for (int64_t k = j; k < last; ++k) add_floats(C, cols + k * C, x + at + (k - j) * c.dilation_w * C);
    cols += width;
  });
}

}  // namespace dws::kernels::DWS_ISA
