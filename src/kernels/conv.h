// Convolution of pictures, in two layouts: (N, C, H, W), that of ONNX and of stored networks, forward alone; and
// channels last, (N, H, W, C), forward and backward, where a row of a product is a place, so that linear maps and
// norms of the last axis serve pictures too and no gradient needs a transposed copy of the columns.
//
// Both gather the numbers under the kernel into columns, block by block, and multiply (kernels/matmul.h); a block
// stays in the second-level cache. With channels first the columns are gathered from padded planes a panel at a time, while it
// is multiplied, and lie nowhere as a whole (kernels/conv_product.h), unless factors are rounded (kernels/bf16.h). T is float (run-time dispatch) or double (the scalar twin, kernels/ref/conv.h).
// kernels/conv_transpose.h goes the other way. Not here: three dimensions, Winograd.
#pragma once

#include <cstdint>

namespace dws::kernels {

// Sizes of one picture and its kernel. Pads may differ at begin and end and may be negative (cropping). The output
// sizes must come out positive.
struct Conv2d {
  int64_t channels = 1, height = 1, width = 1;
  int64_t filters = 1, kernel_h = 1, kernel_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t groups = 1;  // divides channels and filters

  int64_t out_height() const noexcept {
    return (height + pad_top + pad_bottom - dilation_h * (kernel_h - 1) - 1) / stride_h + 1;
  }
  int64_t out_width() const noexcept {
    return (width + pad_left + pad_right - dilation_w * (kernel_w - 1) - 1) / stride_w + 1;
  }
  int64_t places() const noexcept { return out_height() * out_width(); }
  int64_t depth() const noexcept { return channels / groups * kernel_h * kernel_w; }  // terms of a sum
  // The columns are the input itself.
  bool pointwise() const noexcept {
    return kernel_h == 1 && kernel_w == 1 && stride_h == 1 && stride_w == 1 && pad_top == 0 &&
           pad_left == 0 && pad_bottom == 0 && pad_right == 0;
  }
};

// y (images, filters, OH, OW) = w * x + bias: x (images, C, H, W), w (filters, C / groups, KH, KW), bias (filters)
// or null. Small pictures share a product. `scratch`: conv2d_nchw_scratch(c, images) elements.
template <class T>
void conv2d_nchw(const Conv2d& c, int64_t images, const T* x, const T* w, const T* bias, T* y,
                 T* scratch) noexcept;
int64_t conv2d_nchw_scratch(const Conv2d& c, int64_t images) noexcept;

// y (images, OH, OW, filters) = w * x + bias: x (images, H, W, C), w (KH, KW, C, filters), bias (filters) or null.
// groups is 1. `scratch`: conv2d_nhwc_scratch(c) elements, for each of the three.
template <class T>
void conv2d_nhwc(const Conv2d& c, int64_t images, const T* x, const T* w, const T* bias, T* y,
                 T* scratch) noexcept;
// dx (+)= the part of dy (images, OH, OW, filters) that flows to x.
template <class T>
void conv2d_nhwc_dx(const Conv2d& c, int64_t images, const T* w, const T* dy, T* dx, bool accumulate,
                    T* scratch) noexcept;
// dw (+)= the part that flows to w. That of the bias: column_sums() of dy.
template <class T>
void conv2d_nhwc_dw(const Conv2d& c, int64_t images, const T* x, const T* dy, T* dw, bool accumulate,
                    T* scratch) noexcept;
int64_t conv2d_nhwc_scratch(const Conv2d& c) noexcept;

}  // namespace dws::kernels
