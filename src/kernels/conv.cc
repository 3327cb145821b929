#include "kernels/conv.h"

#include <algorithm>
#include <type_traits>

#include "kernels/elementwise.h"
#include "kernels/matmul.h"
#include "kernels/ref/conv.h"
#include "kernels/table_fields.h"

namespace dws::kernels {
namespace {

// Floats of columns at a time: half of a second-level cache of 1 MiB.
constexpr int64_t kColumns = int64_t{1} << 17;
// Places a product should have at least: below, pictures share one.
constexpr int64_t kFewPlaces = 64;
constexpr int64_t kManyPlaces = 256;

// Output rows of one picture at a time.
int64_t rows_at_once(const Conv2d& c) noexcept {
  return std::clamp<int64_t>(kColumns / std::max<int64_t>(1, c.depth() * c.out_width()), 1, c.out_height());
}
int64_t images_at_once(const Conv2d& c, int64_t images) noexcept {
  const int64_t few = (kManyPlaces + c.places() - 1) / c.places();
  return std::max<int64_t>(1, std::min(few, images));
}
// Places of pictures with channels last at a time: a whole number of the product's tiles.
int64_t places_at_once(const Conv2d& c) noexcept {
  return std::clamp<int64_t>(kColumns / std::max<int64_t>(1, c.depth()) / 48 * 48, 48, 4800);
}

void fill_bias(const Conv2d& c, const float* bias, float* y) noexcept {
  for (int64_t f = 0; f < c.filters; ++f) std::fill_n(y + f * c.places(), c.places(), bias[f]);
}

// One picture a product.
void large_pictures(const Conv2d& c, int64_t images, const float* x, const float* w, const float* bias,
                    float* y, float* cols) noexcept {
  const int64_t K = c.depth(), P = c.places(), in = c.channels / c.groups, out = c.filters / c.groups;
  const int64_t plane = c.height * c.width, step = rows_at_once(c), OW = c.out_width();
  for (int64_t n = 0; n < images; ++n, x += c.channels * plane, y += c.filters * P) {
    if (bias) fill_bias(c, bias, y);
    for (int64_t g = 0; g < c.groups; ++g) {
      const float *from = x + g * in * plane, *kernel = w + g * out * K;
      float* to = y + g * out * P;
      if (c.pointwise()) {
        matmul(out, P, K, kernel, K, int64_t{1}, from, P, to, P, bias != nullptr);
        continue;
      }
      for (int64_t row = 0; row < c.out_height(); row += step) {
        const int64_t rows = std::min(step, c.out_height() - row);
        table().columns_nchw(c, in, from, row, rows, cols, rows * OW);
        matmul(out, rows * OW, K, kernel, K, int64_t{1}, cols, rows * OW, to + row * OW, P, bias != nullptr);
      }
    }
  }
}

// Several pictures a product, whose rows are then dealt out.
void small_pictures(const Conv2d& c, int64_t images, const float* x, const float* w, const float* bias,
                    float* y, float* scratch) noexcept {
  const int64_t K = c.depth(), P = c.places(), in = c.channels / c.groups, out = c.filters / c.groups;
  const int64_t plane = c.height * c.width, step = images_at_once(c, images);
  float *cols = scratch, *product = scratch + K * step * P;
  for (int64_t first = 0; first < images; first += step) {
    const int64_t count = std::min(step, images - first), N = count * P;
    for (int64_t g = 0; g < c.groups; ++g) {
      for (int64_t n = 0; n < count; ++n)
        table().columns_nchw(c, in, x + ((first + n) * c.channels + g * in) * plane, 0, c.out_height(),
                             cols + n * P, N);
      matmul(out, N, K, w + g * out * K, K, int64_t{1}, cols, N, product, N, false);
      for (int64_t n = 0; n < count; ++n)
        for (int64_t f = 0; f < out; ++f) {
          const float *from = product + f * N + n * P, add = bias ? bias[g * out + f] : 0.0f;
          float* to = y + ((first + n) * c.filters + g * out + f) * P;
          for (int64_t p = 0; p < P; ++p) to[p] = from[p] + add;
        }
    }
  }
}

// The convolution of dy whose output is dx, where the stride is 1: the kernel turned about, channels and filters
// exchanged.
Conv2d turned(const Conv2d& c) noexcept {
  Conv2d t = c;
  t.channels = c.filters;
  t.filters = c.channels;
  t.height = c.out_height();
  t.width = c.out_width();
  t.pad_top = c.dilation_h * (c.kernel_h - 1) - c.pad_top;
  t.pad_bottom = c.dilation_h * (c.kernel_h - 1) - c.pad_bottom;
  t.pad_left = c.dilation_w * (c.kernel_w - 1) - c.pad_left;
  t.pad_right = c.dilation_w * (c.kernel_w - 1) - c.pad_right;
  return t;
}

// y (+)= w * x with channels last.
void products_nhwc(const Conv2d& c, int64_t images, const float* x, const float* w, float* y, bool accumulate,
                   float* cols) noexcept {
  const int64_t K = c.depth(), F = c.filters, total = images * c.places();
  if (c.pointwise()) return matmul(total, F, K, x, K, int64_t{1}, w, F, y, F, accumulate);
  const int64_t step = places_at_once(c);
  for (int64_t first = 0; first < total; first += step) {
    const int64_t count = std::min(step, total - first);
    table().columns_nhwc(c, x, first, count, cols);
    matmul(count, F, K, cols, K, int64_t{1}, w, F, y + first * F, F, accumulate);
  }
}

}  // namespace

int64_t conv2d_nchw_scratch(const Conv2d& c, int64_t images) noexcept {
  if (c.places() >= kFewPlaces)
    return c.pointwise() ? 0 : c.depth() * std::min(rows_at_once(c), c.out_height()) * c.out_width();
  return (c.depth() + c.filters / c.groups) * images_at_once(c, images) * c.places();
}

int64_t conv2d_nhwc_scratch(const Conv2d& c) noexcept {
  const Conv2d t = turned(c);
  return std::max(c.depth() * places_at_once(c), t.depth() * places_at_once(t)) + c.depth() * c.filters;
}

template <class T>
void conv2d_nchw(const Conv2d& c, int64_t images, const T* x, const T* w, const T* bias, T* y,
                 T* scratch) noexcept {
  if constexpr (std::is_same_v<T, float>)
    (c.places() >= kFewPlaces ? large_pictures : small_pictures)(c, images, x, w, bias, y, scratch);
  else
    ref::conv2d_nchw(c, images, x, w, bias, y);
}
template void conv2d_nchw(const Conv2d&, int64_t, const float*, const float*, const float*, float*,
                          float*) noexcept;
template void conv2d_nchw(const Conv2d&, int64_t, const double*, const double*, const double*, double*,
                          double*) noexcept;

template <class T>
void conv2d_nhwc(const Conv2d& c, int64_t images, const T* x, const T* w, const T* bias, T* y,
                 T* scratch) noexcept {
  if constexpr (std::is_same_v<T, float>) {
    products_nhwc(c, images, x, w, y, false, scratch);
    if (bias) add_row_vector(images * c.places(), c.filters, y, bias, y);
  } else {
    ref::conv2d_nhwc(c, images, x, w, bias, y);
  }
}
template void conv2d_nhwc(const Conv2d&, int64_t, const float*, const float*, const float*, float*,
                          float*) noexcept;
template void conv2d_nhwc(const Conv2d&, int64_t, const double*, const double*, const double*, double*,
                          double*) noexcept;

template <class T>
void conv2d_nhwc_dx(const Conv2d& c, int64_t images, const T* w, const T* dy, T* dx, bool accumulate,
                    T* scratch) noexcept {
  if constexpr (std::is_same_v<T, float>) {
    const int64_t C = c.channels, F = c.filters, taps = c.kernel_h * c.kernel_w, K = c.depth();
    float* turned_w = scratch;
    float* cols = scratch + K * F;
    if (c.stride_h == 1 && c.stride_w == 1) {
      for (int64_t t = 0; t < taps; ++t) transpose(C, F, w + t * C * F, turned_w + (taps - 1 - t) * C * F);
      return products_nhwc(turned(c), images, dy, turned_w, dx, accumulate, cols);
    }
    transpose(K, F, w, turned_w);
    if (!accumulate) std::fill_n(dx, images * c.height * c.width * C, 0.0f);
    const int64_t total = images * c.places(), step = places_at_once(c);
    for (int64_t first = 0; first < total; first += step) {
      const int64_t count = std::min(step, total - first);
      matmul(count, K, F, dy + first * F, F, int64_t{1}, turned_w, K, cols, K, false);
      table().add_columns_nhwc(c, cols, first, count, dx);
    }
  } else {
    ref::conv2d_nhwc_dx(c, images, w, dy, dx, accumulate);
  }
}
template void conv2d_nhwc_dx(const Conv2d&, int64_t, const float*, const float*, float*, bool,
                             float*) noexcept;
template void conv2d_nhwc_dx(const Conv2d&, int64_t, const double*, const double*, double*, bool,
                             double*) noexcept;

template <class T>
void conv2d_nhwc_dw(const Conv2d& c, int64_t images, const T* x, const T* dy, T* dw, bool accumulate,
                    T* scratch) noexcept {
  if constexpr (std::is_same_v<T, float>) {
    const int64_t K = c.depth(), F = c.filters, total = images * c.places();
    if (c.pointwise()) return matmul(K, F, total, x, int64_t{1}, K, dy, F, dw, F, accumulate);
    if (total == 0 && !accumulate) std::fill_n(dw, K * F, 0.0f);
    const int64_t step = places_at_once(c);
    for (int64_t first = 0; first < total; first += step) {
      const int64_t count = std::min(step, total - first);
      table().columns_nhwc(c, x, first, count, scratch);
      matmul(K, F, count, scratch, int64_t{1}, K, dy + first * F, F, dw, F, accumulate || first > 0);
    }
  } else {
    ref::conv2d_nhwc_dw(c, images, x, dy, dw, accumulate);
  }
}
template void conv2d_nhwc_dw(const Conv2d&, int64_t, const float*, const float*, float*, bool,
                             float*) noexcept;
template void conv2d_nhwc_dw(const Conv2d&, int64_t, const double*, const double*, double*, bool,
                             double*) noexcept;

}  // namespace dws::kernels
