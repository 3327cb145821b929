#include "train/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>

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

TEST(Reader, PermutesByEpochAndSampleAlone) {
  TempDir dir;
  make_zoo(dir / "a", {.dims = {2, 16, 3}});
  const Dataset data = Dataset::open({dir / "a"});
  const auto params = data.info().arch.param_count();
  const auto normaliser = weights::Normaliser::identity(params);
  const Reader plain(data, normaliser, {}, 1), permuting(data, normaliser, {.permute = true}, 1);
  std::vector<float> scratch(static_cast<size_t>(params)), x = scratch, first = scratch, again = scratch,
                                                           next = scratch;
  plain.read(3, 0, scratch, x);
  permuting.read(3, 0, scratch, first);
  permuting.read(4, 0, scratch, next);
  permuting.read(3, 0, scratch, again);
  permuting.read(3, 1, scratch, next);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, x);
  EXPECT_NE(first, next);
  std::sort(x.begin(), x.end());
  std::sort(first.begin(), first.end());
  EXPECT_EQ(x, first);  // the same numbers elsewhere
}

TEST(Normaliser, IsFittedToTheTrainingPartAlone) {
  TempDir dir;
  make_zoo(dir / "a", {.count = 20});
  const Dataset data = Dataset::open({dir / "a"});
  const auto half = fit_normaliser({&data, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}});
  const auto whole = fit_normaliser(Part::all(data));
  EXPECT_EQ(half.mean.size(), static_cast<size_t>(data.info().arch.param_count()));
  EXPECT_NE(half.mean, whole.mean);
}

}  // namespace
}  // namespace dws::train
