// Drawing: the grid of points, bytes, contact sheets.
#include "inr/render.h"

#include <cmath>

#include "helpers.h"

namespace dws {
namespace {

using testing::blob_images;
using testing::expect_error;
using testing::network;
using testing::quick_options;
using testing::TempDir;

ZooInfo info_of(int64_t height, int64_t width) {
  ZooInfo info;
  info.arch.dims = {2, 4, 1};
  info.image_height = height;
  info.image_width = width;
  return info;
}

TEST(Grid, RunsOverTheRangeWithColumnFirst) {
  const Field field(info_of(3, 5));
  const Buffer<float> grid = field.grid(3, 5);
  ASSERT_GE(grid.size(), 30u);
  EXPECT_EQ(grid[0], -1);
  EXPECT_EQ(grid[1], -1);
  EXPECT_EQ(grid[2 * 4], 1);       // end of the first row: x
  EXPECT_EQ(grid[2 * 4 + 1], -1);  // y
  EXPECT_EQ(grid[2 * 7], 0);       // the middle
  EXPECT_EQ(grid[2 * 7 + 1], 0);
  EXPECT_EQ(grid[2 * 14 + 1], 1);
  EXPECT_EQ(field.grid(1, 1)[0], 0);
}

TEST(Grid, FourierFeaturesAreSinesThenCosines) {
  ZooInfo info = info_of(3, 5);
  info.activation = "tanh";
  info.fourier_features = 3;
  info.fourier_scale = 2;
  info.fourier_seed = 9;
  info.arch.dims = {6, 4, 1};
  const std::vector<double> b = fourier_matrix(3, 2, 9);
  const Field field(info);
  const Buffer<float> grid = field.grid(3, 5);
  for (size_t f = 0; f < 3; ++f) {
    const double angle = 2 * M_PI * (b[2 * f] * -1 + b[2 * f + 1] * 0);  // first pixel of the middle row
    EXPECT_NEAR(grid[5 * 6 + f], std::sin(angle), 1e-6);
    EXPECT_NEAR(grid[5 * 6 + 3 + f], std::cos(angle), 1e-6);
  }
  const std::vector<double> half = fourier_matrix(3, 1, 9);
  EXPECT_DOUBLE_EQ(2 * half[4], b[4]);
  // A matrix in the zoo counts, not the seed.
  info.fourier_matrix = {0.25, 0, 0, 0.25, 0.125, 0};
  const Buffer<float> own = Field(info).grid(1, 3);
  EXPECT_NEAR(own[2 * 6], 1, 1e-6);  // last pixel, x = 1, y = 0: sin(pi / 2)
  EXPECT_NEAR(own[2 * 6 + 1], 0, 1e-6);
  EXPECT_NEAR(own[2 * 6 + 2], std::sqrt(0.5), 1e-6);
  EXPECT_NEAR(own[2 * 6 + 4], 1, 1e-6);
}

TEST(Field, RefusesWrongFourierFeatures) {
  ZooInfo info = info_of(3, 5);
  info.activation = "relu";
  info.fourier_features = 2;
  info.fourier_scale = 1;
  info.arch.dims = {4, 4, 1};
  EXPECT_NO_THROW(Field{info});
  const auto refused = [&](auto change, const std::string& part) {
    ZooInfo wrong = info;
    change(wrong);
    expect_error(
        ErrorKind::bad_schema, [&] { Field{wrong}; }, part);
  };
  refused([](ZooInfo& i) { i.fourier_scale = 0; }, "scale");
  refused([](ZooInfo& i) { i.fourier_scale = NAN; }, "scale");
  refused([](ZooInfo& i) { i.fourier_features = 1 << 24; }, "expected 0 to 4096");
  refused([](ZooInfo& i) { i.fourier_features = -1; }, "expected 0 to 4096");
  refused([](ZooInfo& i) { i.fourier_matrix = {1, 2, 3}; }, "expected 4 numbers, got 3");
  refused([](ZooInfo& i) { i.fourier_matrix = {1, 2, 3, INFINITY}; }, "not finite");
}

// f = W_1 sin(omega (W_0 x + b_0)) + b_1 + offset, written out.
TEST(Renderer, DrawsTheFormulaAtAnySize) {
  ZooInfo info = info_of(2, 2);
  info.arch.dims = {2, 1, 1};
  info.omega = 10;
  info.output_offset = 0.25;
  const std::vector<float> params = {0.1f, -0.2f, 0.05f, 0.4f, 0.1f};
  const Renderer renderer(info, 7, 3);
  std::vector<float> picture(21);
  std::vector<uint8_t> bytes(21);
  renderer.draw(params, picture);
  renderer.draw(params, bytes);
  for (int y = 0; y < 7; ++y)
    for (int x = 0; x < 3; ++x) {
      const double px = -1 + x, py = -1 + y / 3.0;
      const double want = 0.4 * std::sin(10 * (0.1 * px - 0.2 * py + 0.05)) + 0.1 + 0.25;
      EXPECT_NEAR(picture[static_cast<size_t>(3 * y + x)], want, 1e-6);
      EXPECT_NEAR(bytes[static_cast<size_t>(3 * y + x)], 255 * std::min(1.0, std::max(0.0, want)), 0.51);
    }
}

TEST(Renderer, ColoursAreInterleavedAndFitTheSource) {
  const TempDir dir;
  const Images images = blob_images(2, 8, 6, 3);
  FitOptions options = quick_options();
  options.arch = {};
  options.steps = 400;
  FitOutput output;
  output.path = dir / "zoo";
  fit_images(images, {}, options, output);
  const Zoo zoo = Zoo::open(output.path);
  EXPECT_EQ(zoo.info().channels, 3);
  const Renderer renderer(zoo.info());
  std::vector<float> picture(8 * 6 * 3);
  renderer.draw(network(zoo, 1), picture);
  EXPECT_NEAR(testing::psnr_against(picture, images, 1), *zoo.psnr(1), 1e-3);
  EXPECT_GT(*zoo.psnr(1), 25);
}

TEST(Renderer, NeedsASize) {
  expect_error(
      ErrorKind::usage, [] { Renderer(info_of(0, 0)); }, "how large");
  EXPECT_EQ(Renderer(info_of(0, 0), 5, 4).image_size(), 20);
}

class Sheet : public ::testing::Test {
 protected:
  void SetUp() override {
    FitOutput output;
    output.path = dir_ / "zoo";
    FitOptions options = quick_options();
    options.steps = 5;
    const std::vector<int64_t> labels = {1, 2, 3};
    fit_images(blob_images(3, 12, 12), labels, options, output);
  }
  TempDir dir_;
  const std::vector<int64_t> indices_ = {0, 1, 2};
};

TEST_F(Sheet, HasOneCellANetwork) {
  const Zoo zoo = Zoo::open(dir_ / "zoo");
  const Renderer renderer(zoo.info());
  const Images sheet = contact_sheet(renderer, zoo, indices_, {}, {.rows = 2, .columns = 2, .scale = 2});
  EXPECT_EQ(sheet.channels, 1);
  EXPECT_EQ(sheet.width, 2 * 24 + 3 * 3);
  EXPECT_EQ(sheet.height, 2 * 24 + 3 * 3);
  std::vector<uint8_t> picture(144);
  renderer.draw(network(zoo, 2), picture);
  for (int64_t y = 0; y < 24; ++y)  // the third network starts the second row
    for (int64_t x = 0; x < 24; ++x)
      ASSERT_EQ(sheet.pixels[static_cast<size_t>((3 + 24 + 3 + y) * sheet.width + 3 + x)],
                picture[static_cast<size_t>(y / 2 * 12 + x / 2)]);
  EXPECT_EQ(sheet.pixels[0], 255);
  EXPECT_EQ(sheet.pixels.back(), 255);  // the empty fourth cell
}

TEST_F(Sheet, CaptionsAreDrawnAndAlarmsAreRed) {
  const Zoo zoo = Zoo::open(dir_ / "zoo");
  const Renderer renderer(zoo.info());
  const SheetOptions options{.rows = 1, .columns = 3, .scale = 2};
  const std::vector<Caption> calm = {{"1", false}, {"", false}, {"3", false}};
  const std::vector<Caption> loud = {{"1", false}, {"7", true}, {"3", false}};
  const Images grey = contact_sheet(renderer, zoo, indices_, calm, options);
  const Images colour = contact_sheet(renderer, zoo, indices_, loud, options);
  EXPECT_EQ(grey.channels, 1);
  ASSERT_EQ(colour.channels, 3);
  EXPECT_EQ(grey.height, 24 + 9 + 6);
  const auto count_red = [&](int64_t from, int64_t to) {
    int64_t red = 0;
    for (int64_t y = 0; y < colour.height; ++y)
      for (int64_t x = from; x < to; ++x) {
        const uint8_t* pixel = colour.pixels.data() + (y * colour.width + x) * 3;
        red += pixel[0] > 150 && pixel[1] < 80;
      }
    return red;
  };
  EXPECT_EQ(count_red(0, 30), 0);
  EXPECT_EQ(count_red(30, 57), 11);  // the dots of a 7
  EXPECT_EQ(count_red(57, colour.width), 0);
}

TEST_F(Sheet, RefusesNothingAndTooMuch) {
  const Zoo zoo = Zoo::open(dir_ / "zoo");
  const Renderer renderer(zoo.info());
  expect_error(ErrorKind::empty, [&] { contact_sheet(renderer, zoo, {}, {}, {.rows = 1, .columns = 1}); });
  expect_error(ErrorKind::usage,
               [&] { contact_sheet(renderer, zoo, indices_, {}, {.rows = 0, .columns = 1}); });
  expect_error(ErrorKind::resource_limit,
               [&] { contact_sheet(renderer, zoo, indices_, {}, {.rows = 1, .columns = 3, .scale = 1000}); });
}

}  // namespace
}  // namespace dws
