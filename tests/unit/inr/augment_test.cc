// The exact augmentations, proved by drawing before and after.
#include "weights/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "inr/render.h"
#include "testing.h"
#include "weights/image_map.h"

namespace dws {
namespace {

constexpr int64_t kSide = 24;

ZooInfo kind(const std::string& activation, double low = -1, double high = 1) {
  ZooInfo info;
  info.arch.dims = {2, 32, 32, 1};
  info.activation = activation;
  info.range[0] = low;
  info.range[1] = high;
  return info;
}

// Numbers of about the size that fits have.
std::vector<float> network(const ZooInfo& info, uint64_t seed) {
  std::vector<float> x(static_cast<size_t>(info.arch.param_count()));
  Rng rng(seed);
  const double size = info.activation == "siren" ? 0.06 : 0.6;
  for (float& v : x) v = static_cast<float>(size * rng.normal());
  return x;
}

std::vector<float> drawn(const ZooInfo& info, std::span<const float> params) {
  const Renderer renderer(info, kSide, kSide);
  std::vector<float> image(static_cast<size_t>(renderer.image_size()));
  renderer.draw(params, image);
  return image;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = a.size() == b.size() ? 0 : 1e9;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return worst;
}

double contrast(const std::vector<float>& image) {
  return static_cast<double>(*std::max_element(image.begin(), image.end())) -
         static_cast<double>(*std::min_element(image.begin(), image.end()));
}

std::vector<float> augmented(const ZooInfo& info, std::vector<float> x, const std::string& list,
                             int64_t sample = 0) {
  const weights::Augmenter augmenter(info, weights::parse_augmentation(list, "x"), {}, 4, "zoo");
  std::vector<float> scratch(x.size());
  augmenter.apply(0, sample, x, scratch);
  return x;
}

TEST(ExactAugmentation, SymmetriesDrawTheSamePicture) {
  for (const auto& [activation, list] : {std::pair{"siren", "permute"},
                                         {"siren", "sign"},
                                         {"siren", "phase"},
                                         {"siren", "phase=4"},
                                         {"siren", "permute,sign,phase"},
                                         {"tanh", "permute,sign"},
                                         {"relu", "permute,scale=1"}}) {
    const ZooInfo info = kind(activation);
    for (uint64_t seed = 0; seed < 5; ++seed) {
      const std::vector<float> before = network(info, seed);
      const std::vector<float> after = augmented(info, before, list, static_cast<int64_t>(seed));
      EXPECT_NE(before, after);
      const std::vector<float> a = drawn(info, before), b = drawn(info, after);
      EXPECT_TRUE(largest_difference(a, b) <= 5e-5 && contrast(a) > 0.1)
          << activation << " " << list << " " << largest_difference(a, b);
    }
  }
}

// pixel(row, column) of the unmoved picture that stands at (row, column) of the moved one.
template <class From>
void expect_moved(const ZooInfo& info, const std::string& list, From from) {
  const std::vector<float> before = network(info, 7), image = drawn(info, before);
  const std::vector<float> moved = drawn(info, augmented(info, before, list));
  std::vector<float> expected(image.size());
  for (int64_t r = 0; r < kSide; ++r)
    for (int64_t c = 0; c < kSide; ++c) {
      const auto [row, column] = from(r, c);
      expected[static_cast<size_t>(r * kSide + c)] = image[static_cast<size_t>(row * kSide + column)];
    }
  EXPECT_TRUE(largest_difference(moved, expected) <= 5e-5)
      << list << " " << largest_difference(moved, expected);
  EXPECT_GT(largest_difference(moved, image), 0.02) << list;
}

TEST(ExactAugmentation, QuarterTurnsMovePixelsOntoPixels) {
  for (const ZooInfo& info : {kind("siren"), kind("relu"), kind("tanh"), kind("siren", 0, 1)}) {
    // Clockwise: the first row was the first column, read upwards.
    expect_moved(info, "rotate=90:90", [](int64_t r, int64_t c) { return std::pair{kSide - 1 - c, r}; });
    expect_moved(info, "rotate=180:180", [](int64_t r, int64_t c) {
      return std::pair{kSide - 1 - r, kSide - 1 - c};
    });
    expect_moved(info, "rotate=-90:-90", [](int64_t r, int64_t c) { return std::pair{c, kSide - 1 - r}; });
  }
}

TEST(ExactAugmentation, ReflectionIsTheMirroredPictureOrTheSame) {
  const ZooInfo info = kind("siren", 0, 2);
  const std::vector<float> before = network(info, 8), image = drawn(info, before);
  std::vector<float> mirrored(image.size());
  for (size_t i = 0; i < image.size(); ++i) mirrored[i] = image[i / kSide * kSide + (kSide - 1 - i % kSide)];
  int same = 0, other = 0;
  for (int64_t sample = 0; sample < 40; ++sample) {
    const std::vector<float> b = drawn(info, augmented(info, before, "reflect", sample));
    same += largest_difference(b, image) <= 5e-5;
    other += largest_difference(b, mirrored) <= 5e-5;
  }
  EXPECT_EQ(same + other, 40);
  EXPECT_TRUE(same > 8 && other > 8) << same;
}

// Any movement: what stood at x stands at middle + zoom R F (x - middle) + move afterwards.
TEST(ExactAugmentation, EveryMovementCarriesPointsWhereItSays) {
  Rng rng(9);
  for (const double middle : {0.0, 0.5})
    for (const weights::Movement& m :
         {weights::Movement{.degrees = 33},
          {.zoom = 1.7},
          {.zoom = 0.6},
          {.move_x = 0.3, .move_y = -0.2},
          {.mirror = true},
          {.mirror = true, .degrees = 200, .zoom = 1.3, .move_x = -0.1, .move_y = 0.4}}) {
      const ZooInfo info = kind("siren", middle - 1, middle + 1);
      const Field field(info);
      constexpr int64_t kPoints = 64;
      Buffer<float> here(2 * kPoints), there(2 * kPoints);
      const double angle = m.degrees * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
      for (size_t i = 0; i < kPoints; ++i) {
        const double x = rng.uniform(-1, 1), y = rng.uniform(-1, 1), u = m.mirror ? -x : x;
        here[2 * i] = static_cast<float>(middle + x);
        here[2 * i + 1] = static_cast<float>(middle + y);
        there[2 * i] = static_cast<float>(middle + m.zoom * (c * u - s * y) + m.move_x);
        there[2 * i + 1] = static_cast<float>(middle + m.zoom * (s * u + c * y) + m.move_y);
      }
      const std::vector<float> before = network(info, 10);
      std::vector<float> after = before, a(kPoints), b(kPoints);
      weights::act(symmetry::mlp_layout(info.arch.dims), weights::image_map(m, middle), after.data());
      field.evaluate(before, here.span(), kPoints, a);
      field.evaluate(after, there.span(), kPoints, b);
      EXPECT_TRUE(largest_difference(a, b) <= 5e-5) << largest_difference(a, b);
      EXPECT_GT(contrast(a), 0.1);
      EXPECT_NE(before, after);
    }
}

TEST(ExactAugmentation, DrawsStayWithinTheirIntervals) {
  // A network whose first layer says what was done to it: W_0 the identity twice over, no bias.
  ZooInfo info = kind("siren");
  std::vector<float> x = network(info, 11);
  for (size_t i = 0; i < 64; ++i) x[i] = i % 4 == 0 || i % 4 == 3 ? 1.0f : 0.0f;
  std::fill_n(x.begin() + 64, 32, 0.0f);
  double widest = 0, largest = 0, smallest = 1e9, farthest = 0;
  for (int64_t sample = 0; sample < 300; ++sample) {
    const std::vector<float> turned = augmented(info, x, "rotate=15", sample);
    widest = std::max(widest, std::abs(std::atan2(turned[1], turned[0])) * 180 / std::numbers::pi);
    const double zoom = 1 / static_cast<double>(augmented(info, x, "zoom=0.1", sample)[0]);
    largest = std::max(largest, zoom);
    smallest = std::min(smallest, zoom);
    const std::vector<float> moved = augmented(info, x, "translate=0.2", sample);
    farthest = std::max(
        {farthest, std::abs(static_cast<double>(moved[64])), std::abs(static_cast<double>(moved[65]))});
    EXPECT_NE(moved[64], moved[65]);
  }
  EXPECT_TRUE(widest > 14.5 && widest <= 15.0001) << widest;
  EXPECT_TRUE(largest > 1.095 && largest <= 1.10001) << largest;
  EXPECT_TRUE(smallest < 0.905 && smallest >= 0.89999) << smallest;
  EXPECT_TRUE(farthest > 0.195 && farthest <= 0.20001) << farthest;
}

}  // namespace
}  // namespace dws
