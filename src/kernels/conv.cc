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

// Planes with their padding, from whose places a product gathers its columns. Of a stride s across, a line is s lines: every s-th
// number from each of the first s on, so that what neighbours read is side by side.
class Padded {
 public:
  static constexpr int64_t kMostAcross = 32;

  // Whether products of these sizes are done so. Those of rounded factors want columns.
  static bool serves(const Conv2d& c, int64_t places) noexcept {
    return c.kernel_w <= kMostAcross && c.stride_w <= PaddedPlanes::kMostStride && !c.pointwise() &&
           !bf16_kernels(c.filters / c.groups, places, c.depth());
  }
  Padded(const Conv2d& c, int64_t rows) noexcept
      : c_(c), width_(c.out_width() + (c.kernel_w - 1) * c.dilation_w / c.stride_w), rows_(rows) {
    for (int64_t j = 0; j < std::min(c.kernel_w, kMostAcross); ++j)
      across_[j] = j * c.dilation_w % c.stride_w * width_ + j * c.dilation_w / c.stride_w;
  }
  // Of the output that planes of one group within kColumns serve.
  static int64_t rows_at_once(const Conv2d& c) noexcept {
    const Padded one(c, 1);
    const int64_t lines = kColumns / std::max<int64_t>(1, c.channels / c.groups * one.line());
    return std::clamp<int64_t>((lines - (c.kernel_h - 1) * c.dilation_h - 1) / c.stride_h + 1, 1,
                               std::max<int64_t>(1, c.out_height()));
  }
  int64_t line() const noexcept { return c_.stride_w * width_; }
  int64_t lines() const noexcept { return (rows_ - 1) * c_.stride_h + (c_.kernel_h - 1) * c_.dilation_h + 1; }
  int64_t size() const noexcept { return c_.channels / c_.groups * lines() * line(); }  // of one group
  // What the output rows from `row` on see of the planes x (channels, H, W) of one group.
  void fill(const float* x, int64_t row, float* to) const noexcept {
    table().pad_planes({.channels = c_.channels / c_.groups,
                        .height = c_.height,
                        .width_in = c_.width,
                        .first = row * c_.stride_h - c_.pad_top,
                        .left = -c_.pad_left,
                        .stride = c_.stride_w,
                        .lines = lines(),
                        .width = width_},
                       x, to);
  }
  // Of `images` side by side; w and c as they shall be.
  ConvProduct product(int64_t images, const float* planes, const float* w, float* y, int64_t ldc,
                      const float* bias) const noexcept {
    return {.M = c_.filters / c_.groups,
            .N = images * rows_ * c_.out_width(),
            .K = c_.depth(),
            .w = w,
            .x = planes,
            .plane = lines() * line(),
            .line = c_.dilation_h * line(),
            .kernel_h = c_.kernel_h,
            .kernel_w = c_.kernel_w,
            .across = across_,
            .rows = rows_,
            .width = c_.out_width(),
            .image_step = size(),
            .row_step = c_.stride_h * line(),
            .c = y,
            .ldc = ldc,
            .bias = bias};
  }

 private:
  const Conv2d& c_;
  int64_t width_, rows_;
  int64_t across_[kMostAcross];
};
// One picture a product.
void large_pictures(const Conv2d& c, int64_t images, const float* x, const float* w, const float* bias,
                    float* y, float* cols) noexcept {
  const int64_t K = c.depth(), P = c.places(), in = c.channels / c.groups, out = c.filters / c.groups;
  const bool padded = Padded::serves(c, P);
  const int64_t plane = c.height * c.width, OW = c.out_width(),
                step = padded ? Padded::rows_at_once(c) : rows_at_once(c);
  for (int64_t n = 0; n < images; ++n, x += c.channels * plane, y += c.filters * P) {
    if (bias && !padded) fill_bias(c, bias, y);
    for (int64_t g = 0; g < c.groups; ++g) {
      const float *from = x + g * in * plane, *kernel = w + g * out * K;
      float* to = y + g * out * P;
      if (c.pointwise()) {
        matmul(out, P, K, kernel, K, int64_t{1}, from, P, to, P, bias != nullptr);
        continue;
      }
      for (int64_t row = 0; row < c.out_height(); row += step) {
        const int64_t rows = std::min(step, c.out_height() - row);
        if (padded) {
          const Padded planes(c, rows);
          planes.fill(from, row, cols);
          table().conv_product(
              planes.product(1, cols, kernel, to + row * OW, P, bias ? bias + g * out : nullptr));
          continue;
        }
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
  const bool padded = Padded::serves(c, step * P);
  const Padded planes(c, c.out_height());
  float *product = scratch, *cols = scratch + out * step * P;
  for (int64_t first = 0; first < images; first += step) {
    const int64_t count = std::min(step, images - first), N = count * P;
    for (int64_t g = 0; g < c.groups; ++g) {
      for (int64_t n = 0; n < count; ++n) {
        const float* from = x + ((first + n) * c.channels + g * in) * plane;
        if (padded)
          planes.fill(from, 0, cols + n * planes.size());
        else
          table().columns_nchw(c, in, from, 0, c.out_height(), cols + n * P, N);
      }
      if (padded)
        table().conv_product(planes.product(count, cols, w + g * out * K, product, N, nullptr));
      else
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

// Enough for either way, whatever the number format is by then.
int64_t conv2d_nchw_scratch(const Conv2d& c, int64_t images) noexcept {
  if (c.places() >= kFewPlaces) {
    if (c.pointwise()) return 0;
    return std::max(c.depth() * rows_at_once(c) * c.out_width(), Padded(c, Padded::rows_at_once(c)).size());
  }
  const int64_t step = images_at_once(c, images);
  return std::max(c.depth() * c.places(), Padded(c, c.out_height()).size()) * step +
         c.filters / c.groups * step * c.places();
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
