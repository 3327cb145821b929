#include "train/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "testing.h"
#include "tiny.h"
#include "train/batches.h"

namespace dws::train {
namespace {

std::vector<int64_t> copy(std::span<const int64_t> span) {
  return {span.begin(), span.end()};
}

std::vector<int64_t> whole(Order& order, int64_t epoch) {
  return copy(order.take(epoch, 0, order.count()));
}

bool is_permutation(std::vector<int64_t> positions, int64_t count) {
  std::sort(positions.begin(), positions.end());
  bool ok = static_cast<int64_t>(positions.size()) == count;
  for (size_t i = 0; ok && i < positions.size(); ++i) ok = positions[i] == static_cast<int64_t>(i);
  return ok;
}

TEST(Order, VisitsEachOnceAnEpochAndEachEpochOtherwise) {
  for (const int64_t count : {1, 2, 9, 10, 11, 159, 160, 161, 321, 1000, 2003}) {
    Order order(count, 10, 3);
    const std::vector<int64_t> first = whole(order, 0), second = whole(order, 1);
    EXPECT_TRUE(is_permutation(first, count)) << count;
    EXPECT_TRUE(is_permutation(second, count)) << count;
    if (count > 5) {
      EXPECT_NE(first, second) << count;
      Order other(count, 10, 4);
      EXPECT_NE(first, whole(other, 0)) << count;
    }
  }
}

TEST(Order, IsAFunctionOfSeedAndEpochWhereverOneBegins) {
  constexpr int64_t kCount = 1000;
  Order order(kCount, 10, 3);
  const std::vector<int64_t> expected = whole(order, 5);
  whole(order, 6);
  for (const int64_t begin : {0, 1, 149, 500, 999}) {
    Order resumed(kCount, 10, 3);
    std::vector<int64_t> rest;
    for (int64_t at = begin; at < kCount; at += 37)
      for (const int64_t p : resumed.take(5, at, std::min(at + 37, kCount))) rest.push_back(p);
    EXPECT_TRUE(std::equal(rest.begin(), rest.end(), expected.begin() + begin, expected.end())) << begin;
  }
  EXPECT_EQ(whole(order, 5), expected);
}

TEST(Order, ReadsOneWindowAtATime) {
  constexpr int64_t kCount = 2003, kBlock = 10;
  Order order(kCount, kBlock, 3);
  ASSERT_EQ(order.windows(), (201 + Order::kWindow - 1) / Order::kWindow);
  std::vector<int64_t> seen;
  int64_t at = 0;
  for (int64_t window = 0; window < order.windows(); ++window) {
    std::set<int64_t> expected;
    const auto blocks = order.blocks(2, window);
    EXPECT_LE(static_cast<int64_t>(blocks.size()), Order::kWindow);
    EXPECT_GE(static_cast<int64_t>(blocks.size()), Order::kWindow - 1);  // none is left with a few
    for (const Order::Block& block : blocks) {
      EXPECT_LE(block.end - block.begin, kBlock);
      for (int64_t i = block.begin; i < block.end; ++i) expected.insert(i);
    }
    const auto size = static_cast<int64_t>(expected.size());
    EXPECT_EQ(order.window_of(2, at), window);
    EXPECT_EQ(order.window_of(2, at + size - 1), window);
    for (const int64_t p : order.take(2, at, at + size)) EXPECT_TRUE(expected.erase(p)) << p;
    EXPECT_TRUE(expected.empty());
    at += size;
  }
  EXPECT_EQ(at, kCount);
  EXPECT_EQ(order.window_of(2, kCount), order.windows());
}

TEST(Order, ABatchMixesNetworksFromAllOver) {
  constexpr int64_t kCount = 60'000, kBlock = 884, kBatch = 128;  // 60,000 networks 2-32-32-1
  Order order(kCount, kBlock, 0);
  double distance = 0, fewest = kCount;
  int64_t pairs = 0;
  for (int64_t begin = 0; begin + kBatch <= kCount; begin += kBatch) {
    const auto batch = order.take(0, begin, begin + kBatch);
    std::set<int64_t> blocks;
    for (size_t i = 0; i < batch.size(); ++i) {
      blocks.insert(batch[i] / kBlock);
      if (i > 0) distance += std::abs(static_cast<double>(batch[i] - batch[i - 1])), ++pairs;
    }
    fewest = std::min(fewest, static_cast<double>(blocks.size()));
  }
  EXPECT_GE(fewest, 10);
  // A third of the whole is what a full shuffle has.
  EXPECT_NEAR(distance / static_cast<double>(pairs) / kCount, 1.0 / 3, 0.05);
}

TEST(Order, FewNetworksGetAFullShuffle) {
  // Neighbours in the order are as far apart as any two, and positions move from anywhere to anywhere.
  Order order(160, 10, 1);
  ASSERT_EQ(order.windows(), 1);
  double distance = 0, moved = 0;
  for (int64_t epoch = 0; epoch < 50; ++epoch) {
    const std::vector<int64_t> all = whole(order, epoch);
    for (size_t i = 0; i + 1 < all.size(); ++i) {
      distance += std::abs(static_cast<double>(all[i + 1] - all[i]));
      moved += std::abs(static_cast<double>(all[i]) - static_cast<double>(i));
    }
  }
  EXPECT_NEAR(distance / 50 / 159 / 160, 1.0 / 3, 0.02);
  EXPECT_NEAR(moved / 50 / 159 / 160, 1.0 / 3, 0.02);
}

TEST(Batches, GiveThePartsNetworksInTheOrder) {
  testing::TempDir dir;
  testing::make_zoo(dir / "a", {.count = 270, .dims = {2, 256, 256, 3}});  // 15 networks a block
  testing::make_zoo(dir / "b", {.count = 130, .dims = {2, 256, 256, 3}, .first_image = 1000});
  const Dataset data = Dataset::open({dir / "a", dir / "b"});
  Part part{&data, {}};
  for (int64_t i = 0; i < data.size(); ++i)
    if (i % 3 != 1) part.samples.push_back(i);
  Order order(part.size(), data.block(), 9);
  ASSERT_GE(order.windows(), 2);
  Batches batches(part, 9);
  std::vector<float> numbers(static_cast<size_t>(data.info().arch.param_count()));
  const double before = testing::mapped_mib();
  double most = 0;
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    std::vector<int64_t> seen;
    for (int64_t begin = 0; begin < part.size(); begin += 50) {
      const int64_t end = std::min(begin + 50, part.size());
      for (const int64_t sample : batches.take(epoch, begin, end)) {
        data.read(sample, numbers);
        seen.push_back(sample);
      }
      most = std::max(most, testing::mapped_mib());
      batches.done(epoch, end);
    }
    std::vector<int64_t> expected;
    for (const int64_t position : whole(order, epoch))
      expected.push_back(part.samples[static_cast<size_t>(position)]);
    EXPECT_EQ(seen, expected);
    Batches resumed(part, 9);
    EXPECT_EQ(copy(resumed.take(epoch, 250, 260)),
              std::vector<int64_t>(expected.begin() + 250, expected.begin() + 260));
    resumed.done(epoch, 260);
    EXPECT_LT(testing::mapped_mib(), before + 0.5);  // nothing is left when an epoch ends
  }
  EXPECT_GT(most, before + 20);
}

}  // namespace
}  // namespace dws::train
