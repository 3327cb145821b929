#include "autograd/params.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace dws {
namespace {

template <class F>
ErrorKind kind_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e.kind();
  }
  return ErrorKind::usage;
}

TEST(Params, PiecesLieBehindEachOther) {
  ParamSet<float> set;
  EXPECT_EQ(set.add("a.weight", {2, 3}, true), 0);
  EXPECT_EQ(set.add("a.bias", {3}, false), 1);
  EXPECT_EQ(set.add("scalar", {}, false), 2);
  EXPECT_EQ(set.add_buffer("mean", {3}, 0.0f), 0);
  EXPECT_EQ(set.add_buffer("var", {3}, 1.0f), 1);
  set.freeze();
  EXPECT_EQ(set.size(), 10);
  EXPECT_EQ(set.buffer_size(), 6);
  EXPECT_EQ(set.info(1).offset, 6);
  EXPECT_FALSE(set.info(1).decay);
  EXPECT_EQ(set.value(1).data, set.values().data + 6);
  EXPECT_EQ(set.value(2).size(), 1);
  EXPECT_EQ(set.find("a.bias"), 1);
  EXPECT_EQ(set.find("mean"), -1);
  EXPECT_EQ(set.find("a"), -1);
  for (const float v : set.values().span()) EXPECT_EQ(v, 0.0f);
  for (const float v : set.buffer(0).span()) EXPECT_EQ(v, 0.0f);
  for (const float v : set.buffer(1).span()) EXPECT_EQ(v, 1.0f);
  EXPECT_EQ(set.buffer(1).data, set.buffer_values().data + 3);
}

TEST(Params, NamesAreUnique) {
  ParamSet<double> set;
  set.add("a", {1}, true);
  set.add_buffer("b", {1}, 0);
  EXPECT_EQ(kind_of([&] { set.add("a", {1}, true); }), ErrorKind::duplicate_name);
  EXPECT_EQ(kind_of([&] { set.add("b", {1}, true); }), ErrorKind::duplicate_name);
  EXPECT_EQ(kind_of([&] { set.add_buffer("a", {1}, 0); }), ErrorKind::duplicate_name);
}

TEST(Params, FrozenSetsTakeNothingMore) {
  ParamSet<double> set;
  set.freeze();
  EXPECT_EQ(kind_of([&] { set.add("a", {1}, true); }), ErrorKind::internal);
  EXPECT_EQ(kind_of([&] { set.add_buffer("a", {1}, 0); }), ErrorKind::internal);
  EXPECT_EQ(set.size(), 0);
}

}  // namespace
}  // namespace dws
