#include "kernels/conv.h"

#include <algorithm>

#include "core/text.h"
#include "harness.h"
#include "kernels/ref/conv.h"

namespace dws::kernels {
namespace {

struct Shape {
  Conv2d c;
  int64_t images;
};

// Every field away from its default somewhere, sizes around vectors and blocks, pictures that share a product.
std::vector<Shape> shapes() {
  return {
      {{.channels = 1, .height = 1, .width = 1}, 1},
      {{.channels = 3, .height = 5, .width = 7, .filters = 2, .kernel_h = 3, .kernel_w = 2}, 0},
      {{.channels = 3,
        .height = 9,
        .width = 11,
        .filters = 5,
        .kernel_h = 3,
        .kernel_w = 3,
        .pad_top = 1,
        .pad_left = 1,
        .pad_bottom = 1,
        .pad_right = 1},
       2},
      {{.channels = 2,
        .height = 8,
        .width = 13,
        .filters = 17,
        .kernel_h = 2,
        .kernel_w = 5,
        .stride_h = 2,
        .stride_w = 3,
        .pad_top = 1,
        .pad_left = 3,
        .pad_bottom = 0,
        .pad_right = 2},
       3},
      {{.channels = 4,
        .height = 11,
        .width = 9,
        .filters = 3,
        .kernel_h = 3,
        .kernel_w = 3,
        .pad_top = 2,
        .pad_left = 0,
        .pad_bottom = 1,
        .pad_right = 4,
        .dilation_h = 2,
        .dilation_w = 3},
       2},
      {{.channels = 3,
        .height = 7,
        .width = 8,
        .filters = 4,
        .kernel_h = 3,
        .kernel_w = 3,
        .stride_h = 2,
        .stride_w = 2,
        .pad_top = -1,
        .pad_left = -2,
        .pad_bottom = 3,
        .pad_right = 3},
       2},
      {{.channels = 19,
        .height = 4,
        .width = 4,
        .filters = 33,
        .kernel_h = 3,
        .kernel_w = 3,
        .pad_top = 1,
        .pad_left = 1,
        .pad_bottom = 1,
        .pad_right = 1},
       21},
      {{.channels = 16,
        .height = 4,
        .width = 4,
        .filters = 35,
        .kernel_h = 3,
        .kernel_w = 3,
        .stride_h = 2,
        .stride_w = 2,
        .pad_top = 1,
        .pad_left = 1,
        .pad_bottom = 1,
        .pad_right = 1},
       9},
      {{.channels = 5, .height = 9, .width = 8, .filters = 31}, 3},  // pointwise
      {{.channels = 33, .height = 3, .width = 2, .filters = 7}, 2},  // the same, small
      {{.channels = 5, .height = 9, .width = 8, .filters = 6, .stride_h = 2, .stride_w = 2}, 2},
      {{.channels = 70,
        .height = 16,
        .width = 16,
        .filters = 20,
        .kernel_h = 3,
        .kernel_w = 3,
        .pad_top = 1,
        .pad_left = 1,
        .pad_bottom = 1,
        .pad_right = 1},
       2},  // more than one block of places
      {{.channels = 2, .height = 1, .width = 40, .filters = 2, .kernel_h = 1, .kernel_w = 9}, 2},
  };
}

std::string name(const char* what, const Shape& s) {
  return text("{} {}x{}x{} to {}, kernel {}x{}, {} images", what, s.c.channels, s.c.height, s.c.width,
              s.c.filters, s.c.kernel_h, s.c.kernel_w, s.images);
}
double bound(int64_t terms) {
  return 4 * kEps * (1 + std::sqrt(static_cast<double>(terms)) * 2);
}

struct Sizes {
  explicit Sizes(const Shape& s)
      : x(s.images * s.c.channels * s.c.height * s.c.width),
        w(s.c.filters * s.c.depth()),
        y(s.images * s.c.filters * s.c.places()) {}
  int64_t x, w, y;
};

template <class T>
std::vector<T> scratch(int64_t n) {  // what is in it must not matter
  return std::vector<T>(static_cast<size_t>(n), std::numeric_limits<T>::quiet_NaN());
}

TEST(Conv, MatchesTheTwinWithChannelsFirst) {
  std::vector<Shape> all = shapes();
  all.push_back(
      {{.channels = 6, .height = 10, .width = 9, .filters = 4, .kernel_h = 3, .kernel_w = 3, .groups = 2},
       2});
  all.push_back({{.channels = 6,
                  .height = 4,
                  .width = 5,
                  .filters = 12,
                  .kernel_h = 3,
                  .kernel_w = 3,
                  .pad_top = 1,
                  .pad_left = 1,
                  .groups = 6},
                 3});
  all.push_back({{.channels = 6, .height = 10, .width = 9, .filters = 9, .groups = 3}, 2});
  // A stride and a kernel beyond which columns are written out, and those just within.
  for (const int64_t stride : {3, 8, 9})
    for (const int64_t kernel : {32, 33})
      all.push_back({{.channels = 2,
                      .height = 12,
                      .width = 140,
                      .filters = 5,
                      .kernel_h = 2,
                      .kernel_w = kernel,
                      .stride_h = stride,
                      .stride_w = stride,
                      .pad_left = 3,
                      .pad_right = 2},
                     3});
  all.push_back({{.channels = 40,
                  .height = 37,
                  .width = 67,
                  .filters = 26,
                  .kernel_h = 3,
                  .kernel_w = 3,
                  .stride_h = 2,
                  .stride_w = 2,
                  .pad_top = 1,
                  .pad_left = 1,
                  .dilation_h = 2,
                  .groups = 2},
                 2});
  for (const Shape& s : all) {
    const Sizes n(s);
    for (bool with_bias : {false, true})
      check_against_twin({name("nchw", s),
                          {random_values(n.x, 1), random_values(n.w, 2), random_values(s.c.filters, 3)},
                          {random_values(n.y, 4)},
                          {},
                          bound(s.c.depth())},
                         [&](auto in, auto out, auto) {
                           auto room = scratch<Element<decltype(out[0])>>(conv2d_nchw_scratch(s.c, s.images));
                           conv2d_nchw(s.c, s.images, in[0], in[1], with_bias ? in[2] : nullptr, out[0],
                                       room.data());
                         });
  }
}

TEST(Conv, MatchesTheTwinWithChannelsLast) {
  for (const Shape& s : shapes()) {
    const Sizes n(s);
    for (bool flag : {false, true}) {
      check_against_twin({name("nhwc", s),
                          {random_values(n.x, 1), random_values(n.w, 2), random_values(s.c.filters, 3)},
                          {random_values(n.y, 4)},
                          {},
                          bound(s.c.depth())},
                         [&](auto in, auto out, auto) {
                           auto room = scratch<Element<decltype(out[0])>>(conv2d_nhwc_scratch(s.c));
                           conv2d_nhwc(s.c, s.images, in[0], in[1], flag ? in[2] : nullptr, out[0],
                                       room.data());
                         });
      check_against_twin({name("nhwc dx", s),
                          {random_values(n.w, 2), random_values(n.y, 5)},
                          {random_values(n.x, 4)},
                          {},
                          bound(s.c.depth() / s.c.channels * s.c.filters)},
                         [&](auto in, auto out, auto) {
                           auto room = scratch<Element<decltype(out[0])>>(conv2d_nhwc_scratch(s.c));
                           conv2d_nhwc_dx(s.c, s.images, in[0], in[1], out[0], flag, room.data());
                         });
      check_against_twin({name("nhwc dw", s),
                          {random_values(n.x, 1), random_values(n.y, 5)},
                          {random_values(n.w, 4)},
                          {},
                          bound(s.images * s.c.places())},
                         [&](auto in, auto out, auto) {
                           auto room = scratch<Element<decltype(out[0])>>(conv2d_nhwc_scratch(s.c));
                           conv2d_nhwc_dw(s.c, s.images, in[0], in[1], out[0], flag, room.data());
                         });
    }
  }
}

// The two layouts' twins are written apart: the same convolution of the same numbers must come out.
TEST(Conv, BothLayoutsAreOneConvolution) {
  const Conv2d c{.channels = 3,
                 .height = 6,
                 .width = 7,
                 .filters = 4,
                 .kernel_h = 3,
                 .kernel_w = 2,
                 .stride_h = 2,
                 .pad_top = 1,
                 .pad_right = 1,
                 .dilation_w = 2};
  const int64_t taps = c.kernel_h * c.kernel_w, plane = c.height * c.width;
  const auto x = random_values(c.channels * plane, 1), w = random_values(c.filters * c.depth(), 2);
  std::vector<double> xt(x.size()), wt(w.size()), y(static_cast<size_t>(c.filters * c.places())), yt(y),
      back(y);
  ref::conv2d_nchw<double>(c, 1, x.data(), w.data(), nullptr, y.data());
  for (int64_t k = 0; k < c.channels; ++k)
    for (int64_t p = 0; p < plane; ++p)
      xt[static_cast<size_t>(p * c.channels + k)] = x[static_cast<size_t>(k * plane + p)];
  for (int64_t f = 0; f < c.filters; ++f)
    for (int64_t k = 0; k < c.channels; ++k)
      for (int64_t t = 0; t < taps; ++t)
        wt[static_cast<size_t>((t * c.channels + k) * c.filters + f)] =
            w[static_cast<size_t>((f * c.channels + k) * taps + t)];
  ref::conv2d_nhwc<double>(c, 1, xt.data(), wt.data(), nullptr, yt.data());
  for (int64_t f = 0; f < c.filters; ++f)
    for (int64_t p = 0; p < c.places(); ++p)
      back[static_cast<size_t>(f * c.places() + p)] = yt[static_cast<size_t>(p * c.filters + f)];
  expect_close("layouts", back, y, 1e-14);
}

TEST(Conv, BackwardIsTheDerivativeByComplexStep) {
  const Conv2d all[] = {{.channels = 2,
                         .height = 4,
                         .width = 5,
                         .filters = 3,
                         .kernel_h = 3,
                         .kernel_w = 2,
                         .pad_top = 1,
                         .pad_left = 1},
                        {.channels = 2,
                         .height = 5,
                         .width = 5,
                         .filters = 2,
                         .kernel_h = 2,
                         .kernel_w = 3,
                         .stride_h = 2,
                         .stride_w = 2,
                         .pad_right = 2,
                         .dilation_h = 2}};
  for (const Conv2d& c : all) {
    const Sizes n({c, 2});
    const auto x = random_values(n.x, 1), w = random_values(n.w, 2), dy = random_values(n.y, 3);
    const std::vector<Complex> cx(x.begin(), x.end()), cw(w.begin(), w.end());
    std::vector<double> dx(x.size()), dw(w.size());
    ref::conv2d_nhwc_dx(c, 2, w.data(), dy.data(), dx.data(), false);
    ref::conv2d_nhwc_dw(c, 2, x.data(), dy.data(), dw.data(), false);
    const Complex* none = nullptr;
    expect_close(
        "dx", dx,
        complex_step(x, dy,
                     [&](const Complex* in, Complex* y) { ref::conv2d_nhwc(c, 2, in, cw.data(), none, y); }),
        1e-12);
    expect_close(
        "dw", dw,
        complex_step(w, dy,
                     [&](const Complex* in, Complex* y) { ref::conv2d_nhwc(c, 2, cx.data(), in, none, y); }),
        1e-12);
  }
}

}  // namespace
}  // namespace dws::kernels
