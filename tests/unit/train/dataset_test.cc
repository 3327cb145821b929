#include "train/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "testing.h"
#include "tiny.h"

namespace dws::train {
namespace {

using testing::expect_error;
using testing::make_zoo;
using testing::TempDir;

TEST(Dataset, JoinsZoosOfOneNetwork) {
  TempDir dir;
  make_zoo(dir / "a", {.count = 5});
  make_zoo(dir / "b", {.count = 7, .first_image = 100});
  const Dataset data = Dataset::open({dir / "a", dir / "b"});
  EXPECT_EQ(data.size(), 12);
  EXPECT_EQ(data.image_ids()[5], 100);
  std::vector<float> first(static_cast<size_t>(data.info().arch.param_count())), other = first;
  data.read(5, first);
  Zoo::open(dir / "b").read(0, other);
  EXPECT_EQ(first, other);
  EXPECT_EQ(Dataset::open({dir / "a", dir / "b"}, 6).size(), 6);
}

TEST(Dataset, RefusesAnotherNetwork) {
  TempDir dir;
  make_zoo(dir / "a", {});
  make_zoo(dir / "b", {.dims = {2, 5, 3}});
  expect_error(ErrorKind::mismatch, [&] { Dataset::open({dir / "a", dir / "b"}); });
}

TEST(Dataset, NamesTheNetworkWithNan) {
  TempDir dir;
  make_zoo(dir / "a", {.bad_network = 17});
  const Dataset data = Dataset::open({dir / "a"});
  expect_error(
      ErrorKind::bad_value, [&] { data.check_values(); }, "17");
}

TEST(Dataset, RefusesLabelsMissingOrOutOfRange) {
  TempDir dir;
  make_zoo(dir / "a", {.labels = false});
  expect_error(
      ErrorKind::missing_tensor, [&] { Dataset::open({dir / "a"}).require_labels(0); }, "label");
  make_zoo(dir / "b", {.classes = 4});
  EXPECT_EQ(Dataset::open({dir / "b"}).require_labels(0), 4);
  expect_error(
      ErrorKind::bad_value, [&] { Dataset::open({dir / "b"}).require_labels(3); }, "label 3");
}

// What a reader gives of one sample.
struct Seen {
  std::vector<float> x, target;
  bool operator==(const Seen&) const = default;
};

Seen seen(const Part& part, const std::string& list, const weights::Mixup& mixup, int64_t sample,
          int64_t epoch, int64_t classes = 3, uint64_t seed = 1) {
  const auto& data = static_cast<const Dataset&>(*part.data);
  const auto params = data.info().arch.param_count();
  const auto normaliser = weights::Normaliser::identity(params);
  const Reader reader(data, part, normaliser, weights::parse_augmentation(list, "x"), mixup, seed);
  Seen s{std::vector<float>(static_cast<size_t>(params)), std::vector<float>(static_cast<size_t>(classes))};
  std::vector<float> scratch(static_cast<size_t>(reader.scratch_size(classes)));
  reader.read(sample, epoch, scratch, s.x, s.target);
  return s;
}

TEST(Reader, PermutesByEpochAndSampleAlone) {
  TempDir dir;
  make_zoo(dir / "a", {.dims = {2, 16, 3}});
  const Dataset data = Dataset::open({dir / "a"});
  const Part all = Part::all(data);
  std::vector<float> x = seen(all, "none", {}, 3, 0).x, first = seen(all, "permute", {}, 3, 0).x;
  EXPECT_EQ(first, seen(all, "permute", {}, 3, 0).x);
  EXPECT_NE(first, x);
  EXPECT_NE(first, seen(all, "permute", {}, 3, 1).x);
  std::sort(x.begin(), x.end());
  std::sort(first.begin(), first.end());
  EXPECT_EQ(x, first);  // the same numbers elsewhere
}

TEST(Reader, TargetIsTheLabel) {
  TempDir dir;
  make_zoo(dir / "a", {});
  const Dataset data = Dataset::open({dir / "a"});
  EXPECT_EQ(seen(Part::all(data), "permute", {}, 4, 0).target, (std::vector<float>{0, 1, 0}));
}

TEST(Reader, MixesTargetsWithTheLambdaOfTheNetworks) {
  TempDir dir;
  make_zoo(dir / "a", {});
  const Dataset data = Dataset::open({dir / "a"});
  // Odd networks alone may be seen.
  Part part{&data, {}};
  for (int64_t i = 1; i < data.size(); i += 2) part.samples.push_back(i);
  const auto read = [&](int64_t i) {
    std::vector<float> x(static_cast<size_t>(data.info().arch.param_count()));
    data.read(i, x);
    return x;
  };
  int mixed = 0;
  std::vector<int64_t> partners;
  for (int64_t epoch = 0; epoch < 40; ++epoch) {
    const Seen s = seen(part, "none", {weights::MixupKind::direct, 1}, 7, epoch);
    const std::vector<float> own = read(7);
    // Which network and which lambda explain the numbers?
    for (int64_t other = 0; other < data.size(); ++other) {
      const std::vector<float> b = read(other);
      const double lambda = static_cast<double>(s.x[0] - b[0]) / static_cast<double>(own[0] - b[0]);
      double worst = 0;
      for (size_t p = 0; p < b.size(); ++p)
        worst =
            std::max(worst, std::abs(lambda * double(own[p]) + (1 - lambda) * double(b[p]) - double(s.x[p])));
      if (other == 7 || !(worst < 1e-4) || !(lambda >= -1e-4 && lambda <= 1 + 1e-4)) continue;
      ++mixed;
      partners.push_back(other);
      std::vector<double> expected(3, 0.0);
      expected[static_cast<size_t>(data.labels()[7])] += lambda;
      expected[static_cast<size_t>(data.labels()[static_cast<size_t>(other)])] += 1 - lambda;
      for (size_t k = 0; k < 3; ++k) EXPECT_NEAR(double(s.target[k]), expected[k], 1e-3);
    }
  }
  EXPECT_EQ(mixed, 40);
  std::sort(partners.begin(), partners.end());
  EXPECT_GT(std::unique(partners.begin(), partners.end()) - partners.begin(), 15);
  for (const int64_t p : partners) EXPECT_EQ(p % 2, 1) << "a network of another part";
}

TEST(Reader, MixingDependsOnSeedEpochAndSampleAlone) {
  TempDir dir;
  make_zoo(dir / "a", {});
  const Dataset data = Dataset::open({dir / "a"});
  const Part part{&data, {5, 4, 3, 2, 1, 0}}, sorted{&data, {0, 1, 2, 3, 4, 5}};
  const weights::Mixup mixup{weights::MixupKind::permuted, 0.4};
  const Seen first = seen(part, "sign,noise=0.1", mixup, 3, 1);
  EXPECT_EQ(seen(sorted, "sign,noise=0.1", mixup, 3, 1), first);
  EXPECT_FALSE(seen(part, "sign,noise=0.1", mixup, 3, 2) == first);
  EXPECT_FALSE(seen(part, "sign,noise=0.1", mixup, 3, 1, 3, 2) == first);
}

TEST(Dataset, ReadsSoftLabelsAndMixtures) {
  TempDir dir;
  make_zoo(dir / "hard", {.count = 4});
  make_zoo(dir / "soft", {.count = 4, .soft = true});
  const Dataset data = Dataset::open({dir / "hard", dir / "soft"});
  EXPECT_EQ(data.require_labels(0), 4);  // soft labels of four classes
  expect_error(
      ErrorKind::bad_value, [&] { data.require_labels(3); }, "4 classes");
  std::vector<float> row(4);
  data.target(1, row);
  EXPECT_EQ(row, (std::vector<float>{0, 1, 0, 0}));
  data.target(5, row);
  EXPECT_EQ(row, (std::vector<float>{0, 0.75, 0.25, 0}));
  ASSERT_EQ(data.mixed_image_ids().size(), 8u);
  EXPECT_EQ(data.mixed_image_ids()[1], 1);
  EXPECT_EQ(data.mixed_image_ids()[5], 2);
  EXPECT_TRUE(Dataset::open({dir / "hard"}).mixed_image_ids().empty());
  int mixtures = 0;
  data.each_image([&](const std::string&, int64_t image, int64_t mixed) { mixtures += image != mixed; });
  EXPECT_EQ(mixtures, 4);
}

TEST(Dataset, FindsBothImagesOfAMixtureInAnotherFile) {
  TempDir dir;
  make_zoo(dir / "soft", {.count = 3, .soft = true});  // images 0+1, 1+2, 2+3
  make_zoo(dir / "third", {.count = 1, .first_image = 3});
  make_zoo(dir / "fourth", {.count = 1, .first_image = 4});
  const Dataset mixed = Dataset::open({dir / "soft"});
  EXPECT_EQ(shared_images(mixed, Dataset::open({dir / "third"})), 1);
  EXPECT_EQ(shared_images(Dataset::open({dir / "third"}), mixed), 1);
  EXPECT_EQ(shared_images(mixed, Dataset::open({dir / "fourth"})), 0);
}

TEST(Normaliser, IsFittedToTheTrainingPartAlone) {
  TempDir dir;
  make_zoo(dir / "a", {.count = 20});
  const Dataset data = Dataset::open({dir / "a"});
  const auto half = fit_normaliser(data, {&data, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}});
  const auto whole = fit_normaliser(data, Part::all(data));
  EXPECT_EQ(half.mean.size(), static_cast<size_t>(data.info().arch.param_count()));
  EXPECT_NE(half.mean, whole.mean);
}

}  // namespace
}  // namespace dws::train
