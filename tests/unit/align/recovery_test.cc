// A random element of each exported network's symmetry is found again from the numbers alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "align/match_network.h"
#include "core/text.h"
#include "network/executor.h"

namespace dws::align {
namespace {

using symmetry::NetworkElement;

struct Model {
  explicit Model(const std::string& name)
      : net(network::from_onnx(std::make_shared<const Onnx>(
            Onnx::open(std::string(DWS_TEST_DATA) + "/../models/" + name + ".onnx")))),
        spec(symmetry::discover(net, network::input_shapes(net, {}))),
        scored(scored_tensors(spec, net)),
        numbers(read_numbers(spec, net)) {}
  network::Network net;
  symmetry::Spec spec;
  std::vector<bool> scored;
  Numbers numbers;
};

std::vector<std::string> models() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(DWS_TEST_DATA) + "/../models"))
    if (entry.path().extension() == ".onnx") names.push_back(entry.path().stem().string());
  std::ranges::sort(names);
  return names;
}

class Recovery : public ::testing::TestWithParam<std::string> {};

TEST_P(Recovery, OfARandomElement) {
  const Model model(GetParam());
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Rng rng(seed);
    const NetworkElement g = symmetry::random_element(model.spec, {}, rng);
    const Pair pair(model.spec, model.scored, model.numbers, act(model.spec, g, model.numbers));
    const NetworkMatch match = match_networks(pair, {});
    const NetworkElement expected = symmetry::inverse(model.spec, g);
    int64_t orders = 0, signs = 0, turns = 0, scales = 0, entries = 0;
    for (size_t n = 0; n < expected.size(); ++n) {
      if (model.spec.groups[n].fixed) continue;
      const auto& e = expected[n];
      const auto& f = match.element[n];
      for (size_t i = 0; i < e.order.size(); ++i) {
        ++entries;
        orders += e.order[i] != f.order[i];
        for (size_t k = 0; k < e.signs.size(); ++k) signs += e.signs[k][i] != f.signs[k][i];
        for (size_t k = 0; k < e.turns.size(); ++k) turns += e.turns[k][i] != f.turns[k][i];
        for (size_t k = 0; k < e.scales.size(); ++k)
          scales += !(std::abs(e.scales[k][i] / f.scales[k][i] - 1) < 1e-3);
      }
    }
    EXPECT_EQ(orders + signs + turns + scales, 0)
        << text("seed {}: of {} items {} orders, {} signs, {} turns, {} scales; cosine {}", seed, entries, orders,
                signs, turns, scales, match.cosine_after);
    EXPECT_GT(match.cosine_after, 1 - 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Recovery, ::testing::ValuesIn(models()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace dws::align
