// Where tensors and numbers of a network are found in weight features.
#include "weights/space.h"

#include <gtest/gtest.h>

#include <set>

#include "testing.h"

namespace dws::weights {
namespace {

using dws::testing::throws_error;

TEST(WeightSpace, ClassifiesTheTensorsOfAnMlp) {
  const WeightSpace space = WeightSpace::mlp({2, 5, 4, 3});
  ASSERT_EQ(space.tensors(), 6);
  EXPECT_EQ(space.slot(0).kind, SlotKind::vector);  // W_0: inputs folded
  EXPECT_EQ(space.slot(0).multiplicity, 2);
  EXPECT_EQ(space.slot(1).offset, 2);  // b_0 beside it
  EXPECT_EQ(space.slot(2).kind, SlotKind::matrix);
  EXPECT_EQ(space.slot(2).row_group, 1);
  EXPECT_EQ(space.slot(2).col_group, 0);
  EXPECT_EQ(space.slot(4).multiplicity, 3);  // W_2 lies on its input axis
  EXPECT_EQ(space.slot(4).row_group, 1);
  EXPECT_EQ(space.slot(5).kind, SlotKind::scalar);
  EXPECT_EQ(space.vector_width(0), 3);
  EXPECT_EQ(space.vector_width(1), 4);
  EXPECT_EQ(space.scalar_width(), 3);
  EXPECT_EQ(space.slot(3).layer, 1);
  EXPECT_TRUE(space.slot(3).bias);
  EXPECT_EQ(space.shared_group(0, 2), 0);
  EXPECT_EQ(space.shared_group(2, 4), 1);
  EXPECT_EQ(space.shared_group(0, 4), -1);
  EXPECT_EQ(space.shared_group(5, 4), -1);
}

TEST(WeightSpace, EveryNumberHasOnePlace) {
  for (const std::vector<int64_t>& dims :
       {std::vector<int64_t>{2, 5, 4, 3}, {3, 2}, {2, 4, 3}, {1, 2, 3, 4, 5}}) {
    const WeightSpace space = WeightSpace::mlp(dims);
    std::set<int64_t> seen;
    size_t count = 0;
    const auto add = [&](const std::vector<int64_t>& table) {
      seen.insert(table.begin(), table.end());
      count += table.size();
    };
    for (int k = 0; k < space.groups(); ++k) add(space.vector_table(k));
    for (int i = 0; i < space.matrices(); ++i) add(space.matrix_table(i));
    add(space.scalar_table());
    EXPECT_EQ(int64_t(count), space.param_count());
    EXPECT_EQ(int64_t(seen.size()), space.param_count());
    EXPECT_EQ(*seen.rbegin(), space.param_count() - 1);
  }
}

TEST(WeightSpace, TablesFoldFreeIndicesIntoColumns) {
  const WeightSpace space = WeightSpace::mlp({2, 3, 2});
  // V_0 (3, 2 + 1 + 2): W_0 (3, 2) from 0, b_0 (3) from 6, W_1 (2, 3) from 9 transposed; s: b_1 (2) from 15.
  EXPECT_EQ(space.vector_table(0), (std::vector<int64_t>{0, 1, 6, 9, 12, 2, 3, 7, 10, 13, 4, 5, 8, 11, 14}));
  EXPECT_EQ(space.scalar_table(), (std::vector<int64_t>{15, 16}));
}

TEST(WeightSpace, RefusesTensorsItCannotHold) {
  symmetry::Layout three{{{"a", 2}, {"b", 2}, {"c", 2}}, {{"t", {2, 2, 2}, {0, 1, 2}}}};
  EXPECT_TRUE(throws_error(
      ErrorKind::usage, [&] { WeightSpace{three}; }, "'t'"));
  symmetry::Layout twice{{{"a", 2}}, {{"t", {2, 2}, {0, 0}}}};
  EXPECT_TRUE(throws_error(
      ErrorKind::usage, [&] { WeightSpace{twice}; }, "'t'"));
  symmetry::Layout free{{{"a", 2}, {"b", 3}}, {{"t", {2, 3, 9}, {0, 1, symmetry::kFree}}}};
  EXPECT_TRUE(throws_error(
      ErrorKind::usage, [&] { WeightSpace{free}; }, "'t'"));
}

}  // namespace
}  // namespace dws::weights
