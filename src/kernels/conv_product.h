// The product of a convolution without its columns: panels are gathered from padded planes while they are multiplied.
#pragma once

#include <cstdint>

namespace dws::kernels {

// c (M, N) = bias (M) + w (M, K) columns (K, N), K = channels kernel_h kernel_w. Element (k, n) of the columns, k = (ch, i, j), n = (image, oh,
// ow), is x[ch plane + i line + across[j] + image image_step + oh row_step + ow]: all of them exist.
struct ConvProduct {
  int64_t M = 0, N = 0, K = 0;
  const float* w = nullptr;
  const float* x = nullptr;
  int64_t plane = 0, line = 0, kernel_h = 1, kernel_w = 1;
  const int64_t* across = nullptr;  // (kernel_w)
  int64_t rows = 1, width = 1;      // output rows of an image here, places of a row
  int64_t image_step = 0, row_step = 0;
  float* c = nullptr;
  int64_t ldc = 0;
  const float* bias = nullptr;  // null: 0
};

// What the output rows from `row` on see of the planes x (channels, H, W) of a convolution of so many channels, with its padding:
// `lines` lines a plane. Of a stride s across, a line is s lines of `width`: every s-th number from each of the first s on.
struct PaddedPlanes {
  static constexpr int64_t kMostStride = 8;

  int64_t channels = 1, height = 1, width_in = 1;
  int64_t first = 0,
          left = 0;  // the input's row and column, negative in the padding, that the first number is
  int64_t stride = 1, lines = 1, width = 1;
};

}  // namespace dws::kernels
