// The algebra of axes.
#include "symmetry/factors.h"

#include <gtest/gtest.h>

namespace dws::symmetry {
namespace {

using Leaves = std::vector<FactorId>;

TEST(Factors, RefinedByWhatTheyAreMadeOf) {
  Factors f;
  const FactorId flat = f.leaf(24), heads = f.leaf(4), within = f.leaf(6);
  f.unify(flat, f.product({heads, within}), "x");
  EXPECT_EQ(f.leaves(flat), (Leaves{heads, within}));
  EXPECT_FALSE(f.pinned(heads));
  // Another boundary, inside what is within a head.
  const auto halves = f.divide(flat, 8);
  ASSERT_TRUE(halves);
  EXPECT_EQ(f.size(halves->first), 8);
  EXPECT_EQ(f.leaves(flat).size(), 3u);
  EXPECT_EQ(f.leaves(within).size(), 2u);
}

TEST(Factors, SumsAreCutWhereEitherHasABoundary) {
  Factors f;
  const FactorId a = f.leaf(5), b = f.leaf(7), c = f.leaf(3), d = f.leaf(9);
  const FactorId left = f.sum({a, b}), right = f.sum({c, d});
  f.unify(left, right, "x");
  ASSERT_EQ(f.leaves(left), f.leaves(right));
  std::vector<int64_t> sizes;
  for (const FactorId l : f.leaves(left)) sizes.push_back(f.size(l));
  EXPECT_EQ(sizes, (std::vector<int64_t>{3, 2, 7}));
}

TEST(Factors, APinGoesWithTheLeaf) {
  Factors f;
  const FactorId a = f.leaf(12), b = f.leaf(12);
  f.pin(a, "the input");
  f.unify(a, b, "x");
  EXPECT_TRUE(f.pinned(b));
  EXPECT_EQ(f.pinned_by(b), "the input");
  const auto parts = f.split(b, 4);
  ASSERT_TRUE(parts);
  EXPECT_TRUE(f.pinned(parts->first));
  EXPECT_TRUE(f.pinned(parts->second));
}

TEST(Factors, WhatDoesNotFitIsPinned) {
  Factors f;
  const FactorId a = f.product({f.leaf(4), f.leaf(6)}), b = f.product({f.leaf(6), f.leaf(4)});
  f.unify(a, b, "a mixture");
  for (const FactorId side : {a, b})
    for (const FactorId l : f.leaves(side)) EXPECT_EQ(f.pinned_by(l), "a mixture");
  const FactorId c = f.leaf(3), d = f.leaf(4);
  f.unify(c, d, "sizes");
  EXPECT_TRUE(f.pinned(c));
  EXPECT_TRUE(f.pinned(d));
}

TEST(Factors, ASumWithinAProductIsCutBlockByBlock) {
  Factors f;
  const FactorId heads = f.leaf(4), turned = f.leaf(2), rest = f.leaf(6);
  const FactorId axis = f.product({heads, f.sum({turned, rest})});
  EXPECT_FALSE(f.split(axis, 3));  // within a head
  const auto halves = f.split(axis, 16);
  ASSERT_TRUE(halves);
  EXPECT_EQ(f.size(halves->first), 16);
  EXPECT_EQ(f.leaves(heads).size(), 2u);
}

TEST(Factors, OnesAreNoFactors) {
  Factors f;
  const FactorId a = f.leaf(5);
  EXPECT_EQ(f.product({f.leaf(1), a, f.leaf(1)}), a);
  EXPECT_EQ(f.sum({f.leaf(0), a}), a);
  EXPECT_EQ(f.size(f.product({f.leaf(1)})), 1);
  f.unify(f.leaf(0), f.product({f.leaf(0), a}), "empty");  // no circle
  EXPECT_FALSE(f.pinned(a));
}

}  // namespace
}  // namespace dws::symmetry
