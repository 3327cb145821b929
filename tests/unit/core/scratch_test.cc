// A nameless file for numbers that are too many for memory.
#include "core/scratch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "testing.h"

namespace dws {
namespace {

using dws::testing::expect_error;
using dws::testing::TempDir;

TEST(ScratchFile, HoldsNumbersAndHasNoName) {
  const TempDir dir;
  {
    const ScratchFile scratch(dir / "out", 100000 * sizeof(float));
    const std::span<float> numbers = scratch.floats();
    ASSERT_EQ(numbers.size(), 100000u);
    EXPECT_TRUE(std::all_of(numbers.begin(), numbers.end(), [](float x) { return x == 0; }));
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
    EXPECT_EQ(scratch.floats()[99999], 99999.f);
    EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
  }
  EXPECT_TRUE(ScratchFile(dir / "out", 0).floats().empty());
}

TEST(ScratchFile, SaysWhenThereIsNoFolderOrNoRoom) {
  const TempDir dir;
  expect_error(
      ErrorKind::io, [&] { ScratchFile(dir / "none/out", 8); }, "none/out");
  expect_error(
      ErrorKind::io, [&] { ScratchFile(dir / "out", size_t{1} << 60); }, "cannot make room");
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace dws
