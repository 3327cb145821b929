#include "kernels/conv_transpose.h"

#include "core/text.h"
#include "harness.h"
#include "kernels/ref/conv_transpose.h"

namespace dws::kernels {
namespace {

// From y to x: strides, padding, cropping, dilation, groups, planes that take more than one block of columns.
const Conv2d kAll[] = {
    {.channels = 1, .height = 1, .width = 1},
    {.channels = 3, .height = 9, .width = 8, .filters = 5, .kernel_h = 3, .kernel_w = 2},
    {.channels = 4,
     .height = 16,
     .width = 14,
     .filters = 6,
     .kernel_h = 2,
     .kernel_w = 2,
     .stride_h = 2,
     .stride_w = 2},
    {.channels = 2,
     .height = 11,
     .width = 13,
     .filters = 7,
     .kernel_h = 3,
     .kernel_w = 4,
     .stride_h = 2,
     .stride_w = 3,
     .pad_top = 1,
     .pad_left = 2,
     .pad_bottom = 1,
     .pad_right = 1},
    {.channels = 6,
     .height = 12,
     .width = 9,
     .filters = 4,
     .kernel_h = 3,
     .kernel_w = 3,
     .stride_h = 2,
     .pad_top = 2,
     .pad_left = 1,
     .pad_bottom = -1,
     .pad_right = 3,
     .dilation_h = 2,
     .dilation_w = 3,
     .groups = 2},
    {.channels = 5, .height = 1, .width = 40, .filters = 5, .kernel_w = 9, .stride_w = 4, .groups = 5},
    {.channels = 40, .height = 66, .width = 66, .filters = 3, .kernel_h = 3, .kernel_w = 3},
    {.channels = 1,
     .height = 2,
     .width = 2,
     .filters = 2,
     .kernel_h = 5,
     .kernel_w = 5,
     .pad_top = 4,
     .pad_left = 4,
     .pad_bottom = 4,
     .pad_right = 4},
};

TEST(ConvTranspose, MatchesTheTwin) {
  for (const Conv2d& c : kAll)
    for (const bool with_bias : {false, true}) {
      const int64_t images = 2;
      const double terms = static_cast<double>(c.filters * c.kernel_h * c.kernel_w);
      check_against_twin({text("{}x{}x{} of {}", c.channels, c.height, c.width, c.filters),
                          {random_values(images * c.filters * c.places(), 1),
                           random_values(c.filters * c.depth(), 2), random_values(c.channels, 3)},
                          {random_values(images * c.channels * c.height * c.width, 4)},
                          {},
                          4 * kEps * (1 + 2 * std::sqrt(terms))},
                         [&](auto in, auto out, auto) {
                           using T = Element<decltype(out[0])>;
                           std::vector<T> room(static_cast<size_t>(conv2d_transpose_nchw_scratch(c)),
                                               std::numeric_limits<T>::quiet_NaN());
                           conv2d_transpose_nchw(c, images, in[0], in[1], with_bias ? in[2] : nullptr, out[0],
                                                 room.data());
                         });
    }
}

// sum(y conv^T(x)) = sum(conv(y) x): the twin against that of the convolution, which is written apart.
TEST(ConvTranspose, IsTheTransposeOfTheConvolution) {
  for (const Conv2d& c : kAll) {
    const auto x = random_values(c.filters * c.places(), 1), w = random_values(c.filters * c.depth(), 2),
               y = random_values(c.channels * c.height * c.width, 3);
    std::vector<double> forward(x.size()), back(y.size());
    ref::conv2d_nchw<double>(c, 1, y.data(), w.data(), nullptr, forward.data());
    ref::conv2d_transpose_nchw<double>(c, 1, x.data(), w.data(), nullptr, back.data());
    double one = 0, other = 0;
    for (size_t i = 0; i < x.size(); ++i) one += forward[i] * x[i];
    for (size_t i = 0; i < y.size(); ++i) other += back[i] * y[i];
    EXPECT_NEAR(one, other, 1e-9 * (1 + std::abs(one)));
  }
}

}  // namespace
}  // namespace dws::kernels
