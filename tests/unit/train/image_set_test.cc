#include "train/image_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/file.h"
#include "testing.h"

namespace dws::train {
namespace {

using testing::data_path;
using testing::expect_error;
using testing::TempDir;

const std::string kImages = data_path("mnist-600-images-idx3-ubyte"),
                  kLabels = data_path("mnist-600-labels-idx1-ubyte");

// 3 x 5 pictures whose pixel is 10 i + 5 h + w.
void make_pictures(const std::string& path, int64_t count, int64_t height = 3, int64_t width = 5) {
  Images images{.count = count, .height = height, .width = width, .channels = 1, .pixels = {}};
  for (int64_t i = 0; i < count; ++i)
    for (int64_t p = 0; p < height * width; ++p) images.pixels.push_back(static_cast<uint8_t>(10 * i + p));
  write_idx_images(path, images, false);
}

TEST(ImageSet, FindsTheLabelsBesideThePictures) {
  const ImageSet set = ImageSet::open({kImages}, {});
  EXPECT_EQ(set.size(), 600);
  EXPECT_EQ(set.classes(), 10);
  EXPECT_EQ(set.files(), (std::vector<std::string>{kImages, kLabels}));
  const std::vector<int64_t> labels = read_labels(kLabels);
  EXPECT_TRUE(std::equal(labels.begin(), labels.end(), set.labels().begin(), set.labels().end()));
  EXPECT_EQ(ImageSet::open({kImages, kImages}, {}, 700).size(), 700);
}

TEST(ImageSet, AFolderOfCifarBatchesIsItsBatchesInOrder) {
  TempDir dir;
  for (const char* name : {"data_batch_2.bin", "data_batch_1.bin", "test_batch.bin"})
    write_text(dir / name, std::string(1, name[11] == '1' ? '\1' : '\2') + std::string(3072, '\7'), false);
  const ImageSet set = ImageSet::open({dir.path()}, {});
  ASSERT_EQ(set.size(), 2);
  EXPECT_EQ(set.labels()[0], 1);
  EXPECT_EQ(set.labels()[1], 2);
  EXPECT_EQ(set.channels(), 3);
}

TEST(ImageSet, NamesWhatDoesNotFit) {
  TempDir dir;
  make_pictures(dir / "a", 2);
  expect_error(
      ErrorKind::usage, [&] { ImageSet::open({dir / "a"}, {}); }, "no labels");
  expect_error(
      ErrorKind::mismatch, [&] { ImageSet::open({dir / "a"}, {kLabels}); }, "600 labels for the 2 pictures");
  write_idx_labels(dir / "l", {1, 0}, false);
  make_pictures(dir / "b", 2, 5, 3);
  expect_error(
      ErrorKind::mismatch,
      [&] {
        ImageSet::open({dir / "a", dir / "b"}, {dir / "l", dir / "l"});
      },
      "5 x 3 x 1");
  write_text(dir / "text", "1\n-1\n", false);
  expect_error(
      ErrorKind::bad_value, [&] { ImageSet::open({dir / "a"}, {dir / "text"}); }, "label -1 of picture 1");
  const ImageSet a = ImageSet::open({dir / "a"}, {dir / "l"}), b = ImageSet::open({dir / "b"}, {dir / "l"});
  expect_error(
      ErrorKind::mismatch, [&] { a.require_same(b, 2); }, "5 x 3");
  expect_error(
      ErrorKind::mismatch, [&] { a.require_same(a, 1); }, "label 1");
}

TEST(ImageSet, ColoursAreMeanAndDeviation) {
  TempDir dir;
  make_pictures(dir / "a", 2);
  write_idx_labels(dir / "l", {1, 0}, false);
  const ImageSet set = ImageSet::open({dir / "a"}, {dir / "l"});
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t p = 0; p < 15; ++p) {
      const double v = static_cast<double>(10 * i + p) / 255;
      sum += v;
      squares += v * v;
    }
  const ImageSet::Colours colours = set.colours();
  ASSERT_EQ(colours.mean.size(), 1u);
  EXPECT_NEAR(colours.mean[0], sum / 30, 1e-12);
  EXPECT_NEAR(colours.deviation[0], std::sqrt(squares / 30 - sum / 30 * sum / 30), 1e-12);
  const weights::Normaliser n = colour_normaliser(set, colours);
  std::vector<float> x(15);
  set.read(1, x);
  n.apply(x, x);
  EXPECT_NEAR(x[7], (17.0 / 255 - colours.mean[0]) / colours.deviation[0], 1e-5);
}

TEST(ImageReader, MovesAndMirrorsWholePictures) {
  TempDir dir;
  make_pictures(dir / "a", 1);
  write_idx_labels(dir / "l", {1}, false);
  const ImageSet set = ImageSet::open({dir / "a"}, {dir / "l"});
  const auto plain = weights::Normaliser::identity(15);
  const auto seen = [&](const std::string& how, int64_t epoch, uint64_t seed = 1) {
    const ImageReader reader(set, plain, parse_image_augmentation(how), seed);
    std::vector<float> x(15), scratch(static_cast<size_t>(reader.scratch_size(2))), target(2);
    reader.read(0, epoch, scratch, x, target);
    EXPECT_EQ(target, (std::vector<float>{0, 1}));
    for (float& v : x) v = std::round(v * 255);
    return x;
  };
  // All that a crop by at most one pixel and a mirror can give, by hand; each must come and nothing else.
  std::vector<std::vector<float>> possible;
  for (int flip : {0, 1})
    for (int down : {-1, 0, 1})
      for (int across : {-1, 0, 1}) {
        possible.emplace_back();
        for (int h = 0; h < 3; ++h)
          for (int w = 0; w < 5; ++w) {
            const int from_h = h + down, from_w = (flip ? 4 - w : w) + across;
            const bool inside = from_h >= 0 && from_h < 3 && from_w >= 0 && from_w < 5;
            possible.back().push_back(inside ? static_cast<float>(5 * from_h + from_w) : 0);
          }
      }
  std::vector<int> count(possible.size());
  for (int64_t epoch = 0; epoch < 400; ++epoch) {
    const auto at = std::find(possible.begin(), possible.end(), seen("flip,crop=1", epoch));
    ASSERT_NE(at, possible.end()) << epoch;
    ++count[static_cast<size_t>(at - possible.begin())];
  }
  for (const int n : count) EXPECT_GT(n, 4);
  EXPECT_EQ(seen("none", 3), possible[4]);
  EXPECT_EQ(seen("flip,crop=1", 3), seen("flip,crop=1", 3));
  EXPECT_EQ(parse_image_augmentation("flip,crop").str(), "flip,crop=4");
  EXPECT_EQ(parse_image_augmentation("none").str(), "none");
  expect_error(
      ErrorKind::usage, [] { parse_image_augmentation("flip,permute"); }, "no 'permute'");
  expect_error(
      ErrorKind::usage, [] { parse_image_augmentation("crop=-1"); }, "crop=-1");
}

}  // namespace
}  // namespace dws::train
