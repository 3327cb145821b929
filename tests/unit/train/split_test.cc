#include "train/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "testing.h"

namespace dws::train {
namespace {

struct Networks {
  std::vector<int64_t> images;
  std::vector<int32_t> labels;
};

// `views` networks of each of `count` images, views far apart in the file, ids with gaps.
Networks networks(int64_t count, int64_t views, int64_t classes) {
  Networks n;
  for (int64_t v = 0; v < views; ++v)
    for (int64_t i = 0; i < count; ++i) {
      n.images.push_back(1000 + 7 * i);
      n.labels.push_back(static_cast<int32_t>(i % classes));
    }
  return n;
}

TEST(Split, ViewsOfAnImageNeverStraddle) {
  const Networks n = networks(101, 3, 4);
  const Split s = split_by_image(n.images, n.labels, {0.6, 0.2, 0.2}, 5);
  std::map<int64_t, std::set<int>> parts;
  int part = 0;
  int64_t total = 0;
  for (const auto* list : {&s.train, &s.val, &s.test}) {
    for (int64_t i : *list) parts[n.images[static_cast<size_t>(i)]].insert(part);
    total += static_cast<int64_t>(list->size());
    ++part;
  }
  EXPECT_EQ(total, 303);
  ASSERT_EQ(parts.size(), 101U);
  for (const auto& [image, where] : parts) EXPECT_EQ(where.size(), 1U) << image;
}

TEST(Split, CountsAndFractions) {
  const Networks n = networks(100, 1, 10);
  const Split a = split_by_image(n.images, n.labels, {0.7, 0.1, 0.2}, 0);
  EXPECT_EQ(a.train.size(), 70U);
  EXPECT_EQ(a.val.size(), 10U);
  EXPECT_EQ(a.test.size(), 20U);
  const Split b = split_by_image(n.images, n.labels, {50, 0, 20}, 0);
  EXPECT_EQ(b.train.size(), 50U);
  EXPECT_TRUE(b.val.empty());
  EXPECT_EQ(b.test.size(), 20U);
}

TEST(Split, EachLabelInEachPart) {
  const Networks n = networks(100, 1, 10);
  const Split s = split_by_image(n.images, n.labels, {0.7, 0.1, 0.2}, 3);
  std::map<int64_t, int> train, test;
  for (int64_t i : s.train) ++train[n.labels[static_cast<size_t>(i)]];
  for (int64_t i : s.test) ++test[n.labels[static_cast<size_t>(i)]];
  for (int64_t label = 0; label < 10; ++label) {
    EXPECT_EQ(train[label], 7);
    EXPECT_EQ(test[label], 2);
  }
}

TEST(Split, DependsOnTheSeedAndNotOnTheOrderInTheFile) {
  const Networks n = networks(60, 1, 3);
  const Split a = split_by_image(n.images, n.labels, {0.5, 0.25, 0.25}, 1);
  EXPECT_EQ(a.test, split_by_image(n.images, n.labels, {0.5, 0.25, 0.25}, 1).test);
  EXPECT_NE(a.test, split_by_image(n.images, n.labels, {0.5, 0.25, 0.25}, 2).test);
  Networks reversed = n;
  std::reverse(reversed.images.begin(), reversed.images.end());
  std::reverse(reversed.labels.begin(), reversed.labels.end());
  const Split b = split_by_image(reversed.images, reversed.labels, {0.5, 0.25, 0.25}, 1);
  std::set<int64_t> ids_a, ids_b;
  for (int64_t i : a.test) ids_a.insert(n.images[static_cast<size_t>(i)]);
  for (int64_t i : b.test) ids_b.insert(reversed.images[static_cast<size_t>(i)]);
  EXPECT_EQ(ids_a, ids_b);
}

TEST(Split, RefusesEmptyParts) {
  const Networks n = networks(2, 5, 2);
  testing::expect_error(
      ErrorKind::empty,
      [&] {
        split_by_image(n.images, n.labels, {0.8, 0.1, 0.1}, 0);
      },
      "part");
  testing::expect_error(
      ErrorKind::empty,
      [&] {
        split_by_image(n.images, n.labels, {11, 0, 0}, 0);
      },
      "11");
}

TEST(Split, Parse) {
  const SplitSizes s = parse_split("8000,0,2000");
  EXPECT_EQ(s.train, 8000);
  EXPECT_EQ(s.val, 0);
  EXPECT_EQ(s.test, 2000);
  EXPECT_EQ(parse_split("1").train, 1);
  for (const char* bad : {"", "0.8,0.3", "0,1", "1,2,3,4", "a,b", "-1,2", "0.5,nan"})
    testing::expect_error(ErrorKind::usage, [&] { parse_split(bad); });
}

TEST(Split, MixturesShowNothingOfAnotherPart) {
  Networks n = networks(60, 1, 3);
  std::vector<int64_t> mixed = n.images;
  for (int64_t i = 0; i < 60; ++i) {  // a mixture of each image with the next but six
    n.images.push_back(n.images[static_cast<size_t>(i)]);
    n.labels.push_back(n.labels[static_cast<size_t>(i)]);
    mixed.push_back(n.images[static_cast<size_t>((i + 7) % 60)]);
  }
  const Split s = split_by_image(n.images, n.labels, {0.6, 0.2, 0.2}, 5, mixed);
  std::set<int64_t> training;
  int64_t mixtures = 0;
  for (const int64_t i : s.train) training.insert(n.images[static_cast<size_t>(i)]);
  for (const int64_t i : s.train) {
    EXPECT_TRUE(training.contains(mixed[static_cast<size_t>(i)]));
    mixtures += i >= 60;
  }
  EXPECT_TRUE(mixtures > 10 && mixtures < 36) << mixtures;
  for (const auto* part : {&s.val, &s.test}) {
    EXPECT_EQ(part->size(), 12u);
    for (const int64_t i : *part) {
      EXPECT_LT(i, 60);
      EXPECT_FALSE(training.contains(n.images[static_cast<size_t>(i)]));
    }
  }
  // The images are dealt out as without mixtures.
  EXPECT_EQ(split_by_image(n.images, n.labels, {0.6, 0.2, 0.2}, 5).val.size(), 24u);
}

}  // namespace
}  // namespace dws::train
