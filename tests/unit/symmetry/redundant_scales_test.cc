// What a group's own scales and signs do already is not offered a second time for the group around it.
#include <gtest/gtest.h>

#include <map>

#include "found.h"

namespace dws::symmetry {
namespace {

using testing::Attributes;
using testing::GraphMaker;

// 1x1 to 20 channels, `activation`, a convolution in 4 groups, `activation`, 1x1: whole groups may change places, too.
Make grouped(const std::string& activation) {
  return [=](GraphMaker& g) {
    g.input("x", {2, 8, 4, 4});
    std::string h = g.node("Conv", {"x", g.weight("a", {20, 8, 1, 1}), g.weight("ab", {20})});
    h = g.node(activation, {h});
    h = g.node("Conv", {h, g.weight("b", {40, 5, 1, 1}), g.weight("bb", {40})}, {.i = {{"group", 4}}});
    h = g.node(activation, {h});
    g.output(g.node("Conv", {h, g.weight("c", {3, 40, 1, 1})}), {2, 3, 4, 4});
  };
}
// By size of the group: how many scales and signs an item has.
std::map<int64_t, std::pair<size_t, size_t>> scales_of(const Spec& spec) {
  std::map<int64_t, std::pair<size_t, size_t>> all;
  for (const NetworkGroup& group : spec.groups) all[group.size] = {group.scales.size(), group.signs.size()};
  return all;
}
using All = std::map<int64_t, std::pair<size_t, size_t>>;

TEST(RedundantScales, OfWholeGroupsAreThoseOfTheirChannels) {
  EXPECT_EQ(scales_of(found(grouped("Relu")).spec), (All{{4, {0, 0}}, {5, {1, 0}}, {10, {1, 0}}}));
  EXPECT_EQ(scales_of(found(grouped("Tanh")).spec), (All{{4, {0, 0}}, {5, {0, 1}}, {10, {0, 1}}}));
}

// A norm over the group ties its channels: what the whole of it may do, none of them may.
TEST(RedundantScales, WhatOnlyTheWholeMayDoStays) {
  const auto all =
      scales_of(found([](GraphMaker& g) {
                  g.input("x", {2, 8, 4, 4});
                  std::string h = g.node("Conv", {"x", g.weight("a", {20, 8, 1, 1}), g.weight("ab", {20})});
                  h = g.node("Reshape", {h, g.ints({2, 4, -1})});
                  h = g.node("InstanceNormalization", {h, g.weight("scale", {4}), g.weight("shift", {4})});
                  h = g.node("Reshape", {h, g.ints({2, 20, 4, 4})});
                  h = g.node("Mul", {h, g.weight("gain", {20, 1, 1})});
                  h = g.node("Sigmoid", {h});
                  g.output(g.node("Conv", {h, g.weight("c", {3, 20, 1, 1})}), {2, 3, 4, 4});
                }).spec);
  EXPECT_EQ(all, (All{{4, {1, 1}}, {5, {0, 0}}}));
}

}  // namespace
}  // namespace dws::symmetry
