#include "format/diff.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/parallel.h"
#include "core/rng.h"

namespace dws {
namespace {

DiffTensor floats(const std::string& name, const std::vector<float>& numbers) {
  return {name, "F32", Dtype::f32, {static_cast<int64_t>(numbers.size())}, std::as_bytes(std::span(numbers))};
}
DiffFile file(std::vector<DiffTensor> tensors) {
  return {.path = "made", .tensors = std::move(tensors), .owner = {}};
}

// By hand: a = (3, 4, 0), b = (3, 0, 4).
TEST(Diff, GoldenNumbers) {
  const std::vector<float> a = {3, 4, 0}, b = {3, 0, 4};
  const DiffFile x = file({floats("w", a)}), y = file({floats("w", b)});
  const std::vector<DiffRow> rows = diff(x, y);
  ASSERT_EQ(rows.size(), 1u);
  const DiffSums& s = rows[0].sums;
  EXPECT_EQ(s.count, 3);
  EXPECT_EQ(s.equal, 1);
  EXPECT_DOUBLE_EQ(s.l2(), std::sqrt(32.0));
  EXPECT_DOUBLE_EQ(s.relative(), std::sqrt(32.0) / 5);
  EXPECT_DOUBLE_EQ(s.cosine(), 9.0 / 25);
  EXPECT_DOUBLE_EQ(s.sigma_ratio(), 1);
  EXPECT_EQ(s.largest, 4);
  EXPECT_EQ(s.largest_at, 1);
  EXPECT_FALSE(rows[0].equal());
}

TEST(Diff, WhatHasNoPartnerIsARow) {
  const std::vector<float> two = {1, 2}, three = {1, 2, 3};
  const DiffFile x = file({floats("both", two), floats("a", two), floats("shape", two)}),
                 y = file({floats("shape", three), floats("b", two), floats("both", two)});
  const std::vector<DiffRow> rows = diff(x, y);
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_TRUE(rows[0].equal());
  EXPECT_EQ(rows[1].kind, DiffKind::missing_in_b);
  EXPECT_EQ(rows[2].kind, DiffKind::other_shape);
  EXPECT_EQ(rows[3].kind, DiffKind::missing_in_a);
  EXPECT_EQ(rows[3].name, "b");
}

TEST(Diff, NoNumberEqualsNoNumberAlone) {
  const float none = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> a = {1, none, 2, none}, b = {1, none, none, none};
  const DiffFile x = file({floats("w", a)}), y = file({floats("w", b)});
  const DiffRow row = diff(x, y)[0];
  EXPECT_EQ(row.sums.equal, 3);
  EXPECT_TRUE(std::isnan(row.sums.largest));
  EXPECT_EQ(row.sums.largest_at, 2);
  EXPECT_TRUE(diff(x, x)[0].equal());
}

TEST(Diff, OtherTypesAreComparedAsNumbers) {
  const std::vector<float> a = {1, -2, 0.5f};
  std::vector<uint16_t> b;
  for (const float v : a) b.push_back(float_to_bf16(v));
  const DiffFile x = file({floats("w", a)}),
                 y = file({{"w", "BF16", Dtype::bf16, {3}, std::as_bytes(std::span(b))}});
  EXPECT_TRUE(diff(x, y)[0].equal());
}

// Sums of many parts: against a plain loop, and the same bits on any number of threads.
TEST(Diff, LargeTensors) {
  Rng rng(3);
  std::vector<float> a(2'500'001), b;
  for (float& v : a) v = static_cast<float>(rng.normal());
  b = a;
  for (size_t i = 0; i < b.size(); i += 3) b[i] += 0.5f;
  b[2'000'000] = 100;
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    squares += d * d;
  }
  const DiffFile x = file({floats("w", a)}), y = file({floats("w", b)});
  std::vector<double> seen;
  for (const int workers : {1, 2, 5}) {
    set_threads(workers);
    const DiffSums s = diff(x, y)[0].sums;
    EXPECT_EQ(s.count, 2'500'001);
    EXPECT_NEAR(s.square_difference, squares, 1e-9 * squares);
    EXPECT_EQ(s.largest_at, 2'000'000);
    EXPECT_EQ(s.equal, 2'500'001 - 833'334 - 1);
    if (seen.empty()) seen = {s.l2(), s.cosine(), s.sigma_ratio()};
    EXPECT_EQ(seen, (std::vector<double>{s.l2(), s.cosine(), s.sigma_ratio()}));
  }
  set_threads(0);
}

}  // namespace
}  // namespace dws
