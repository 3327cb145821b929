// Whole zoos: every network draws what it drew, whatever the number of threads.
#include "align/align_zoo.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/file.h"
#include "core/parallel.h"
#include "core/text.h"
#include "inr/render.h"
#include "networks.h"
#include "testing.h"

namespace dws::align {
namespace {

using dws::testing::expect_error;
using dws::testing::moved;
using dws::testing::random_network;
using dws::testing::TempDir;

constexpr int64_t kCount = 70;

ZooInfo info_of(const std::string& activation) {
  ZooInfo info;
  info.arch = MlpArch::parse("2-12-9-3");
  info.channels = 3;
  info.activation = activation;
  info.image_height = info.image_width = 8;
  info.fit = Json::object({{"steps", Json(12)}});
  return info;
}

// kCount networks that have nothing to do with each other, but the even ones are network 0 in other bases.
struct Networks {
  explicit Networks(const std::string& activation) : info(info_of(activation)) {
    const symmetry::Layout layout = symmetry::mlp_layout(info.arch.dims);
    Rng rng(5);
    for (int64_t i = 0; i < kCount; ++i) {
      SignedElement h = random_signed(layout, rng);
      if (activation == "relu") h.sign = signed_identity(layout).sign;
      rows.push_back(i % 2 == 0 ? moved(layout, h, random_network(layout, 0))
                                : random_network(layout, static_cast<uint64_t>(i)));
      labels.push_back(i % 3 - 1);
      images.push_back(100 + i);
      psnr.push_back(static_cast<float>(i));
    }
  }
  void write(const std::string& path) const {
    ZooContent content;
    content.info = info;
    content.count = kCount;
    content.labels = labels;
    content.image_ids = images;
    content.psnr = psnr;
    content.context = this;
    content.network = [](const void* from, int64_t i) {
      return static_cast<const Networks*>(from)->rows[static_cast<size_t>(i)].data();
    };
    write_zoo(path, content, true);
  }
  ZooInfo info;
  std::vector<std::vector<float>> rows;
  std::vector<int64_t> labels, images;
  std::vector<float> psnr;
};

std::vector<float> network(const Zoo& zoo, int64_t i) {
  std::vector<float> params(static_cast<size_t>(zoo.info().arch.param_count()));
  zoo.read(i, params);
  return params;
}

std::vector<float> picture(const Zoo& zoo, int64_t i) {
  const Renderer renderer(zoo.info());
  std::vector<float> image(static_cast<size_t>(renderer.image_size()));
  renderer.draw(network(zoo, i), std::span<float>(image));
  return image;
}

class AlignZoo : public ::testing::TestWithParam<std::string> {};

TEST_P(AlignZoo, KeepsEveryFunctionAndColumn) {
  const TempDir dir;
  const Networks networks(GetParam());
  networks.write(dir / "zoo.safetensors");
  const Zoo zoo = Zoo::open(dir / "zoo.safetensors");
  AlignOutput output{.path = dir / "aligned.safetensors", .settings = Json::object({{"index", Json(0)}})};
  const std::vector<float> reference = network(zoo, 0);
  const AlignSummary summary = align_zoo(zoo, reference, {.signs = has_signs(zoo.info())}, output);
  EXPECT_EQ(summary.networks, kCount);
  EXPECT_GT(summary.cosine_after, 0.5 + summary.cosine_before);
  EXPECT_LE(summary.sweeps_mean, summary.sweeps_max);

  const Zoo aligned = Zoo::open(dir / "aligned.safetensors");
  ASSERT_EQ(aligned.size(), kCount);
  EXPECT_EQ(aligned.info().fit.dump(), zoo.info().fit.dump());
  EXPECT_EQ(aligned.info().align.at("cosine_after").as_double(), summary.cosine_after);
  double cosine = 0, worst = 0;
  for (int64_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(aligned.label(i), zoo.label(i));
    EXPECT_EQ(aligned.image_id(i), zoo.image_id(i));
    EXPECT_EQ(aligned.psnr(i), zoo.psnr(i));
    if (i % 2 == 0) {
      EXPECT_EQ(network(aligned, i), reference) << i;
    }
    const std::vector<float> before = picture(zoo, i), after = picture(aligned, i);
    double norm = 0, difference = 0;
    for (size_t k = 0; k < before.size(); ++k) {
      norm = std::max(norm, std::abs(double{before[k]}));
      difference = std::max(difference, std::abs(double{before[k]} - after[k]));
    }
    EXPECT_GT(norm, 0);
    // The sine of omega 30 makes the last digit of a sum's order into 30 of them.
    worst = std::max(worst, difference / norm);
    double product = 0, squares = 0, own = 0;
    const std::vector<float> row = network(aligned, i);
    for (size_t k = 0; k < row.size(); ++k) {
      product += double{reference[k]} * row[k];
      squares += double{reference[k]} * reference[k];
      own += double{row[k]} * row[k];
    }
    cosine += product / std::sqrt(squares * own) / kCount;
  }
  EXPECT_LE(worst, 2e-4);
  EXPECT_NEAR(summary.cosine_after, cosine, 1e-9);
}
INSTANTIATE_TEST_SUITE_P(Activations, AlignZoo, ::testing::Values("siren", "tanh", "relu"));

TEST(AlignZooBits, TheSameOnOneThreadAndTwo) {
  const TempDir dir;
  Networks("siren").write(dir / "zoo.safetensors");
  const Zoo zoo = Zoo::open(dir / "zoo.safetensors");
  for (const int count : {1, 2}) {
    set_threads(count);
    align_zoo(zoo, network(zoo, 1), {.signs = true, .seed = 3},
              {.path = dir / text("{}.safetensors", count)});
  }
  set_threads(0);
  EXPECT_EQ(read_text(dir / "1.safetensors"), read_text(dir / "2.safetensors"));
}

TEST(AlignZooFiles, ASingleNetworkStaysOne) {
  const TempDir dir;
  const Networks networks("tanh");
  write_network(dir / "one.safetensors", networks.info, networks.rows[4], {}, false);
  const Zoo one = Zoo::open(dir / "one.safetensors");
  align_zoo(one, networks.rows[0], {.signs = true}, {.path = dir / "aligned.safetensors"});
  const Zoo aligned = Zoo::open(dir / "aligned.safetensors");
  EXPECT_EQ(aligned.name(0), aligned.path());
  EXPECT_EQ(network(aligned, 0), networks.rows[0]);
}

TEST(AlignZooFiles, Refused) {
  const TempDir dir;
  Networks networks("relu");
  networks.write(dir / "zoo.safetensors");
  const Zoo zoo = Zoo::open(dir / "zoo.safetensors");
  const AlignOutput output{.path = dir / "out.safetensors"};
  expect_error(
      ErrorKind::usage, [&] { align_zoo(zoo, networks.rows[0], {.signs = true}, output); }, "relu");
  expect_error(ErrorKind::mismatch, [&] { align_zoo(zoo, std::vector<float>(3), {}, output); });
  write_text(output.path, "precious", false);
  expect_error(ErrorKind::exists, [&] { align_zoo(zoo, networks.rows[0], {}, output); });
  EXPECT_EQ(read_text(output.path), "precious");
  // Numbers whose products are beyond float: the network is named.
  for (float& x : networks.rows[5]) x = 3e38f;
  networks.write(dir / "huge.safetensors");
  const Zoo huge = Zoo::open(dir / "huge.safetensors");
  expect_error(
      ErrorKind::bad_value, [&] { align_zoo(huge, networks.rows[5], {}, {.path = dir / "x"}); },
      "huge.safetensors#");
  EXPECT_FALSE(std::filesystem::exists(dir / "x"));
}

}  // namespace
}  // namespace dws::align
