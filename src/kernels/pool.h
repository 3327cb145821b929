// Pooling of pictures, forward and backward, in any layout: x (outer, H, W, inner) and y (outer, OH, OW, inner). Channels
// last: outer counts pictures, inner channels; (N, C, H, W): outer is N C and inner 1. T is float or double.
#pragma once

#include <cstdint>

namespace dws::kernels {

// Every window must hold an element of the picture: pads are smaller than the window.
struct Pool2d {
  int64_t height = 1, width = 1;
  int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1;
  int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int64_t dilation_h = 1, dilation_w = 1;
  bool count_pads = false;  // of a mean: pads count as zeros (count_include_pad)

  int64_t out_height() const noexcept {
    return (height + pad_top + pad_bottom - dilation_h * (kernel_h - 1) - 1) / stride_h + 1;
  }
  int64_t out_width() const noexcept {
    return (width + pad_left + pad_right - dilation_w * (kernel_w - 1) - 1) / stride_w + 1;
  }
  int64_t places() const noexcept { return out_height() * out_width(); }
};

// `index`, as y, receives ih W + iw of the first largest element and may be null. NaN beats every number, as in
// reduce.h.
template <class T>
void max_pool2d(const Pool2d& p, int64_t outer, int64_t inner, const T* x, T* y, int32_t* index) noexcept;
template <class T>
void max_pool2d_backward(const Pool2d& p, int64_t outer, int64_t inner, const T* dy, const int32_t* index,
                         T* dx, bool accumulate) noexcept;

// The mean over each window's elements, or with count_pads over its places.
template <class T>
void mean_pool2d(const Pool2d& p, int64_t outer, int64_t inner, const T* x, T* y) noexcept;
template <class T>
void mean_pool2d_backward(const Pool2d& p, int64_t outer, int64_t inner, const T* dy, T* dx,
                          bool accumulate) noexcept;

}  // namespace dws::kernels
