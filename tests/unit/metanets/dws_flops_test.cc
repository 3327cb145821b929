#include "metanets/dws_flops.h"

#include <gtest/gtest.h>

#include "core/text.h"

namespace dws {
namespace {

// The count by hand for 2-32-32-1. On the first hidden group meet W_0 (2 F), b_0 and a side of W_1; on the
// second b_1, W_2 and the other side; pooled there are 7 F of everything, b_2 with it.
double layer_by_hand(double F, double G) {
  return 2 * (32 * (4 * F) * (4 * G) + 32 * (3 * F) * (3 * G) + (7 * F) * (7 * G) + 32 * 32 * F * G);
}

TEST(DwsFlops, TheNetworkOfTheBenchByHand) {
  DwsConfig config;
  config.layers = 5;
  for (const int64_t channels : {32, 64}) {
    config.hidden = channels;
    const double F = static_cast<double>(channels);
    const double first = layer_by_hand(1, F), rest = 4 * layer_by_hand(F, F);
    const double head = 2 * (7 * F * 64 + 64 * 10);
    const Flops flops = dws_flops(weights::WeightSpace::mlp({2, 32, 32, 1}), 10, config);
    EXPECT_EQ(flops.forward, first + rest + head);
    EXPECT_EQ(flops.training, 2 * first + 3 * (rest + head));
  }
}

// Another way to the same number: every weight of the model is used once for each item of the place it is
// applied at, so parameters tell the products.
double by_parameters(const DwsNet<double>& net, double& training) {
  const weights::WeightSpace& space = net.space();
  const ParamSet<double>& params = net.params();
  double forward = 0;
  training = 0;
  for (int p = 0; p < params.count(); ++p) {
    const std::string& name = params.info(p).name;
    const Shape& shape = params.info(p).shape;
    if (shape.rank() < 2) continue;
    int64_t items = 1;
    for (int64_t i = 0; i < net.settings().layers; ++i) {
      const std::string layer = text("layers.{}.", i);
      for (int k = 0; k < space.groups(); ++k)
        if (name.starts_with(text("{}axis.{}.", layer, k))) items = space.group_size(k);
      for (int m = 0; m < space.matrices(); ++m)
        if (name.starts_with(text("{}matrix.{}.", layer, m))) {
          const weights::Slot& slot = space.slot(space.matrix(m));
          items = space.group_size(slot.row_group) * space.group_size(slot.col_group);
        }
      if (name.starts_with(layer + "skip")) items = space.param_count();
    }
    if (name.starts_with("input_skip")) items = space.param_count();
    const double product = 2.0 * static_cast<double>(items * shape.size());
    const bool raw = name.starts_with("layers.0.") || name.starts_with("input_skip");
    forward += product;
    training += (raw ? 2 : 3) * product;
  }
  return forward;
}

TEST(DwsFlops, AgreeWithTheParametersOfEveryKindOfLinearNetwork) {
  int checked = 0;
  for (const std::vector<int64_t>& dims :
       {std::vector<int64_t>{2, 5, 1}, {2, 32, 32, 1}, {3, 4, 6, 5, 2}, {1, 4, 3, 4, 5, 10}})
    for (const bool diagonal : {false, true})
      for (const bool skips : {false, true})
        for (const bool masked : {false, true}) {
          DwsConfig config;
          config.hidden = 6;
          config.layers = 3;
          config.head = {7, 5};
          config.diagonal = diagonal;
          config.layer_skip = config.input_skip = skips;
          if (masked) config.blocks = {nn::Block::weight_neighbour, nn::Block::bias_to_weight};
          const DwsNet<double> net(weights::WeightSpace::mlp(dims), 4, config);
          double training = 0;
          const double forward = by_parameters(net, training);
          const Flops flops = dws_flops(net.space(), 4, config);
          EXPECT_EQ(flops.forward, forward);
          EXPECT_EQ(flops.training, training);
          ++checked;
        }
  EXPECT_EQ(checked, 32);
}

TEST(DwsFlops, AttentionByHand) {
  // 2-3-1: W_0 (2 wide) and b_0 and W_1 on one group of 3, b_1 alone. All pairs meet by attention.
  DwsConfig config;
  config.hidden = 4;
  config.heads = 2;
  config.layers = 1;
  config.attention = true;
  config.head = {};
  const double to_each[] = {8, 4, 4}, from_each[] = {2, 1, 1};
  double of_input = 0, inner = 0;
  for (const double from : from_each)
    for (const double to : to_each) {
      of_input += 3 * 3 * from * to;
      inner += 2 * 3 * 3 * to + 3 * to * to;
    }
  // Global: what shares no group, b_1 with everything and itself.
  of_input += (2 + 1 + 1) * 4 + 1 * (8 + 4 + 4) + 1 * 4;
  const double head = (8 + 4 + 4 + 4) * 10;
  const Flops flops = dws_flops(weights::WeightSpace::mlp({2, 3, 1}), 10, config);
  EXPECT_EQ(flops.forward, 2 * (of_input + inner + head));
  EXPECT_EQ(flops.training, 2 * (2 * of_input + 3 * (inner + head)));
}

}  // namespace
}  // namespace dws
