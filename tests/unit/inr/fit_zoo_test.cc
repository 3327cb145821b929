// Whole zoos: selection, determinism, resuming, and pictures that agree with what the zoo says.
#include "inr/fit_zoo.h"

#include <filesystem>
#include <fstream>

#include "core/file.h"
#include "core/interrupt.h"
#include "core/parallel.h"
#include "helpers.h"
#include "inr/render.h"

namespace dws {
namespace {

using testing::blob_images;
using testing::expect_error;
using testing::network;
using testing::quick_options;
using testing::TempDir;

const std::vector<int64_t> kLabels = {4, 1, 7, 7, 0, 2, 9};

class FitZoo : public ::testing::Test {
 protected:
  void TearDown() override {
    set_interrupted(false);
    set_threads(0);
  }
  FitSummary fit(const std::string& name, const FitOptions& options,
                 const std::function<void(int64_t)>& each = {}, bool force = false) {
    FitOutput output;
    output.path = dir_ / name;
    output.force = force;
    return fit_images(images_, kLabels, options, output, each);
  }
  std::string bytes(const std::string& name) { return read_text(dir_ / name); }

  TempDir dir_;
  Images images_ = blob_images(7, 10, 9);
};

TEST_F(FitZoo, LabelsImageIdsAndPsnrStandInTheZoo) {
  const FitSummary summary = fit("zoo", quick_options());
  EXPECT_EQ(summary.networks, 7);
  EXPECT_EQ(summary.resumed, 0);
  const Zoo zoo = Zoo::open(dir_ / "zoo");
  ASSERT_EQ(zoo.size(), 7);
  EXPECT_EQ(zoo.info().image_height, 10);
  EXPECT_EQ(zoo.info().image_width, 9);
  const Renderer renderer(zoo.info());
  std::vector<float> picture(90);
  double mean = 0;
  for (int64_t i = 0; i < 7; ++i) {
    EXPECT_EQ(zoo.label(i), kLabels[static_cast<size_t>(i)]);
    EXPECT_EQ(zoo.image_id(i), i);
    renderer.draw(network(zoo, i), picture);
    ASSERT_TRUE(zoo.psnr(i).has_value());
    EXPECT_NEAR(testing::psnr_against(picture, images_, i), *zoo.psnr(i), 1e-3);
    mean += *zoo.psnr(i) / 7;
  }
  EXPECT_NEAR(summary.psnr_mean, mean, 1e-6);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "zoo.partial"));
}

// Through the file: the Fourier matrix and the activation are read back, not remembered.
TEST_F(FitZoo, OtherActivationsDrawWhatTheyWereFittedTo) {
  for (const std::string activation : {"relu", "tanh"}) {
    for (const int features : {0, 6}) {
      FitOptions options = quick_options();
      options.activation = activation;
      options.fourier_features = features;
      options.fourier_scale = 0.7;
      options.seed = 5;
      const std::string name = activation + std::to_string(features);
      fit(name, options);
      const Zoo zoo = Zoo::open(dir_ / name);
      ASSERT_EQ(zoo.info().activation, activation);
      EXPECT_EQ(zoo.info().fourier_matrix.size(), 2 * static_cast<size_t>(features));
      const Renderer renderer(zoo.info());
      std::vector<float> picture(90);
      for (int64_t i = 0; i < zoo.size(); ++i) {
        renderer.draw(network(zoo, i), picture);
        EXPECT_NEAR(testing::psnr_against(picture, images_, i), zoo.psnr(i).value(), 1e-3) << name;
      }
    }
  }
}

// PSNR of network i's picture, as bytes through a PNG file, against its source image.
double written_psnr(const Zoo& zoo, int64_t i, const Images& images, const std::string& file) {
  const Renderer renderer(zoo.info());
  std::vector<uint8_t> bytes(static_cast<size_t>(renderer.image_size()));
  renderer.draw(network(zoo, i), bytes);
  write_png(file, bytes.data(), renderer.height(), renderer.width(), renderer.channels(), true);
  std::vector<float> picture;
  for (const uint8_t pixel : read_images(file).pixels) picture.push_back(static_cast<float>(pixel) / 255.0f);
  return testing::psnr_against(picture, images, i);
}

TEST_F(FitZoo, WrittenPicturesHaveThePsnrOfTheZoo) {
  for (const int64_t channels : {1, 3}) {
    images_ = blob_images(3, 12, 13, channels);
    FitOptions options = quick_options();
    options.arch.dims.back() = channels;
    options.steps = 300;
    const std::string name = "zoo" + std::to_string(channels);
    FitOutput output;
    output.path = dir_ / name;
    fit_images(images_, {}, options, output);
    const Zoo zoo = Zoo::open(output.path);
    for (int64_t i = 0; i < zoo.size(); ++i)
      EXPECT_NEAR(written_psnr(zoo, i, images_, dir_ / "a.png"), zoo.psnr(i).value(), 0.1);
  }
}

// Digits are black and white at the ends of the range: what a network draws beyond them is clipped, which can
// only bring it closer to the image.
TEST_F(FitZoo, WrittenDigitsAreAsGoodAsTheZooSays) {
  images_ = read_images(testing::data_path("mnist-600-images-idx3-ubyte"));
  FitOptions options;
  options.limit = 2;
  options.steps = 300;
  FitOutput output;
  output.path = dir_ / "zoo";
  fit_images(images_, {}, options, output);
  const Zoo zoo = Zoo::open(output.path);
  for (int64_t i = 0; i < zoo.size(); ++i) {
    const double written = written_psnr(zoo, i, images_, dir_ / "a.png"), stored = zoo.psnr(i).value();
    EXPECT_TRUE(written > stored - 0.1 && written < stored + 1) << written << " for " << stored;
  }
}

TEST_F(FitZoo, BitsDoNotDependOnThreads) {
  set_threads(1);
  fit("one", quick_options());
  set_threads(3);
  fit("three", quick_options());
  EXPECT_EQ(bytes("one"), bytes("three"));
}

TEST_F(FitZoo, ShardsHoldTheNetworksOfTheWhole) {
  FitOptions options = quick_options();
  options.views = 2;
  options.limit = 5;
  fit("whole", options);
  const Zoo whole = Zoo::open(dir_ / "whole");
  ASSERT_EQ(whole.size(), 10);
  int64_t found = 0;
  for (int64_t shard = 0; shard < 3; ++shard) {
    options.shard_index = shard;
    options.shard_count = 3;
    const std::string name = "shard" + std::to_string(shard);
    fit(name, options);
    const Zoo part = Zoo::open(dir_ / name);
    for (int64_t i = 0; i < part.size(); ++i, ++found) {
      const int64_t image = part.image_id(i);
      EXPECT_EQ(image % 3, shard);
      EXPECT_EQ(network(part, i), network(whole, 2 * image + i % 2));
      EXPECT_EQ(part.label(i), kLabels[static_cast<size_t>(image)]);
    }
  }
  EXPECT_EQ(found, 10);
}

TEST_F(FitZoo, ViewsStandSideBySideAndDiffer) {
  FitOptions options = quick_options();
  options.views = 3;
  options.limit = 2;
  fit("zoo", options);
  const Zoo zoo = Zoo::open(dir_ / "zoo");
  ASSERT_EQ(zoo.size(), 6);
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(zoo.image_id(i), i / 3);
  EXPECT_NE(network(zoo, 0), network(zoo, 1));
  EXPECT_NE(network(zoo, 0), network(zoo, 3));
  // The first view is what a fit of one view makes.
  options.views = 1;
  fit("one", options);
  EXPECT_EQ(network(Zoo::open(dir_ / "one"), 1), network(zoo, 3));
}

TEST_F(FitZoo, ACutRunContinuesToTheSameBits) {
  set_threads(2);
  fit("whole", quick_options());
  for (const size_t torn : {size_t{0}, size_t{1}, size_t{5}, size_t{700}}) {
    const std::string name = "cut" + std::to_string(torn);
    expect_error(
        ErrorKind::interrupted,
        [&] {
          fit(name, quick_options(), [](int64_t done) {
            if (done >= 4) set_interrupted(true);
          });
        },
        "networks are done");
    set_interrupted(false);
    EXPECT_FALSE(std::filesystem::exists(dir_ / name));
    const std::string journal = dir_ / (name + ".partial");
    ASSERT_TRUE(std::filesystem::exists(journal));
    std::filesystem::resize_file(journal, std::filesystem::file_size(journal) - torn);
    const FitSummary summary = fit(name, quick_options());
    EXPECT_GE(summary.resumed, 2);
    EXPECT_LT(summary.resumed, 7);
    EXPECT_EQ(bytes(name), bytes("whole")) << "journal cut by " << torn;
    EXPECT_FALSE(std::filesystem::exists(journal));
  }
}

TEST_F(FitZoo, ADamagedRecordIsDoneAgain) {
  set_threads(1);
  fit("whole", quick_options());
  expect_error(ErrorKind::interrupted, [&] {
    fit("cut", quick_options(), [](int64_t done) {
      if (done >= 4) set_interrupted(true);
    });
  });
  set_interrupted(false);
  std::string journal = bytes("cut.partial");
  journal[journal.size() - 30] = static_cast<char>(journal[journal.size() - 30] ^ 1);
  write_text(dir_ / "cut.partial", journal, true);
  EXPECT_EQ(fit("cut", quick_options()).resumed, 3);
  EXPECT_EQ(bytes("cut"), bytes("whole"));
}

TEST_F(FitZoo, AJournalOfOtherSettingsIsRefusedUnlessForced) {
  const auto stop = [](int64_t done) {
    if (done >= 2) set_interrupted(true);
  };
  expect_error(ErrorKind::interrupted, [&] { fit("zoo", quick_options(), stop); });
  set_interrupted(false);
  FitOptions other = quick_options();
  other.lr = 2e-3;
  expect_error(
      ErrorKind::mismatch, [&] { fit("zoo", other); }, "zoo.partial");
  EXPECT_EQ(fit("zoo", other, {}, true).resumed, 0);
  EXPECT_EQ(Zoo::open(dir_ / "zoo").size(), 7);
  expect_error(ErrorKind::exists, [&] { fit("zoo", other); });
  write_text(dir_ / "new.partial",
             "some notes of mine, longer than a header of a journal would ever be, surely", false);
  expect_error(
      ErrorKind::mismatch, [&] { fit("new", other); }, "not the journal of a fit");
}

TEST_F(FitZoo, RefusesWrongLabelsAndEmptySelections) {
  FitOutput output;
  output.path = dir_ / "zoo";
  const std::vector<int64_t> few = {1, 2};
  expect_error(
      ErrorKind::mismatch, [&] { fit_images(images_, few, quick_options(), output); },
      "2 labels for 7 images");
  FitOptions options = quick_options();
  options.shard_count = 20;
  options.shard_index = 19;
  expect_error(
      ErrorKind::empty, [&] { fit("zoo", options); }, "shard 19/20");
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

// The default recipe on real digits lands where the published networks are: moments of the released MNIST set
// (see README, data) and the fits' own PSNR. Few networks here, hence wide bands.
TEST_F(FitZoo, DefaultRecipeOnRealDigits) {
  images_ = read_images(testing::data_path("mnist-600-images-idx3-ubyte"));
  FitOptions options;
  options.limit = 12;
  FitOutput output;
  output.path = dir_ / "zoo";
  const FitSummary summary = fit_images(images_, {}, options, output);
  EXPECT_TRUE(summary.psnr_mean > 24 && summary.psnr_mean < 27.5) << summary.psnr_mean;
  EXPECT_TRUE(summary.psnr_min > 20 && summary.psnr_max < 33) << summary.psnr_min << " " << summary.psnr_max;
  EXPECT_EQ(summary.steps, 12 * 1500);
  const Zoo zoo = Zoo::open(output.path);
  EXPECT_FALSE(zoo.has_labels());
  struct Part {
    size_t begin, end;
    double deviation;
  };
  for (const Part part : {Part{0, 64, 0.0628},
                          {64, 96, 0.0213},
                          {96, 1120, 0.0180},
                          {1120, 1152, 0.0110},
                          {1152, 1184, 0.1182}}) {
    double squares = 0;
    for (int64_t i = 0; i < zoo.size(); ++i) {
      const std::vector<float> params = network(zoo, i);
      for (size_t k = part.begin; k < part.end; ++k) squares += params[k] * params[k];
    }
    const double deviation =
        std::sqrt(squares / static_cast<double>(zoo.size()) / static_cast<double>(part.end - part.begin));
    EXPECT_TRUE(std::fabs(deviation / part.deviation - 1) < 0.1) << part.begin << ": " << deviation;
  }
}

}  // namespace
}  // namespace dws
