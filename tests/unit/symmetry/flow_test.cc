// What an element does to every value on the way through a network: g on what was computed before is what is computed after g.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "found.h"
#include "network/executor.h"
#include "unit/exported_models.h"

namespace dws::symmetry {
namespace {

class Flow : public ::testing::TestWithParam<std::string> {};

TEST_P(Flow, AnElementActsOnValues) {
  const std::string path = std::string(DWS_TEST_DATA) + "/../models/" + GetParam() + ".onnx";
  network::Network net = network::from_onnx(std::make_shared<const Onnx>(Onnx::open(path)));
  const std::vector<network::ArrayPtr> shapes = network::input_shapes(net, {});
  const Spec plain = discover(net, shapes), spec = discover_flow(net, shapes);

  // The groups are those of discover().
  ASSERT_EQ(spec.groups.size(), plain.groups.size());
  for (size_t n = 0; n < spec.groups.size(); ++n) {
    const NetworkGroup &a = plain.groups[n], &b = spec.groups[n];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.by, b.by);
    ASSERT_EQ(a.signs.size(), b.signs.size());
    ASSERT_EQ(a.scales.size(), b.scales.size());
    ASSERT_EQ(a.phases.size(), b.phases.size());
    ASSERT_LE(a.members.size(), b.members.size());
    for (size_t m = 0; m < a.members.size(); ++m) EXPECT_EQ(a.members[m].offset, b.members[m].offset);
  }

  Rng rng(11);
  const std::vector<network::ArrayPtr> inputs = random_inputs(net, shapes, {}, rng);
  const NetworkElement g = random_element(plain, {}, rng);
  const network::Replacements changed = replaced(net, plain, g);
  std::vector<size_t> shown;
  net.graph.outputs.clear();
  for (size_t t = plain.tensors.size(); t < spec.tensors.size(); ++t) {
    shown.push_back(t);
    net.graph.outputs.push_back(spec.tensors[t].value);
  }
  network::Executor executor(net, network::Precision::f64);
  const std::vector<network::ArrayPtr> before = executor.run(inputs), after = executor.run(inputs, changed);
  ASSERT_EQ(before.size(), shown.size());
  int seen = 0, moved = 0;
  for (size_t v = 0; v < shown.size(); ++v) {
    if (!before[v]) continue;
    const network::Array acted = act(spec, g, static_cast<int>(shown[v]), *before[v]);
    const auto difference = relative_difference({after[v]}, {std::make_shared<const network::Array>(acted)});
    EXPECT_LT(difference, 1e-9) << spec.tensors[shown[v]].name;
    ++seen;
    moved += relative_difference({after[v]}, {before[v]}) > 1e-3;
  }
  EXPECT_GT(seen, 0);
  EXPECT_GT(moved, 0);
}

INSTANTIATE_TEST_SUITE_P(Models, Flow, ::testing::ValuesIn(exported_models()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace dws::symmetry
