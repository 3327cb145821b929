// The symmetry that is found in exported networks: it holds when they are run, it is as large as it should be, and its elements
// undo one another.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "found.h"
#include "symmetry/element.h"
#include "symmetry/verify.h"

namespace dws::symmetry {
namespace {

struct Expected {
  std::string name;
  int groups;
  double coverage;
  std::string kinds;  // of any group: scale, sign, phase, nested
};
std::ostream& operator<<(std::ostream& out, const Expected& e) {
  return out << e.name;
}

class NetworkSymmetry : public ::testing::TestWithParam<Expected> {
 protected:
  const std::shared_ptr<const Onnx> onnx = std::make_shared<const Onnx>(
      Onnx::open(std::string(DWS_TEST_DATA) + "/../models/" + GetParam().name + ".onnx"));
  const network::Network net = network::from_onnx(onnx);
  const std::vector<network::ArrayPtr> inputs = network::input_shapes(net, {});
  const Spec spec = discover(net, inputs);
};

TEST_P(NetworkSymmetry, HoldsAndIsAsLargeAsItShouldBe) {
  const Verdict verdict = verify(net, inputs, spec, {.trials = 3});
  EXPECT_TRUE(verdict.holds) << verdict.difference << ' ' << verdict.guilty;
  EXPECT_TRUE(verdict.control) << "leaving out a tensor makes no difference";
  EXPECT_EQ(spec.free_groups(), GetParam().groups);
  EXPECT_GE(spec.coverage(), GetParam().coverage);
  EXPECT_EQ(kinds_of(spec), GetParam().kinds);
}

TEST_P(NetworkSymmetry, EachKindAlone) {
  for (int kind = 0; kind < 4; ++kind) {
    const Draw draw{.order = kind == 0, .sign = kind == 1, .scale = kind == 2, .phase = kind == 3};
    const Verdict verdict = verify(net, inputs, spec, {.trials = 1, .seed = 7, .draw = draw});
    EXPECT_TRUE(verdict.holds) << kind << ' ' << verdict.difference << ' ' << verdict.guilty;
  }
}

TEST_P(NetworkSymmetry, TheInverseGivesBackTheNumbers) {
  Rng rng(3);
  for (const bool orders_alone : {true, false}) {
    const NetworkElement g = random_element(
        spec, {.order = true, .sign = !orders_alone, .scale = !orders_alone, .phase = !orders_alone}, rng);
    const NetworkElement back = inverse(spec, g);
    int moved = 0;
    for (size_t t = 0; t < spec.tensors.size(); ++t) {
      const network::Constant& c = net.constants[static_cast<size_t>(spec.tensors[t].constant)];
      const auto tensor = static_cast<int>(t);
      if (orders_alone && onnx_type_bits(c.type) >= 8) {
        const auto item = static_cast<size_t>(onnx_type_bits(c.type)) / 8;
        const std::vector<std::byte> there = act_on_bytes(spec, g, tensor, c.bytes, item);
        const std::vector<std::byte> again = act_on_bytes(spec, back, tensor, there, item);
        EXPECT_TRUE(std::ranges::equal(again, c.bytes)) << c.name;
        moved += !std::ranges::equal(there, c.bytes);
      } else if (network::is_real(c.type)) {
        const network::Array before = network::to_array(c);
        const network::Array after = act(spec, back, tensor, act(spec, g, tensor, before));
        for (size_t i = 0; i < before.reals.size(); ++i)
          ASSERT_NEAR(after.reals[i], before.reals[i], 1e-12 * (1 + std::abs(before.reals[i]))) << c.name;
        ++moved;
      }
    }
    EXPECT_GT(moved, 0);
  }
}

TEST_P(NetworkSymmetry, TwoElementsInOne) {
  Rng rng(5);
  const NetworkElement a = random_element(spec, {}, rng), b = random_element(spec, {}, rng);
  const NetworkElement both = compose(spec, a, b);
  int moved = 0;
  for (size_t t = 0; t < spec.tensors.size(); ++t) {
    const network::Constant& c = net.constants[static_cast<size_t>(spec.tensors[t].constant)];
    if (!network::is_real(c.type)) continue;
    const auto tensor = static_cast<int>(t);
    const network::Array before = network::to_array(c);
    const network::Array expected = act(spec, a, tensor, act(spec, b, tensor, before));
    const network::Array once = act(spec, both, tensor, before);
    for (size_t i = 0; i < before.reals.size(); ++i)
      ASSERT_NEAR(once.reals[i], expected.reals[i], 1e-12 * (1 + std::abs(expected.reals[i]))) << c.name;
    moved += expected.reals != before.reals;
  }
  EXPECT_GT(moved, 0);
  const NetworkElement nothing = compose(spec, inverse(spec, a), a);
  for (size_t n = 0; n < nothing.size(); ++n) {
    EXPECT_EQ(nothing[n].order, identity_element(spec)[n].order);
    EXPECT_EQ(nothing[n].turns, identity_element(spec)[n].turns);
  }
}

TEST_P(NetworkSymmetry, SpecAndElementAsJson) {
  const Spec read = spec_from_json(Json::parse(to_json(spec).dump(), "spec"), "spec");
  EXPECT_EQ(to_json(read).at("groups").dump(), to_json(spec).at("groups").dump());
  Rng rng(1);
  const NetworkElement g = random_element(spec, {}, rng);
  const Json json = Json::parse(to_json(spec, g).dump(), "element");
  const NetworkElement same = element_from_json(spec_from_json(json, "element"), json, "element");
  EXPECT_EQ(to_json(spec, same).dump(), to_json(spec, g).dump());
}

// Groups: hidden layers, channels, heads and what is within heads. (Reference: counted by hand on the networks' definitions.)
INSTANTIATE_TEST_SUITE_P(
    Models, NetworkSymmetry,
    ::testing::Values(
        Expected{"mlp_relu", 2, 0.95, "scale"}, Expected{"mlp_tanh", 2, 0.95, "sign"},
        Expected{"mlp_sine", 2, 0.95, "sign phase"}, Expected{"mlp_leaky_relu", 2, 0.95, "scale"},
        Expected{"mlp_gelu", 2, 0.95, ""}, Expected{"mlp_layer_norm", 2, 0.95, "scale"},
        Expected{"mlp_layer_norm_node", 2, 0.95, "scale"}, Expected{"mlp_rms_norm", 2, 0.95, "scale sign"},
        Expected{"cnn", 3, 0.95, "scale"}, Expected{"cnn_batch_norm", 3, 0.95, "scale sign"},
        Expected{"separable", 4, 0.95, "scale sign nested"}, Expected{"resnet", 4, 0.95, "scale sign"},
        Expected{"group_norm", 3, 0.95, "scale sign nested"}, Expected{"shuffle", 5, 0.95, "scale sign"},
        Expected{"dense", 4, 0.95, "scale sign"}, Expected{"unet", 4, 0.95, "scale sign"},
        Expected{"pixel_shuffle", 2, 0.95, "scale"},
        Expected{"encoder_pre_norm", 9, 0.95, "scale sign nested"},
        Expected{"encoder_post_norm", 9, 0.95, "scale sign nested"},
        Expected{"encoder_fused", 9, 0.95, "scale sign nested"},
        Expected{"encoder_library", 4, 0.95, "scale sign nested"},
        Expected{"decoder", 9, 0.95, "scale sign nested"}, Expected{"vit", 9, 0.95, "scale sign nested"},
        Expected{"lstm", 2, 0.95, ""}, Expected{"gru", 2, 0.95, ""},
        Expected{"lstm_bidirectional", 2, 0.95, "nested"},
        Expected{"fused_multi_head", 3, 0.95, "scale sign nested"},
        Expected{"fused_packed_attention", 3, 0.95, "scale sign nested"},
        Expected{"fused_grouped_query", 4, 0.95, "scale sign nested"},
        Expected{"fused_grouped_query_rotary", 3, 0.93, "scale sign nested"},
        Expected{"fused_rotary", 1, 0.84, "scale sign"},
        Expected{"fused_standard_rotary", 1, 0.88, "scale sign"},
        Expected{"fused_matmul_bits", 1, 0.17, "scale"}, Expected{"fused_norms", 2, 0.95, "scale sign"},
        Expected{"fused_conv", 3, 0.95, "scale nested"},
        Expected{"fused_attention_plain", 3, 0.95, "scale sign nested"},
        Expected{"fused_attention_causal", 3, 0.95, "scale sign nested"},
        Expected{"fused_attention_masked", 3, 0.95, "scale sign nested"},
        Expected{"fused_attention_grouped", 4, 0.95, "scale sign nested"},
        Expected{"fused_attention_softcap", 3, 0.95, "scale sign nested"}),
    [](const auto& test) { return test.param.name; });

// Queries and keys in one weight, one behind the other: along it the same leaf is multiplied in one place and divided in the next.
TEST(NetworkScales, WithinHeadsOfPackedProjections) {
  for (const std::string name : {"encoder_library", "encoder_fused", "vit"}) {
    const network::Network net = network::from_onnx(std::make_shared<const Onnx>(
        Onnx::open(std::string(DWS_TEST_DATA) + "/../models/" + name + ".onnx")));
    const Spec spec = discover(net, network::input_shapes(net, {}));
    int within = 0, divided = 0;
    for (const NetworkGroup& g : spec.groups) {
      if (g.by < 0) continue;
      ++within;
      EXPECT_EQ(g.scales.size(), 1u) << name << ' ' << g.name;
      for (const Scaling& scaling : g.scales)
        for (const Scaling::Part& a : scaling.parts)
          for (const Scaling::Part& b : scaling.parts) {
            const Member &x = g.members[static_cast<size_t>(a.member)],
                         &y = g.members[static_cast<size_t>(b.member)];
            divided += x.tensor == y.tensor && x.axis == y.axis && a.exponent != b.exponent;
          }
    }
    EXPECT_GT(within, 0) << name;
    EXPECT_GT(divided, 0) << name;
  }
}

}  // namespace
}  // namespace dws::symmetry
