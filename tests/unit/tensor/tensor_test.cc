#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <numeric>

namespace dws {
namespace {

TEST(Tensor, StartsZeroedAtItsShape) {
  const Tensor<float> t(Shape{3, 5});
  EXPECT_EQ(t.shape(), (Shape{3, 5}));
  ASSERT_EQ(t.size(), 15);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(t.data()) % kAlignment, 0u);
  for (float x : t.span()) EXPECT_EQ(x, 0);
}

TEST(Tensor, DefaultIsEmptyAndRankZeroIsOneElement) {
  EXPECT_EQ(Tensor<double>().size(), 0);
  EXPECT_EQ(Tensor<double>().shape().size(), 0);
  EXPECT_EQ(Tensor<double>(Shape{}).size(), 1);
  EXPECT_EQ((Tensor<double>(Shape{4, 0, 2})).size(), 0);
}

TEST(Tensor, CopiesAreDeepAndMovesAreNot) {
  Tensor<int> a(Shape{4});
  std::iota(a.span().begin(), a.span().end(), 1);
  Tensor<int> copy = a;
  copy[0] = 9;
  EXPECT_EQ(a[0], 1);
  const int* where = a.data();
  const Tensor<int> moved = std::move(a);
  EXPECT_EQ(moved.data(), where);
  EXPECT_EQ(moved[3], 4);
}

TEST(View, SeesTheTensorsElements) {
  Tensor<float> t(Shape{2, 3});
  const View<float> view = t.view();
  view.data[4] = 7;
  EXPECT_EQ(t[4], 7);
  const View<const float> read_only = view;
  EXPECT_EQ(read_only.span()[4], 7);
  EXPECT_EQ(read_only.size(), 6);
  EXPECT_EQ(read_only.shape, t.shape());
}

}  // namespace
}  // namespace dws
