// Transposed convolution of pictures (N, C, H, W): every number of the input is spread over a window of the output. T is float
// (run-time dispatch) or double (the scalar twin, kernels/ref/conv_transpose.h).
#pragma once

#include <cstdint>

#include "kernels/conv.h"

namespace dws::kernels {

// `c` is the convolution that goes the other way: from y (images, C, H, W) to x (images, filters, OH, OW). y = what of x flows
// through w (filters, C / groups, KH, KW), plus bias (C) or null. Numbers that fall into c's padding are lost. `scratch`:
// conv2d_transpose_nchw_scratch(c) elements.
template <class T>
void conv2d_transpose_nchw(const Conv2d& c, int64_t images, const T* x, const T* w, const T* bias, T* y,
                           T* scratch) noexcept;
int64_t conv2d_transpose_nchw_scratch(const Conv2d& c) noexcept;

}  // namespace dws::kernels
