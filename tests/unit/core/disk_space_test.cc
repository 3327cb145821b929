#include "core/disk_space.h"

#include <gtest/gtest.h>

#include "testing.h"

namespace dws {
namespace {

TEST(DiskSpace, WhatDoesNotFitIsSaidBefore) {
  const testing::TempDir dir;
  const std::optional<uint64_t> left = available_space(dir.path());
  ASSERT_TRUE(left);
  EXPECT_GT(*left, 0u);
  require_space(dir.path(), 1, "one byte", "");
  testing::expect_error(
      ErrorKind::resource_limit,
      [&] { require_space(dir.path(), uint64_t{1} << 60, "copies of 3 networks", "elsewhere"); },
      "copies of 3 networks take 1152921504.6 GB, and");
  EXPECT_FALSE(available_space(dir / "absent"));
}

}  // namespace
}  // namespace dws
